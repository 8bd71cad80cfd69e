/*
 * analytics/point_sums.c
 *		Sums of deals at several points in time.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "analytics/point_sums.h"
#include "analytics/uuid_key.h"

#define BLOCK_POINTS 16

typedef struct PointSum
{
	PointKey	key;
	char		status;			/* of the entry */
	SummaryEntry **blocks;		/* of changes at BLOCK_POINTS points; NULL:
								 * none */
} PointSum;

static inline uint32
hash_key(const HashSeed *seed, const PointKey *key)
{
	UuidKey		stage = {{key->summary.stage[0], key->summary.stage[1]}};
	uint64		rest = key->summary.rest * 4 + key->status;
	uint64		rate = (uint64) (uint32) key->day << 2 | key->rate | (uint64) key->subject << 34;

	return crm_uuid_hash(stage, *seed) ^
		(uint32) crm_hash_mix(rest ^ seed->word[0], rate ^ seed->word[1]);
}

static inline bool
keys_equal(const PointKey *a, const PointKey *b)
{
	return crm_summary_keys_equal(&a->summary, &b->summary) && a->day == b->day &&
		a->rate == b->rate && a->status == b->status && a->subject == b->subject;
}

#define SH_PREFIX point_sum
#define SH_ELEMENT_TYPE PointSum
#define SH_KEY_TYPE PointKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_key((tb)->private_data, &(k))
#define SH_EQUAL(tb, a, b) keys_equal(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Most deals are of few sums, which are found without the hash table. */
#define RECENT_BITS	8

/* So many additions wait for the memory of their cells, which is prefetched. */
#define PENDING_ADDITIONS	16

/* What is added at a point and, if it ends at one, subtracted there. */
typedef struct Addition
{
	SummaryEntry *first;		/* NULL: there is none */
	SummaryEntry *end;			/* or NULL */
	SummaryEntry entry;
} Addition;

struct PointSums
{
	MemoryContext context;
	HashSeed	seed;
	uint32		npoints;
	point_sum_hash *sums;
	PointSum   *recent[1 << RECENT_BITS];	/* by a part of the key */
	uint64		size;			/* of the hash table that these are in */
	Addition	pending[PENDING_ADDITIONS];
	uint32		oldest;			/* of these */
};

PointSums *
crm_point_sums_create(uint32 npoints)
{
	PointSums  *sums = palloc0(sizeof(PointSums));

	sums->context = CurrentMemoryContext;
	sums->seed = crm_new_hash_seed();
	sums->npoints = npoints;
	sums->sums = point_sum_create(sums->context, 64, &sums->seed);
	return sums;
}

/* The change of a sum at a point. */
static inline SummaryEntry *
get_cell(const PointSums *sums, PointSum *sum, uint32 point)
{
	SummaryEntry **block = &sum->blocks[point / BLOCK_POINTS];

	if (unlikely(*block == NULL))
		*block = MemoryContextAllocZero(sums->context,
										Min(sums->npoints, BLOCK_POINTS) * sizeof(SummaryEntry));
	return &(*block)[point % BLOCK_POINTS];
}

static PointSum *
find_sum(PointSums *sums, const PointKey *key)
{
	bool		found;
	PointSum   *sum = point_sum_insert(sums->sums, *key, &found);

	if (unlikely(!found))
	{
		Size		nblocks = sums->npoints / BLOCK_POINTS + 1;

		sum->blocks = MemoryContextAllocZero(sums->context, nblocks * sizeof(SummaryEntry *));
	}
	if (unlikely(sums->size != sums->sums->size))
	{
		memset(sums->recent, 0, sizeof(sums->recent));
		sums->size = sums->sums->size;
	}
	return sum;
}

static inline PointSum *
get_sum(PointSums *sums, const PointKey *key)
{
	uint64		mixed = (key->summary.stage[0] ^ key->summary.stage[1] ^ key->summary.rest ^
						 ((uint64) key->day << 32 | key->subject) ^ key->status) *
	UINT64CONST(0x9E3779B97F4A7C15);
	PointSum  **recent = &sums->recent[mixed >> (64 - RECENT_BITS)];

	if (unlikely(*recent == NULL || !keys_equal(&(*recent)->key, key)))
		*recent = find_sum(sums, key);
	return *recent;
}

