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

static inline bool
comes_before(const Visit *a, const Visit *b)
{
	return a->stage != b->stage ? a->stage < b->stage : a->figure < b->figure;
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

/* Partitions into less than the pivot, equal to it (from *equal) and greater (from *behind). */
static void
partition(Visit *visits, int64 nvisits, int64 *equal, int64 *behind)
{
	Visit		pivot = choose_pivot(visits, nvisits);
	int64		low = 0;
	int64		high = nvisits;

	for (int64 i = 0; i < high;)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		if (comes_before(&visits[i], &pivot))
			swap(&visits[i++], &visits[low++]);
		else if (comes_before(&pivot, &visits[i]))
			swap(&visits[i], &visits[--high]);
		else
			i++;
	}
	*equal = low;
	*behind = high;
}

/* The ranks are those of the whole array, of which this part begins at first. */
static void
select_part(Visit *visits, int64 nvisits, int64 first, const int64 *ranks, int nranks)
{
	while (nranks > 0)
	{
		int64		equal;
		int64		behind;
		int			nbefore = 0;

		if (nvisits <= FEW)
		{
			insertion_sort(visits, nvisits);
			return;
		}
		check_stack_depth();
		partition(visits, nvisits, &equal, &behind);
		while (nbefore < nranks && ranks[nbefore] < first + equal)
			nbefore++;
		select_part(visits, equal, first, ranks, nbefore);
		while (nbefore < nranks && ranks[nbefore] < first + behind)
			nbefore++;
		ranks += nbefore;
		nranks -= nbefore;
		visits += behind;
		nvisits -= behind;
		first += behind;
	}
}

void
crm_select_ranks(Visit *visits, int64 nvisits, const int64 *ranks, int nranks)
{
	select_part(visits, nvisits, 0, ranks, nranks);
}
