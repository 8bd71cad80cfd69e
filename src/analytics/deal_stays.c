/*
 * analytics/deal_stays.c
 *		Puts the stays of a cohort's deals in order, without a sort: the moves of
 *		each deal are counted first, then each stay has its place.
 *
 * Within a deal moves nearly always come in order, so that a sort is rare.
 * With millions of deals each lookup waits for memory, so records are taken in
 * batches, and what they need is fetched ahead.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "analytics/deal_stays.h"
#include "analytics/stay_log.h"
#include "base/uuid.h"

#define BATCH		64			/* records */
#define NOT_A_DEAL	PG_UINT32_MAX
#define ELSEWHERE	PG_UINT16_MAX	/* a stage that was not asked for */

/* A deal of the cohort. */
typedef struct DealEntry
{
	UuidKey		id;
	TimestampTz entered_at;		/* the present stay */
	uint32		end;			/* of its stays that have ended; at first
								 * their number */
	uint16		stage;			/* of the present stay, or ELSEWHERE */
	uint8		deal_status:2;	/* DealStatus */
	uint8		has_undone:1;
	char		status;			/* of the hash table */
} DealEntry;

#define SH_PREFIX		deals
#define SH_ELEMENT_TYPE DealEntry
#define SH_KEY_TYPE		UuidKey
#define SH_KEY			id
#define SH_HASH_KEY(tb, key) crm_uuid_hash(key, *(const HashSeed *) (tb)->private_data)
#define SH_EQUAL(tb, a, b) crm_uuid_keys_equal(a, b)
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A move that counts for nothing, as another one took it back. */
typedef struct TakenBack
{
	uint32		deal;			/* its place in the table */
	int32		move_no;
} TakenBack;

struct DealStays
{
	const StaysAsked *asked;
	TimestampTz now;
	HashSeed	seed;
	deals_hash *deals;
	uint16	   *stage_of;		/* of a log: number asked for, by number in
								 * the log */
	uint32	   *deal_of;		/* of moves: the deal's place, by record */
	TakenBack  *taken_back;		/* in order */
	uint32		ntaken_back;
	uint32		taken_back_room;
	Stay	   *stays;
};

/* Records of a log, and the hashes of their deals. */
typedef struct RecordBatch
{
	int			count;
	StayRecord	records[BATCH];
	uint32		hashes[BATCH];
} RecordBatch;

static void *
allocate(uint64 count, Size size)
{
	return palloc_extended(Max(count, 1) * size, MCXT_ALLOC_HUGE);
}

static void
refuse_stage_named_twice(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("stages must be distinct and not null")));
}

void
crm_stays_asked(FunctionCallInfo fcinfo, int stages_arg, int from_arg, int before_arg,
				bool times, StaysAsked *asked)
{
	asked->nstages = 0;
	asked->stages = NULL;
	asked->times = times;
	asked->period_from = PG_ARGISNULL(from_arg) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(from_arg);
	asked->period_before = PG_ARGISNULL(before_arg) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(before_arg);
	if (PG_ARGISNULL(stages_arg))
		return;
	if (array_contains_nulls(PG_GETARG_ARRAYTYPE_P(stages_arg)))
		refuse_stage_named_twice();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(stages_arg), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
					  &asked->stages, NULL, &asked->nstages);
	if (asked->nstages > MAX_STAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("pipeline has too many stages: %d", asked->nstages),
				 errdetail("The history of at most %d stages can be analyzed.", MAX_STAGES),
				 errhint("Move deals to fewer stages, and delete those that are not needed.")));
}

/* Makes stage_of for a log.  ERROR if a stage is asked for twice. */
static void
number_stages(DealStays *stays, const StayLogReader *reader)
{
	const StaysAsked *asked = stays->asked;
	deals_hash *numbers = deals_create(CurrentMemoryContext, asked->nstages, &stays->seed);
	DealEntry  *entry;
	bool		found;

	for (int i = 0; i < asked->nstages; i++)
	{
		entry = deals_insert(numbers, crm_uuid_key(DatumGetPointer(asked->stages[i])), &found);
		if (found)
			refuse_stage_named_twice();
		entry->stage = i;
	}
	stays->stage_of = allocate((uint64) reader->nstages + 1, sizeof(uint16));
	stays->stage_of[0] = ELSEWHERE;
	for (uint32 i = 1; i <= reader->nstages; i++)
	{
		entry = deals_lookup(numbers, crm_stay_log_stage(reader, i));
		stays->stage_of[i] = entry == NULL ? ELSEWHERE : entry->stage;
	}
	deals_destroy(numbers);
}

