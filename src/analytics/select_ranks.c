/*
 * analytics/select_ranks.c
 *		Selection of ranks: quickselect for several of them at once.
 *
 * The pivot is chosen at random, so that no order of the input makes it slow.  The
 * time is that of log2(nranks) and a few more passes over the array.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"

#include "analytics/select_ranks.h"

#define FEW		16				/* as many are sorted by insertion */

/* Without branches, as which way they go would be a matter of chance. */
static inline bool
comes_before(const Visit *a, const Visit *b)
{
	return (a->stage < b->stage) | ((a->stage == b->stage) & (a->figure < b->figure));
}

static inline void
swap(Visit *a, Visit *b)
{
	Visit		visit = *a;

	*a = *b;
	*b = visit;
}

static void
insertion_sort(Visit *visits, int64 nvisits)
{
	for (int64 i = 1; i < nvisits; i++)
	{
		for (int64 j = i; j > 0 && comes_before(&visits[j], &visits[j - 1]); j--)
			swap(&visits[j], &visits[j - 1]);
	}
}

/* The median of three, taken at random. */
static Visit
choose_pivot(const Visit *visits, int64 nvisits)
{
	Visit		three[3];

	for (int i = 0; i < 3; i++)
		three[i] = visits[pg_prng_uint64_range(&pg_global_prng_state, 0, nvisits - 1)];
	insertion_sort(three, 3);
	return three[1];
}

/*
 * Moves what comes before the pivot, or what does not come after it, to the front; returns how
 * many that are.
 */
static pg_attribute_always_inline int64
partition(Visit *visits, int64 nvisits, const Visit *pivot, bool with_equals)
{
	int64		front = 0;

	for (int64 i = 0; i < nvisits; i++)
	{
		Visit		visit = visits[i];

		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		visits[i] = visits[front];
		visits[front] = visit;
		front += with_equals ? !comes_before(pivot, &visit) : comes_before(&visit, pivot);
	}
	return front;
}

/* The ranks are those of the whole array, of which this part begins at first. */
static void
select_part(Visit *visits, int64 nvisits, int64 first, const int64 *ranks, int nranks)
{
	while (nranks > 0)
	{
		Visit		pivot;
		int64		front;
		bool		are_equal;
		int			nbefore = 0;

		if (nvisits <= FEW)
		{
			insertion_sort(visits, nvisits);
			return;
		}
		check_stack_depth();
		pivot = choose_pivot(visits, nvisits);
		front = partition(visits, nvisits, &pivot, false);
		are_equal = front == 0;
		if (are_equal)
			front = partition(visits, nvisits, &pivot, true);
		while (nbefore < nranks && ranks[nbefore] < first + front)
			nbefore++;
		if (!are_equal)
			select_part(visits, front, first, ranks, nbefore);
		ranks += nbefore;
		nranks -= nbefore;
		visits += front;
		nvisits -= front;
		first += front;
	}
}

void
crm_select_ranks(Visit *visits, int64 nvisits, const int64 *ranks, int nranks)
{
	select_part(visits, nvisits, 0, ranks, nranks);
}
