/*
 * analytics/deal_stays.c
 *		The stays of the deals of a cohort.
 *
 * Stays that are kept are put in order without a sort: the stays of each deal are
 * counted as they come, then each one has its place.  Within a deal moves nearly
 * always come in order, so that a sort is rare.
 *
 * With millions of deals each lookup waits for memory, so moves are taken in
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

#include "analytics/deal_index.h"
#include "analytics/deal_stays.h"
#include "analytics/stay_log.h"
#include "base/uuid.h"

#define BATCH		64			/* moves */
#define CHUNK		16384		/* stays */

/* A deal of the cohort. */
typedef struct CohortDeal
{
	TimestampTz entered_at;		/* the present stay */
	union
	{
		uint32		seen;		/* stages of stays that were passed on */
		uint32		end;		/* of the stays kept; at first their number */
	}			u;
	uint16		stage;			/* of the present stay, or ELSEWHERE */
	uint8		deal_status:2;	/* DealStatus */
	uint8		has_undone:1;
} CohortDeal;

/* The stages that were asked for. */
typedef struct StageEntry
{
	UuidKey		id;
	uint16		number;
	char		status;			/* of the hash table */
} StageEntry;

#define SH_PREFIX		stages
#define SH_ELEMENT_TYPE StageEntry
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
	uint32		deal;			/* its number */
	int32		move_no;
} TakenBack;

/* Stays as they came, and the numbers of their deals. */
typedef struct StayChunk
{
	struct StayChunk *next;
	uint32		count;
	uint32		deals[CHUNK];
	Stay		stays[CHUNK];
} StayChunk;

struct DealStays
{
	MemoryContext context;		/* for what is kept */
	const StaysAsked *asked;
	TimestampTz now;
	HashSeed	seed;			/* of stages */
	DealIndex  *index;			/* NULL: no cohort */
	CohortDeal *deals;			/* by number */
	stages_hash *stages;
	StayVisitor pass_on;		/* NULL: stays are kept */
	void	   *pass_on_arg;
	TakenBack  *taken_back;		/* in order */
	uint32		ntaken_back;
	uint32		taken_back_room;
	int			nmoves;			/* in moves, and their hashes */
	StayMove	moves[BATCH];
	uint32		hashes[BATCH];
	StayChunk  *first;			/* of those kept */
	StayChunk  *last;
	Stay	   *stays;			/* those kept, in their places */
};

static void *
allocate(const DealStays *stays, uint64 count, Size size)
{
	return MemoryContextAllocHuge(stays->context, Max(count, 1) * size);
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
	asked->next = false;
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

/* ---- the deals and the stages ---- */

/* ERROR if a stage is asked for twice. */
static void
number_stages(DealStays *stays)
{
	bool		found;

	stays->stages = stages_create(CurrentMemoryContext, stays->asked->nstages, &stays->seed);
	for (int i = 0; i < stays->asked->nstages; i++)
	{
		UuidKey		id = crm_uuid_key(DatumGetPointer(stays->asked->stages[i]));

		stages_insert(stays->stages, id, &found)->number = i;
		if (found)
			refuse_stage_named_twice();
	}
}

const StaysAsked *
crm_asked(const DealStays *stays)
{
	return stays->asked;
}

uint16
crm_stage_number(const DealStays *stays, UuidKey stage)
{
	const StageEntry *entry = stages_lookup(stays->stages, stage);

	return entry == NULL ? ELSEWHERE : entry->number;
}

uint16 *
crm_log_stage_numbers(const DealStays *stays, const StayLogReader *reader)
{
	uint16	   *numbers = palloc(((Size) reader->nstages + 1) * sizeof(uint16));

	numbers[0] = ELSEWHERE;
	for (uint32 i = 1; i <= reader->nstages; i++)
		numbers[i] = crm_stage_number(stays, crm_stay_log_stage(reader, i));
	return numbers;
}

/* Adds a deal of the cohort, with its present stay if that may count. */
static void
add_deal(DealStays *stays, const StayRecord *record, const uint16 *stage_of, uint32 hash)
{
	bool		found;
	CohortDeal *deal = &stays->deals[crm_deal_number(stays->index, record->deal, hash, &found)];

	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("deal %s is twice in the cohort", crm_uuid_text((const pg_uuid_t *) &record->deal)),
				 errhint("A cohort has one row for each deal.")));
	deal->deal_status = record->status;
	deal->has_undone = false;
	deal->stage = record->has_entered_at ? stage_of[record->stage] : ELSEWHERE;
	deal->entered_at = record->entered_at;
	deal->u.seen = 0;
}

