/*
 * analytics/durations.c
 *		Durations of stages, kept for what depends on their order.
 *
 * They are never sorted.  To select ranks they are read, in whatever order, and counted in
 * buckets of equal width; what is in the bucket of a rank is counted again, in narrower
 * ones, until it is little.  Each reading leaves a 4096th of the range, so no more than
 * six are needed for one rank, and nearly always two: the work is linear, whatever the
 * durations are, and a file is read from its beginning to its end.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/buffile.h"

#include "analytics/durations.h"

#define BUCKET_BITS	12
#define NBUCKETS	(1 << BUCKET_BITS)
#define FEW			8192		/* as many are sorted */

struct Durations
{
	MemoryContext context;
	int			nstages;
	StageDurations *stages;
	DurationChunk *unused;		/* since the last reset */
	uint64		nchunks;
	uint64		max_chunks;
	BufFile    *file;			/* NULL: none was needed */
	uint32		nblocks;		/* of the file, in use */
	int64	   *block;			/* the one that was read last */
};

/* A reading of a stage's durations. */
typedef struct Reading
{
	Durations  *durations;
	const StageDurations *of_stage;
	const DurationChunk *chunk; /* the next one */
	uint32		block;			/* how many were read */
} Reading;

/* What is asked of a stage. */
typedef struct Selection
{
	Durations  *durations;
	const StageDurations *of_stage;
	const int64 *ranks;
	int			nranks;
	int64	   *found;
} Selection;

/* Durations that are next to each other in their order. */
typedef struct Range
{
	int64		low;			/* included, as the next one is */
	int64		high;
	int64		before;			/* how many are less than low */
	int64		count;
} Range;

Durations *
crm_durations_create(int nstages)
{
	Durations  *durations = palloc0(sizeof(Durations));

	durations->context = CurrentMemoryContext;
	durations->nstages = nstages;
	durations->stages = palloc0(Max(nstages, 1) * sizeof(StageDurations));
	durations->max_chunks = work_mem * (uint64) 1024 / sizeof(DurationChunk);
	return durations;
}

StageDurations *
crm_durations_of(Durations *durations, int stage)
{
	return &durations->stages[stage];
}

/* ---- the file ---- */