/* Reads records, and fetches what the table has of their deals ahead. */
static void
read_batch(DealStays *stays, StayLogReader *reader, RecordBatch *batch)
{
	for (batch->count = 0; batch->count < BATCH; batch->count++)
	{
		StayRecord *record = &batch->records[batch->count];
		uint32		hash;

		if (!crm_stay_log_next(reader, record))
			break;
		hash = crm_uuid_hash(record->deal, stays->seed);
		batch->hashes[batch->count] = hash;
		__builtin_prefetch(&stays->deals->data[hash & stays->deals->sizemask], 1);
	}
}

/* Adds a deal of the cohort, with its present stay if that may count. */
static void
add_deal(DealStays *stays, const StayRecord *record, uint32 hash)
{
	bool		found;
	DealEntry  *entry = deals_insert_hash(stays->deals, record->deal, hash, &found);

	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("deal %s is twice in the cohort", crm_uuid_text((const pg_uuid_t *) &record->deal)),
				 errhint("A cohort has one row for each deal.")));
	entry->deal_status = record->status;
	entry->has_undone = false;
	entry->stage = record->has_entered_at ? stays->stage_of[record->stage] : ELSEWHERE;
	entry->entered_at = record->entered_at;
	entry->end = 0;
}

static void
read_cohort(DealStays *stays, Datum cohort)
{
	StayLogReader reader;
	RecordBatch batch;

	crm_stay_log_read(&reader, cohort, STAY_LOG_DEALS);
	number_stages(stays, &reader);
	stays->deals = deals_create(CurrentMemoryContext, reader.nrecords, &stays->seed);
	do
	{
		read_batch(stays, &reader, &batch);
		for (int i = 0; i < batch.count; i++)
			add_deal(stays, &batch.records[i], batch.hashes[i]);
	} while (batch.count > 0);
}

static inline bool
in_period(const StaysAsked *asked, TimestampTz entered_at)
{
	return entered_at >= asked->period_from && entered_at < asked->period_before;
}

/* The stay that a move ended; false if it is not asked for. */
static inline bool
get_stay(const DealStays *stays, const StayRecord *record, Stay *stay)
{
	const StaysAsked *asked = stays->asked;
	TimestampTz entered_at = record->has_entered_at ? record->entered_at : DT_NOBEGIN;
	uint16		stage = stays->stage_of[record->stage];
	bool		counts = in_period(asked, entered_at);

	if (stage == ELSEWHERE || (asked->times && !(counts && record->has_duration)))
		return false;
	stay->figure = asked->times ? record->duration : entered_at;
	stay->move_no = record->move_no;
	stay->stage = stage | (counts ? STAY_COUNTS : 0);
	stay->next = Min(stays->stage_of[record->next], NEXT_NOWHERE);
	return true;
}

static void
add_taken_back(DealStays *stays, uint32 deal, int32 move_no)
{
	if (stays->ntaken_back == stays->taken_back_room)
	{
		stays->taken_back_room = Max(stays->taken_back_room * 2, 64);
		stays->taken_back = stays->taken_back == NULL ? allocate(stays->taken_back_room, sizeof(TakenBack)) :
			repalloc_huge(stays->taken_back, stays->taken_back_room * sizeof(TakenBack));
	}
	stays->taken_back[stays->ntaken_back++] = (TakenBack)
	{
		deal, move_no
	};
}

/* Finds the deal of each move, and counts the stays of each deal. */
static void
find_deals(DealStays *stays, StayLogReader *reader)
{
	RecordBatch batch;
	uint32		n = 0;
	Stay		stay;

	do
	{
		read_batch(stays, reader, &batch);
		for (int i = 0; i < batch.count; i++, n++)
		{
			const StayRecord *record = &batch.records[i];
			DealEntry  *entry = deals_lookup_hash(stays->deals, record->deal, batch.hashes[i]);

			stays->deal_of[n] = NOT_A_DEAL;
			if (entry == NULL)
				continue;
			if (record->is_revert)
			{
				entry->has_undone = true;
				add_taken_back(stays, entry - stays->deals->data, record->reverts_no);
			}
			else if (get_stay(stays, record, &stay))
			{
				stays->deal_of[n] = entry - stays->deals->data;
				entry->end++;
			}
		}
	} while (batch.count > 0);
}

/* Turns the numbers of stays into the places of the first ones. */
static void
make_room(DealStays *stays)
{
	deals_iterator iterator;
	DealEntry  *entry;
	uint64		place = 0;

	deals_start_iterate(stays->deals, &iterator);
	while ((entry = deals_iterate(stays->deals, &iterator)) != NULL)
	{
		uint32		count = entry->end;

		entry->end = (uint32) place;
		place += count + (entry->stage != ELSEWHERE);
	}
	stays->stays = allocate(place, sizeof(Stay));
}