static void
read_cohort(DealStays *stays, Datum cohort)
{
	StayLogReader reader;
	StayRecord	records[BATCH];
	uint32		hashes[BATCH];
	uint16	   *stage_of;
	int			count;

	crm_stay_log_read(&reader, cohort, STAY_LOG_DEALS);
	stage_of = crm_log_stage_numbers(stays, &reader);
	stays->index = crm_deal_index_create(reader.nrecords);
	stays->deals = allocate(stays, reader.nrecords, sizeof(CohortDeal));
	do
	{
		for (count = 0; count < BATCH && crm_stay_log_next(&reader, &records[count]); count++)
		{
			hashes[count] = crm_deal_hash(stays->index, records[count].deal);
			crm_deal_prefetch(stays->index, hashes[count]);
		}
		for (int i = 0; i < count; i++)
			add_deal(stays, &records[i], stage_of, hashes[i]);
	} while (count > 0);
	pfree(stage_of);
}

DealStays *
crm_begin_stays(FunctionCallInfo fcinfo, int cohort_arg, const StaysAsked *asked,
				StayVisitor pass_on, void *arg)
{
	DealStays  *stays = palloc0(sizeof(DealStays));

	Assert(pass_on == NULL || asked->nstages <= MAX_STAGES_PASSED_ON);
	stays->context = CurrentMemoryContext;
	stays->asked = asked;
	stays->pass_on = pass_on;
	stays->pass_on_arg = arg;
	stays->now = GetCurrentTransactionStartTimestamp();
	stays->seed = crm_new_hash_seed();
	number_stages(stays);
	if (!PG_ARGISNULL(cohort_arg))
		read_cohort(stays, PG_GETARG_DATUM(cohort_arg));
	return stays;
}

/* ---- moves that were taken back ---- */

void
crm_add_taken_back(DealStays *stays, UuidKey deal, int32 move_no)
{
	uint32		number = NOT_A_DEAL;

	if (stays->index != NULL)
		number = crm_deal_find(stays->index, deal, crm_deal_hash(stays->index, deal));
	if (number == NOT_A_DEAL)
		return;
	stays->deals[number].has_undone = true;
	if (stays->ntaken_back == stays->taken_back_room)
	{
		stays->taken_back_room = Max(stays->taken_back_room * 2, 64);
		if (stays->taken_back == NULL)
			stays->taken_back = allocate(stays, stays->taken_back_room, sizeof(TakenBack));
		else
			stays->taken_back = repalloc_huge(stays->taken_back,
											  stays->taken_back_room * sizeof(TakenBack));
	}
	stays->taken_back[stays->ntaken_back++] = (TakenBack)
	{
		number, move_no
	};
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

static bool
is_taken_back(const DealStays *stays, uint32 deal, int32 move_no)
{
	TakenBack	move = {deal, move_no};

	return bsearch(&move, stays->taken_back, stays->ntaken_back, sizeof(TakenBack),
				   compare_taken_back) != NULL;
}

void
crm_add_moves(DealStays *stays)
{
	if (stays->ntaken_back > 0)
		qsort(stays->taken_back, stays->ntaken_back, sizeof(TakenBack), compare_taken_back);
}

/* ---- stays ---- */

static inline bool
in_period(const StaysAsked *asked, TimestampTz entered_at)
{
	return entered_at >= asked->period_from && entered_at < asked->period_before;
}

/* The stay that a move ended; false if it is not asked for. */
static inline bool
get_stay(const DealStays *stays, const StayMove *move, Stay *stay)
{
	const StaysAsked *asked = stays->asked;
	TimestampTz entered_at = move->has_entered_at ? move->entered_at : DT_NOBEGIN;
	bool		counts = in_period(asked, entered_at);

	if (move->stage == ELSEWHERE || (asked->times && !(counts && move->has_duration)))
		return false;
	stay->figure = asked->times ? move->duration : entered_at;
	stay->move_no = move->move_no;
	stay->stage = move->stage | (counts ? STAY_COUNTS : 0);
	stay->next = asked->next ? Min(move->next, NEXT_NOWHERE) : NEXT_NOWHERE;
	return true;
}

static inline void
pass_on(const DealStays *stays, CohortDeal *deal, const Stay *stay)
{
	uint32		stage = 1U << STAY_STAGE(stay);

	if ((stay->stage & STAY_COUNTS) == 0)
		return;
	stays->pass_on(stays->pass_on_arg, deal->deal_status, stay, (deal->u.seen & stage) == 0);
	deal->u.seen |= stage;
}

static inline void
keep(DealStays *stays, uint32 deal, const Stay *stay)
{
	StayChunk  *chunk = stays->last;

	if (chunk == NULL || chunk->count == CHUNK)
	{
		CHECK_FOR_INTERRUPTS();
		chunk = allocate(stays, 1, sizeof(StayChunk));
		chunk->next = NULL;
		chunk->count = 0;
		if (stays->first == NULL)
			stays->first = chunk;
		else
			stays->last->next = chunk;
		stays->last = chunk;
	}
	chunk->deals[chunk->count] = deal;
	chunk->stays[chunk->count++] = *stay;
	stays->deals[deal].u.end++;
}

static void
take_batch(DealStays *stays)
{
	for (int i = 0; i < stays->nmoves; i++)
	{
		uint32		number = crm_deal_prefetch_id(stays->index, stays->hashes[i]);

		if (number != NOT_A_DEAL)
			__builtin_prefetch(&stays->deals[number], 1);
	}
	for (int i = 0; i < stays->nmoves; i++)
	{
		const StayMove *move = &stays->moves[i];
		uint32		deal = crm_deal_find(stays->index, move->deal, stays->hashes[i]);
		Stay		stay;

		if (deal == NOT_A_DEAL || !get_stay(stays, move, &stay) ||
			(unlikely(stays->deals[deal].has_undone) && is_taken_back(stays, deal, move->move_no)))
			continue;
		if (stays->pass_on != NULL)
			pass_on(stays, &stays->deals[deal], &stay);
		else
			keep(stays, deal, &stay);
	}
	stays->nmoves = 0;
}

StayMove *
crm_new_move(DealStays *stays)
{
	return &stays->moves[stays->nmoves];
}

void
crm_add_move(DealStays *stays)
{
	int			n = stays->nmoves;

	if (stays->index == NULL)
		return;
	stays->hashes[n] = crm_deal_hash(stays->index, stays->moves[n].deal);
	crm_deal_prefetch(stays->index, stays->hashes[n]);
	if (++stays->nmoves == BATCH)
		take_batch(stays);
}

/* ---- the stays that were kept, in their order ---- */

/* Turns the numbers of stays into the places of the first ones. */
static void
make_room(DealStays *stays)
{
	uint64		place = 0;

	for (uint32 i = 0; i < stays->index->count; i++)
	{
		CohortDeal *deal = &stays->deals[i];
		uint32		count = deal->u.end;

		deal->u.end = (uint32) place;
		place += (uint64) count + (deal->stage != ELSEWHERE);
	}
	if (place > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many moves"),
				 errhint("Choose fewer deals, such as by a period.")));
	stays->stays = allocate(stays, place, sizeof(Stay));
}