static inline void
carry_out(Addition *addition)
{
	if (addition->first == NULL)
		return;
	crm_summary_add_entry(addition->first, &addition->entry);
	if (addition->end != NULL)
		crm_summary_subtract_entry(addition->end, &addition->entry);
	addition->first = NULL;
}

static void
carry_out_all(PointSums *sums)
{
	for (int i = 0; i < PENDING_ADDITIONS; i++)
		carry_out(&sums->pending[i]);
}

static inline void
prefetch_cell(const SummaryEntry *cell)
{
	__builtin_prefetch(cell, 1);
	__builtin_prefetch((const char *) (cell + 1) - 1, 1);
}

void
crm_point_sums_add(PointSums *sums, const PointKey *key, const SummaryEntry *entry,
				   uint32 first, uint32 end)
{
	PointSum   *sum = get_sum(sums, key);
	Addition   *addition = &sums->pending[sums->oldest++ % PENDING_ADDITIONS];

	carry_out(addition);
	addition->first = get_cell(sums, sum, first);
	addition->end = end < sums->npoints ? get_cell(sums, sum, end) : NULL;
	addition->entry = *entry;
	prefetch_cell(addition->first);
	if (addition->end != NULL)
		prefetch_cell(addition->end);
}

/* Passes the run on that ends before the point, unless there is nothing in it. */
static void
end_run(PointRun *run, uint32 point, void (*put) (const PointRun *run, void *arg), void *arg)
{
	if (run->first < point && !crm_summary_entry_is_zero(&run->sums))
	{
		run->last = point - 1;
		put(run, arg);
	}
	run->first = point;
}

static void
put_runs(const PointSums *sums, const PointSum *sum, void (*put) (const PointRun *run, void *arg),
		 void *arg)
{
	PointRun	run = {.key = &sum->key,.sums.key = sum->key.summary};

	for (uint32 point = 0; point < sums->npoints; point++)
	{
		const SummaryEntry *block = sum->blocks[point / BLOCK_POINTS];
		const SummaryEntry *change = block != NULL ? &block[point % BLOCK_POINTS] : NULL;
		bool		changes = change != NULL && !crm_summary_entry_is_zero(change);

		if (changes || sum->key.rate == POINT_RATE_OF_POINT)
			end_run(&run, point, put, arg);
		if (changes)
			crm_summary_add_entry(&run.sums, change);
	}
	end_run(&run, sums->npoints, put, arg);
}

void
crm_point_sums_put(PointSums *sums, void (*put) (const PointRun *run, void *arg), void *arg)
{
	point_sum_iterator iterator;
	const PointSum *sum;

	carry_out_all(sums);
	point_sum_start_iterate(sums->sums, &iterator);
	while ((sum = point_sum_iterate(sums->sums, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		put_runs(sums, sum, put, arg);
	}
}

static inline void
put_change(PointChange *to, uint32 point, const SummaryEntry *change)
{
	to->point = point;
	to->unused = 0;
	to->deals = change->deals;
	to->deals_without_amount = change->deals_without_amount;
	to->deals_without_probability = change->deals_without_probability;
	to->value = change->value;
	to->weighted_value = change->weighted_value;
}

/* Returns how many changes the sum has. */
static uint32
get_changes(const PointSums *sums, const PointSum *sum, PointChange *changes)
{
	uint32		nchanges = 0;

	for (uint32 point = 0; point < sums->npoints; point++)
	{
		const SummaryEntry *block = sum->blocks[point / BLOCK_POINTS];
		const SummaryEntry *change;

		if (block == NULL)
		{
			point |= BLOCK_POINTS - 1;
			continue;
		}
		change = &block[point % BLOCK_POINTS];
		if (!crm_summary_entry_is_zero(change))
			put_change(&changes[nchanges++], point, change);
	}
	return nchanges;
}

void
crm_point_sums_put_changes(PointSums *sums,
						   void (*put) (const PointKey *key, const PointChange *changes,
										uint32 nchanges, void *arg),
						   void *arg)
{
	PointChange *changes = palloc(sums->npoints * sizeof(PointChange));
	point_sum_iterator iterator;
	const PointSum *sum;

	carry_out_all(sums);
	point_sum_start_iterate(sums->sums, &iterator);
	while ((sum = point_sum_iterate(sums->sums, &iterator)) != NULL)
	{
		uint32		nchanges = get_changes(sums, sum, changes);

		CHECK_FOR_INTERRUPTS();
		if (nchanges > 0)
			put(&sum->key, changes, nchanges, arg);
	}
	pfree(changes);
}