/* Puts the stays into their places, which end then where the present stay goes. */
static void
place_stays(DealStays *stays, StayLogReader *reader)
{
	RecordBatch batch;
	uint32		n = 0;

	do
	{
		for (batch.count = 0; batch.count < BATCH && crm_stay_log_next(reader, &batch.records[batch.count]); batch.count++)
		{
			uint32		deal = stays->deal_of[n + batch.count];

			if (deal != NOT_A_DEAL)
				__builtin_prefetch(&stays->deals->data[deal].end, 1);
		}
		for (int i = 0; i < batch.count; i++, n++)
		{
			if (stays->deal_of[n] != NOT_A_DEAL)
				get_stay(stays, &batch.records[i], &stays->stays[stays->deals->data[stays->deal_of[n]].end++]);
		}
	} while (batch.count > 0);
}

static int
compare_taken_back(const void *a, const void *b)
{
	const TakenBack *x = a;
	const TakenBack *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->deal != y->deal)
		return x->deal < y->deal ? -1 : 1;
	return x->move_no < y->move_no ? -1 : x->move_no > y->move_no;
}

static void
read_history(DealStays *stays, Datum history)
{
	StayLogReader reader;
	StayLogReader again;

	crm_stay_log_read(&reader, history, STAY_LOG_MOVES);
	again = reader;
	pfree(stays->stage_of);
	number_stages(stays, &reader);
	stays->deal_of = allocate(reader.nrecords, sizeof(uint32));
	find_deals(stays, &reader);
	make_room(stays);
	place_stays(stays, &again);
	pfree(stays->deal_of);
	if (stays->ntaken_back > 0)
		qsort(stays->taken_back, stays->ntaken_back, sizeof(TakenBack), compare_taken_back);
}

DealStays *
crm_read_deal_stays(FunctionCallInfo fcinfo, int history_arg, int cohort_arg, const StaysAsked *asked)
{
	DealStays  *stays = palloc0(sizeof(DealStays));

	stays->asked = asked;
	stays->now = GetCurrentTransactionStartTimestamp();
	stays->seed = crm_new_hash_seed();
	if (PG_ARGISNULL(cohort_arg))
		return stays;
	read_cohort(stays, PG_GETARG_DATUM(cohort_arg));
	if (PG_ARGISNULL(history_arg))
		make_room(stays);
	else
		read_history(stays, PG_GETARG_DATUM(history_arg));
	return stays;
}

Stay *
crm_all_stays(DealStays *stays)
{
	return stays->stays;
}

static int
compare_stays(const void *a, const void *b)
{
	const Stay *x = a;
	const Stay *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->move_no != y->move_no)
		return x->move_no < y->move_no ? -1 : 1;
	if (x->figure != y->figure)
		return x->figure < y->figure ? -1 : 1;
	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	return x->next < y->next ? -1 : x->next > y->next;
}

/* The number of those that are left without the moves that were taken back. */
static uint32
leave_out_taken_back(const DealStays *stays, uint32 deal, Stay *of_deal, uint32 count)
{
	uint32		left = 0;

	for (uint32 i = 0; i < count; i++)
	{
		TakenBack	move = {deal, of_deal[i].move_no};

		if (bsearch(&move, stays->taken_back, stays->ntaken_back, sizeof(TakenBack),
					compare_taken_back) == NULL)
			of_deal[left++] = of_deal[i];
	}
	return left;
}

/* Appends the present stay to those of a deal, for which there is room. */
static uint32
append_present(const DealStays *stays, const DealEntry *entry, Stay *of_deal, uint32 count)
{
	const StaysAsked *asked = stays->asked;
	Stay	   *stay = &of_deal[count];
	bool		counts = in_period(asked, entry->entered_at);

	stay->figure = entry->entered_at;
	stay->move_no = PG_INT32_MAX;
	stay->stage = entry->stage | (counts ? STAY_COUNTS : 0);
	stay->next = NEXT_NOWHERE;
	if (asked->times && (!counts || pg_sub_s64_overflow(stays->now, entry->entered_at, &stay->figure)))
		return count;
	return count + 1;
}

void
crm_visit_deals(DealStays *stays, DealVisitor visit, void *arg)
{
	deals_iterator iterator;
	DealEntry  *entry;
	uint32		first = 0;

	if (stays->deals == NULL)
		return;
	deals_start_iterate(stays->deals, &iterator);
	while ((entry = deals_iterate(stays->deals, &iterator)) != NULL)
	{
		Stay	   *of_deal = &stays->stays[first];
		uint32		count = entry->end - first;
		bool		in_order = true;

		CHECK_FOR_INTERRUPTS();
		first = entry->end + (entry->stage != ELSEWHERE);
		for (uint32 i = 1; i < count && in_order; i++)
			in_order = of_deal[i - 1].move_no < of_deal[i].move_no;
		if (!in_order)
			qsort(of_deal, count, sizeof(Stay), compare_stays);
		if (entry->has_undone)
			count = leave_out_taken_back(stays, entry - stays->deals->data, of_deal, count);
		if (entry->stage != ELSEWHERE)
			count = append_present(stays, entry, of_deal, count);
		if (count > 0)
			visit(arg, entry->deal_status, of_deal, count);
	}
}