/* Puts the stays into their places, which end then where the present stay goes. */
static void
place_stays(DealStays *stays)
{
	CohortDeal *deals = stays->deals;
	StayChunk  *next;

	for (StayChunk *chunk = stays->first; chunk != NULL; chunk = next)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < chunk->count; i++)
		{
			/* First the deal is fetched ahead, then its place. */
			if (i + 2 * BATCH < chunk->count)
				__builtin_prefetch(&deals[chunk->deals[i + 2 * BATCH]].u.end, 1);
			if (i + BATCH < chunk->count)
				__builtin_prefetch(&stays->stays[deals[chunk->deals[i + BATCH]].u.end], 1);
			stays->stays[deals[chunk->deals[i]].u.end++] = chunk->stays[i];
		}
		next = chunk->next;
		pfree(chunk);
	}
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

/* The present stay of a deal; false if it is not asked for. */
static inline bool
get_present(const DealStays *stays, const CohortDeal *deal, Stay *stay)
{
	const StaysAsked *asked = stays->asked;
	bool		counts = in_period(asked, deal->entered_at);

	if (deal->stage == ELSEWHERE)
		return false;
	stay->figure = deal->entered_at;
	stay->move_no = PG_INT32_MAX;
	stay->stage = deal->stage | (counts ? STAY_COUNTS : 0);
	stay->next = NEXT_NOWHERE;
	return !asked->times ||
		(counts && !pg_sub_s64_overflow(stays->now, deal->entered_at, &stay->figure));
}

/* Passes present stays on. */
static void
pass_present(DealStays *stays)
{
	Stay		stay;

	for (uint32 i = 0; i < stays->index->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (get_present(stays, &stays->deals[i], &stay))
			pass_on(stays, &stays->deals[i], &stay);
	}
}

static void
visit_deals(DealStays *stays, DealVisitor visit, void *arg)
{
	uint32		first = 0;

	for (uint32 n = 0; n < stays->index->count; n++)
	{
		const CohortDeal *deal = &stays->deals[n];
		Stay	   *of_deal = &stays->stays[first];
		uint32		count = deal->u.end - first;
		bool		in_order = true;

		CHECK_FOR_INTERRUPTS();
		first = deal->u.end + (deal->stage != ELSEWHERE);
		for (uint32 i = 1; i < count && in_order; i++)
			in_order = of_deal[i - 1].move_no < of_deal[i].move_no;
		if (!in_order)
			qsort(of_deal, count, sizeof(Stay), compare_stays);
		/* There is room for it. */
		if (deal->stage != ELSEWHERE && get_present(stays, deal, &of_deal[count]))
			count++;
		if (count > 0)
			visit(arg, deal->deal_status, of_deal, count);
	}
}

void
crm_end_stays(DealStays *stays, DealVisitor visit, void *arg)
{
	if (stays->index == NULL)
		return;
	take_batch(stays);
	if (stays->pass_on != NULL)
		pass_present(stays);
	else
	{
		make_room(stays);
		place_stays(stays);
		visit_deals(stays, visit, arg);
	}
}
