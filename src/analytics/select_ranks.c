/*
 * analytics/select_ranks.c
 *		Selection of ranks: quickselect for several of them at once.
 *
 * The pivot is chosen at random, so that no order of the input makes it slow:
 * the time is that of some passes over the array, log2(nranks) and a few.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"

#include "analytics/select_ranks.h"

#define FEW		16				/* as many are sorted by insertion */

static inline bool
comes_before(const Stay *a, const Stay *b)
{
	return a->stage != b->stage ? a->stage < b->stage : a->figure < b->figure;
}

static inline void
swap(Stay *a, Stay *b)
{
	Stay		stay = *a;

	*a = *b;
	*b = stay;
}

static void
insertion_sort(Stay *stays, int64 nstays)
{
	for (int64 i = 1; i < nstays; i++)
	{
		for (int64 j = i; j > 0 && comes_before(&stays[j], &stays[j - 1]); j--)
			swap(&stays[j], &stays[j - 1]);
	}
}

/* The median of three, taken at random. */
static Stay
choose_pivot(const Stay *stays, int64 nstays)
{
	Stay		three[3];

	for (int i = 0; i < 3; i++)
		three[i] = stays[pg_prng_uint64_range(&pg_global_prng_state, 0, nstays - 1)];
	insertion_sort(three, 3);
	return three[1];
}

/* Three parts: before the pivot, equal to it from *equal, behind from *behind. */
static void
partition(Stay *stays, int64 nstays, int64 *equal, int64 *behind)
{
	Stay		pivot = choose_pivot(stays, nstays);
	int64		low = 0;
	int64		high = nstays;

	for (int64 i = 0; i < high;)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		if (comes_before(&stays[i], &pivot))
			swap(&stays[i++], &stays[low++]);
		else if (comes_before(&pivot, &stays[i]))
			swap(&stays[i], &stays[--high]);
		else
			i++;
	}
	*equal = low;
	*behind = high;
}

/* The ranks are those of the whole array, of which this part begins at first. */
static void
select_part(Stay *stays, int64 nstays, int64 first, const int64 *ranks, int nranks)
{
	while (nranks > 0)
	{
		int64		equal;
		int64		behind;
		int			nbefore = 0;

		if (nstays <= FEW)
		{
			insertion_sort(stays, nstays);
			return;
		}
		check_stack_depth();
		partition(stays, nstays, &equal, &behind);
		while (nbefore < nranks && ranks[nbefore] < first + equal)
			nbefore++;
		select_part(stays, equal, first, ranks, nbefore);
		while (nbefore < nranks && ranks[nbefore] < first + behind)
			nbefore++;
		ranks += nbefore;
		nranks -= nbefore;
		stays += behind;
		nstays -= behind;
		first += behind;
	}
}

void
crm_select_ranks(Stay *stays, int64 nstays, const int64 *ranks, int nranks)
{
	select_part(stays, nstays, 0, ranks, nranks);
}