static void
seek(Durations *durations, uint32 block)
{
	if (BufFileSeekBlock(durations->file, block) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek to block %u of temporary file", block)));
}

/* Adds the last chunk of the stage to the file. */
static void
write_chunk(Durations *durations, StageDurations *of_stage)
{
	CHECK_FOR_INTERRUPTS();
	if (durations->file == NULL)
	{
		durations->file = BufFileCreateTemp(false);
		durations->block = palloc(BLCKSZ);
	}
	if (of_stage->nblocks == of_stage->blocks_room)
	{
		of_stage->blocks_room = Max(2 * of_stage->blocks_room, 64);
		of_stage->blocks = of_stage->blocks == NULL ?
			palloc_array(uint32, of_stage->blocks_room) :
			repalloc_huge(of_stage->blocks, of_stage->blocks_room * sizeof(uint32));
	}
	seek(durations, durations->nblocks);
	BufFileWrite(durations->file, of_stage->last->durations, BLCKSZ);
	of_stage->blocks[of_stage->nblocks++] = durations->nblocks++;
}

static const int64 *
read_block(Durations *durations, uint32 block)
{
	seek(durations, block);
	if (BufFileRead(durations->file, durations->block, BLCKSZ) != BLCKSZ)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read block %u of temporary file", block)));
	return durations->block;
}

/* ---- chunks ---- */

void
crm_durations_make_room(Durations *durations, StageDurations *of_stage)
{
	MemoryContext caller = MemoryContextSwitchTo(durations->context);
	DurationChunk *chunk = durations->unused;

	if (chunk != NULL)
		durations->unused = chunk->before;
	else if (of_stage->last == NULL || durations->nchunks < durations->max_chunks)
	{
		chunk = palloc(sizeof(DurationChunk));
		durations->nchunks++;
	}

	if (chunk != NULL)
	{
		chunk->before = of_stage->last;
		of_stage->last = chunk;
	}
	else
		write_chunk(durations, of_stage);
	of_stage->used = 0;
	MemoryContextSwitchTo(caller);
}

void
crm_durations_reset(Durations *durations)
{
	for (int i = 0; i < durations->nstages; i++)
	{
		StageDurations *of_stage = &durations->stages[i];

		while (of_stage->last != NULL)
		{
			DurationChunk *chunk = of_stage->last;

			of_stage->last = chunk->before;
			chunk->before = durations->unused;
			durations->unused = chunk;
		}
		of_stage->nblocks = 0;
	}
	durations->nblocks = 0;
}

void
crm_durations_end(Durations *durations)
{
	if (durations->file != NULL)
		BufFileClose(durations->file);
	durations->file = NULL;
}

/* ---- reading ---- */

static Reading
read_stage(const Selection *selection)
{
	return (Reading)
	{
		.durations = selection->durations,
			.of_stage = selection->of_stage,
			.chunk = selection->of_stage->last
	};
}

/* The next durations, and how many; NULL at the end. */
static const int64 *
next_durations(Reading *reading, uint32 *count)
{
	const StageDurations *of_stage = reading->of_stage;
	const DurationChunk *chunk = reading->chunk;

	CHECK_FOR_INTERRUPTS();
	*count = DURATIONS_OF_CHUNK;
	if (chunk != NULL)
	{
		if (chunk == of_stage->last)
			*count = of_stage->used;
		reading->chunk = chunk->before;
		return chunk->durations;
	}
	if (reading->block == of_stage->nblocks)
		return NULL;
	return read_block(reading->durations, of_stage->blocks[reading->block++]);
}

/* From the least one to the greatest. */
static Range
whole_range(const Selection *selection)
{
	Range		range = {PG_INT64_MAX, PG_INT64_MIN, 0, 0};
	Reading		reading = read_stage(selection);
	const int64 *durations;
	uint32		count;

	while ((durations = next_durations(&reading, &count)) != NULL)
	{
		for (uint32 i = 0; i < count; i++)
		{
			range.low = Min(range.low, durations[i]);
			range.high = Max(range.high, durations[i]);
		}
		range.count += count;
	}
	return range;
}

/* ---- selection ---- */

static int
compare(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static inline bool
is_asked(const Range *range, int64 rank)
{
	return rank >= range->before && rank - range->before < range->count;
}

static bool
any_is_asked(const Selection *selection, const Range *range)
{
	for (int i = 0; i < selection->nranks; i++)
	{
		if (is_asked(range, selection->ranks[i]))
			return true;
	}
	return false;
}

/* Finds the ranks in a range whose durations are these, in their order; NULL: all are low. */
static void
find(const Selection *selection, const Range *range, const int64 *sorted)
{
	for (int i = 0; i < selection->nranks; i++)
	{
		if (is_asked(range, selection->ranks[i]))
			selection->found[i] = sorted == NULL ? range->low :
				sorted[selection->ranks[i] - range->before];
	}
}

static void
sort_range(const Selection *selection, const Range *range)
{
	int64	   *sorted = palloc_array(int64, range->count + 1);
	Reading		reading = read_stage(selection);
	const int64 *durations;
	uint32		count;
	int64		n = 0;

	/* Without branches, as which way they go would be a matter of chance. */
	while ((durations = next_durations(&reading, &count)) != NULL)
	{
		for (uint32 i = 0; i < count; i++)
		{
			sorted[n] = durations[i];
			n += (durations[i] >= range->low) & (durations[i] <= range->high);
		}
	}
	qsort(sorted, n, sizeof(int64), compare);
	find(selection, range, sorted);
	pfree(sorted);
}

/* How many of the range are in each bucket, of the width of 2^shift. */
static void
count_buckets(const Selection *selection, const Range *range, int shift, int64 *buckets)
{
	uint64		low = (uint64) range->low;
	uint64		width = (uint64) range->high - low;
	Reading		reading = read_stage(selection);
	const int64 *durations;
	uint32		count;

	memset(buckets, 0, (NBUCKETS + 1) * sizeof(int64));
	while ((durations = next_durations(&reading, &count)) != NULL)
	{
		for (uint32 i = 0; i < count; i++)
		{
			uint64		distance = (uint64) durations[i] - low;

			/* Those outside of the range have a bucket of their own. */
			buckets[distance <= width ? distance >> shift : NBUCKETS]++;
		}
	}
}

static void
select_range(const Selection *selection, const Range *range)
{
	uint64		width = (uint64) range->high - (uint64) range->low;
	int			shift;
	int64	   *buckets;
	Range		bucket = {.before = range->before};

	if (width == 0)
	{
		find(selection, range, NULL);
		return;
	}
	if (range->count <= FEW)
	{
		sort_range(selection, range);
		return;
	}
	shift = Max(pg_leftmost_one_pos64(width) + 1 - BUCKET_BITS, 0);
	buckets = palloc_array(int64, NBUCKETS + 1);
	count_buckets(selection, range, shift, buckets);
	for (int i = 0; i < NBUCKETS; i++)
	{
		bucket.count = buckets[i];
		if (any_is_asked(selection, &bucket))
		{
			uint64		first = (uint64) i << shift;
			uint64		last = Min(width, first + ((UINT64CONST(1) << shift) - 1));

			bucket.low = (int64) ((uint64) range->low + first);
			bucket.high = (int64) ((uint64) range->low + last);
			select_range(selection, &bucket);
		}
		bucket.before += bucket.count;
	}
	pfree(buckets);
}

void
crm_durations_select(Durations *durations, const StageDurations *of_stage,
					 const int64 *ranks, int nranks, int64 *found)
{
	Selection	selection = {durations, of_stage, ranks, nranks, found};
	Range		range = whole_range(&selection);

	select_range(&selection, &range);
}
