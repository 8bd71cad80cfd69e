/*
 * analytics/deal_visits.c
 *		The visits of the deals of cohorts.
 *
 * Kept visits are put in order of their deals by a counting sort: the visits of each
 * deal are counted as they come, which gives each visit its place.  The moves of one
 * deal nearly always come in order, so that sorting them is rare.
 *
 * With millions of deals each lookup is a cache miss, so moves are handled in
 * batches, and the memory that they need is prefetched.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "analytics/deal_index.h"
#include "analytics/deal_visits.h"
#include "analytics/move_list.h"
#include "analytics/visit_log.h"
#include "base/large_memory.h"
#include "base/uuid.h"

#define BATCH		64			/* moves */
#define CHUNK		16384		/* visits */

/* A deal of the cohort. */
typedef struct CohortDeal
{
	TimestampTz entered_at;		/* the present visit */
	union
	{
		uint32		seen;		/* stages of visits that were passed on */
		uint32		end;		/* of the visits kept; at first their number */
	}			u;
	uint16		stage;			/* of the present visit, or ELSEWHERE */
	uint8		deal_status:2;	/* DealStatus */
	uint8		has_uncounted:1;	/* moves that do not count */
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

/* Visits as they came, and the numbers of their deals. */
typedef struct VisitChunk
{
	struct VisitChunk *next;
	uint32		count;
	uint32		deals[CHUNK];
	Visit		visits[CHUNK];
} VisitChunk;

struct DealVisits
{
	MemoryContext context;		/* for what is kept */
	const VisitsAsked *asked;
	TimestampTz now;
	HashSeed	seed;			/* of stages */
	DealIndex  *index;			/* NULL: no cohort */
	CohortDeal *deals;			/* by number, cohort by cohort */
	int128	   *amounts;		/* by number, if they are asked for */
	int			ncohorts;
	uint32	   *cohort_ends;	/* numbers of deals */
	stages_hash *stages;
	VisitReceiver pass_on;		/* NULL: visits are kept */
	void	   *pass_on_arg;
	MoveList	taken_back;		/* by another one */
	MoveList	of_past;		/* the last ones of earlier lives */
	int			nmoves;			/* in moves, and their hashes */
	VisitMove	moves[BATCH];
	uint32		hashes[BATCH];
	VisitChunk *first;			/* of those kept */
	VisitChunk *last;
	Visit	   *visits;			/* those kept, in their places */
};

static void *
allocate(const DealVisits *visits, uint64 count, Size size)
{
	return crm_alloc_large(visits->context, Max(count, 1) * size);
}

/* ---- the deals and the stages ---- */

/* ERROR if a stage is asked for twice. */
static void
number_stages(DealVisits *visits)
{
	bool		found;

	visits->stages = stages_create(CurrentMemoryContext, visits->asked->nstages, &visits->seed);
	for (int i = 0; i < visits->asked->nstages; i++)
	{
		UuidKey		id = crm_uuid_key(DatumGetPointer(visits->asked->stages[i]));

		stages_insert(visits->stages, id, &found)->number = i;
		if (found)
			crm_refuse_stages();
	}
}

const VisitsAsked *
crm_asked(const DealVisits *visits)
{
	return visits->asked;
}

uint16
crm_stage_number(const DealVisits *visits, UuidKey stage)
{
	const StageEntry *entry = stages_lookup(visits->stages, stage);

	return entry == NULL ? ELSEWHERE : entry->number;
}

uint16 *
crm_log_stage_numbers(const DealVisits *visits, const VisitLogReader *reader)
{
	uint16	   *numbers = palloc(((Size) reader->nstages + 1) * sizeof(uint16));

	numbers[0] = ELSEWHERE;
	for (uint32 i = 1; i <= reader->nstages; i++)
		numbers[i] = crm_stage_number(visits, crm_visit_log_stage(reader, i));
	return numbers;
}

/* Adds a deal of the cohort, with its present visit if that may count. */
static void
add_deal(DealVisits *visits, const VisitRecord *record, const uint16 *stage_of, uint32 hash)
{
	bool		found;
	uint32		number = crm_deal_number(visits->index, record->deal, hash, &found);
	CohortDeal *deal = &visits->deals[number];

	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("deal %s is twice in the cohort", crm_uuid_text((const pg_uuid_t *) &record->deal)),
				 errhint("A cohort has one row for each deal.")));
	deal->deal_status = record->status;
	deal->has_uncounted = false;
	deal->stage = record->has_entered_at ? stage_of[record->stage] : ELSEWHERE;
	deal->entered_at = record->entered_at;
	deal->u.seen = 0;
	if (visits->amounts != NULL)
		visits->amounts[number] = record->amount;
}

static void
read_cohort(DealVisits *visits, VisitLogReader *reader)
{
	VisitRecord records[BATCH];
	uint32		hashes[BATCH];
	uint16	   *stage_of = crm_log_stage_numbers(visits, reader);
	int			count;

	do
	{
		for (count = 0; count < BATCH && crm_visit_log_next(reader, &records[count]); count++)
		{
			hashes[count] = crm_deal_hash(visits->index, records[count].deal);
			crm_deal_prefetch(visits->index, hashes[count]);
		}
		for (int i = 0; i < count; i++)
			add_deal(visits, &records[i], stage_of, hashes[i]);
	} while (count > 0);
	pfree(stage_of);
}

static void
read_cohorts(DealVisits *visits, const Datum *cohorts, int ncohorts)
{
	VisitLogReader *readers = palloc(Max(ncohorts, 1) * sizeof(VisitLogReader));
	uint64		ndeals = 0;

	for (int i = 0; i < ncohorts; i++)
	{
		crm_visit_log_read(&readers[i], cohorts[i], VISIT_LOG_DEALS);
		ndeals += readers[i].nrecords;
	}
	visits->index = crm_deal_index_create(ndeals);
	visits->deals = allocate(visits, ndeals, sizeof(CohortDeal));
	if (visits->asked->amounts)
		visits->amounts = allocate(visits, ndeals, sizeof(int128));
	visits->ncohorts = ncohorts;
	visits->cohort_ends = palloc(Max(ncohorts, 1) * sizeof(uint32));
	for (int i = 0; i < ncohorts; i++)
	{
		read_cohort(visits, &readers[i]);
		visits->cohort_ends[i] = visits->index->count;
	}
	pfree(readers);
}

DealVisits *
crm_begin_visits(FunctionCallInfo fcinfo, int cohorts_arg, const VisitsAsked *asked,
				 VisitReceiver pass_on, void *arg)
{
	DealVisits *visits = palloc0(sizeof(DealVisits));

	Assert(pass_on == NULL || asked->nstages <= MAX_STAGES_PASSED_ON);
	visits->context = visits->taken_back.context = visits->of_past.context = CurrentMemoryContext;
	visits->asked = asked;
	visits->pass_on = pass_on;
	visits->pass_on_arg = arg;
	visits->now = GetCurrentTransactionStartTimestamp();
	visits->seed = crm_new_hash_seed();
	number_stages(visits);
	if (!PG_ARGISNULL(cohorts_arg))
	{
		int			ncohorts;
		Datum	   *cohorts = crm_get_cohorts(fcinfo, cohorts_arg, &ncohorts);

		read_cohorts(visits, cohorts, ncohorts);
	}
	return visits;
}

int
crm_cohort_count(const DealVisits *visits)
{
	return visits->ncohorts;
}

/* ---- moves that do not count ---- */

static void
add_uncounted(DealVisits *visits, MoveList *list, UuidKey deal, int32 move_no)
{
	uint32		number = NOT_A_DEAL;

	if (visits->index != NULL)
		number = crm_deal_find(visits->index, deal, crm_deal_hash(visits->index, deal));
	if (number == NOT_A_DEAL)
		return;
	visits->deals[number].has_uncounted = true;
	crm_move_list_add(list, number, move_no);
}

void
crm_add_past(DealVisits *visits, UuidKey deal, int32 move_no)
{
	add_uncounted(visits, &visits->of_past, deal, move_no);
}

void
crm_add_taken_back(DealVisits *visits, UuidKey deal, int32 move_no)
{
	add_uncounted(visits, &visits->taken_back, deal, move_no);
}

static bool
is_uncounted(const DealVisits *visits, uint32 deal, int32 move_no)
{
	const DealMove *taken_back = crm_move_list_find(&visits->taken_back, deal, move_no);

	return (taken_back != NULL && taken_back->move_no == move_no) ||
		crm_move_list_find(&visits->of_past, deal, move_no) != NULL;
}

void
crm_add_moves(DealVisits *visits)
{
	crm_move_list_sort(&visits->taken_back);
	crm_move_list_sort(&visits->of_past);
}

/* ---- visits ---- */

static inline bool
in_period(const VisitsAsked *asked, TimestampTz entered_at)
{
	return entered_at >= asked->period_from && entered_at < asked->period_before;
}

/* The visit that a move ended; false if it is not asked for. */
static inline bool
get_visit(const DealVisits *visits, const VisitMove *move, Visit *visit)
{
	const VisitsAsked *asked = visits->asked;
	TimestampTz entered_at = move->has_entered_at ? move->entered_at : DT_NOBEGIN;
	bool		counts = in_period(asked, entered_at);

	if (move->stage == ELSEWHERE || (asked->times && !(counts && move->has_duration)))
		return false;
	visit->figure = asked->times ? move->duration : entered_at;
	visit->move_no = move->move_no;
	visit->stage = move->stage | (counts ? VISIT_COUNTS : 0);
	visit->next = asked->next ? Min(move->next, NEXT_NOWHERE) : NEXT_NOWHERE;
	return true;
}

static inline void
pass_on(const DealVisits *visits, CohortDeal *deal, const Visit *visit)
{
	uint32		stage = 1U << VISIT_STAGE(visit);

	if ((visit->stage & VISIT_COUNTS) == 0)
		return;
	visits->pass_on(visits->pass_on_arg, deal->deal_status, visit, (deal->u.seen & stage) == 0);
	deal->u.seen |= stage;
}

static inline void
keep(DealVisits *visits, uint32 deal, const Visit *visit)
{
	VisitChunk *chunk = visits->last;

	if (chunk == NULL || chunk->count == CHUNK)
	{
		CHECK_FOR_INTERRUPTS();
		chunk = allocate(visits, 1, sizeof(VisitChunk));
		chunk->next = NULL;
		chunk->count = 0;
		if (visits->first == NULL)
			visits->first = chunk;
		else
			visits->last->next = chunk;
		visits->last = chunk;
	}
	chunk->deals[chunk->count] = deal;
	chunk->visits[chunk->count++] = *visit;
	visits->deals[deal].u.end++;
}

static void
take_batch(DealVisits *visits)
{
	for (int i = 0; i < visits->nmoves; i++)
	{
		uint32		number = crm_deal_guess(visits->index, visits->hashes[i]);

		if (number != NOT_A_DEAL)
			__builtin_prefetch(&visits->deals[number], 1);
	}
	for (int i = 0; i < visits->nmoves; i++)
	{
		const VisitMove *move = &visits->moves[i];
		uint32		deal = crm_deal_find(visits->index, move->deal, visits->hashes[i]);
		Visit		visit;

		if (deal == NOT_A_DEAL || !get_visit(visits, move, &visit) ||
			(unlikely(visits->deals[deal].has_uncounted) &&
			 is_uncounted(visits, deal, move->move_no)))
			continue;
		if (visits->pass_on != NULL)
			pass_on(visits, &visits->deals[deal], &visit);
		else
			keep(visits, deal, &visit);
	}
	visits->nmoves = 0;
}

VisitMove *
crm_new_move(DealVisits *visits)
{
	return &visits->moves[visits->nmoves];
}

void
crm_add_move(DealVisits *visits)
{
	int			n = visits->nmoves;

	if (visits->index == NULL)
		return;
	visits->hashes[n] = crm_deal_hash(visits->index, visits->moves[n].deal);
	crm_deal_prefetch(visits->index, visits->hashes[n]);
	if (++visits->nmoves == BATCH)
		take_batch(visits);
}

/* ---- the visits that were kept, in their order ---- */

/* Turns the numbers of visits into the places of the first ones. */
static void
make_room(DealVisits *visits)
{
	uint64		place = 0;

	for (uint32 i = 0; i < visits->index->count; i++)
	{
		CohortDeal *deal = &visits->deals[i];
		uint32		count = deal->u.end;

		deal->u.end = (uint32) place;
		place += (uint64) count + (deal->stage != ELSEWHERE);
	}
	if (place > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many moves"),
				 errhint("Choose fewer deals, such as by a period.")));
	visits->visits = allocate(visits, place, sizeof(Visit));
}

/* Puts the visits into their places, which end then where the present visit goes. */
static void
place_visits(DealVisits *visits)
{
	CohortDeal *deals = visits->deals;
	VisitChunk *next;

	for (VisitChunk *chunk = visits->first; chunk != NULL; chunk = next)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < chunk->count; i++)
		{
			/* First the deal is fetched ahead, then its place. */
			if (i + 2 * BATCH < chunk->count)
				__builtin_prefetch(&deals[chunk->deals[i + 2 * BATCH]].u.end, 1);
			if (i + BATCH < chunk->count)
				__builtin_prefetch(&visits->visits[deals[chunk->deals[i + BATCH]].u.end], 1);
			visits->visits[deals[chunk->deals[i]].u.end++] = chunk->visits[i];
		}
		next = chunk->next;
		crm_free_large(chunk);
	}
}

static int
compare_visits(const void *a, const void *b)
{
	const Visit *x = a;
	const Visit *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->move_no != y->move_no)
		return x->move_no < y->move_no ? -1 : 1;
	if (x->figure != y->figure)
		return x->figure < y->figure ? -1 : 1;
	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	return x->next < y->next ? -1 : x->next > y->next;
}

/* The present visit of a deal; false if it is not asked for. */
static inline bool
get_present(const DealVisits *visits, const CohortDeal *deal, Visit *visit)
{
	const VisitsAsked *asked = visits->asked;
	bool		counts = in_period(asked, deal->entered_at);

	if (deal->stage == ELSEWHERE)
		return false;
	visit->figure = deal->entered_at;
	visit->move_no = PG_INT32_MAX;
	visit->stage = deal->stage | (counts ? VISIT_COUNTS : 0);
	visit->next = NEXT_NOWHERE;
	return !asked->times ||
		(counts && !pg_sub_s64_overflow(visits->now, deal->entered_at, &visit->figure));
}

/* Passes present visits on. */
static void
pass_present(DealVisits *visits)
{
	Visit		visit;

	for (uint32 i = 0; i < visits->index->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (get_present(visits, &visits->deals[i], &visit))
			pass_on(visits, &visits->deals[i], &visit);
	}
}

void
crm_end_visits(DealVisits *visits)
{
	if (visits->index == NULL)
		return;
	take_batch(visits);
	if (visits->pass_on != NULL)
		pass_present(visits);
	else
	{
		make_room(visits);
		place_visits(visits);
	}
}

/* Passes the visits of a deal, which begin at first. */
static void
pass_deal(DealVisits *visits, uint32 number, uint32 first, DealReceiver receive, void *arg)
{
	const CohortDeal *deal = &visits->deals[number];
	Visit	   *of_deal = &visits->visits[first];
	uint32		count = deal->u.end - first;
	bool		in_order = true;
	DealNow		now = {.status = deal->deal_status};

	for (uint32 i = 1; i < count && in_order; i++)
		in_order = of_deal[i - 1].move_no < of_deal[i].move_no;
	if (!in_order)
		qsort(of_deal, count, sizeof(Visit), compare_visits);
	/* There is room for it. */
	if (deal->stage != ELSEWHERE && get_present(visits, deal, &of_deal[count]))
		count++;
	if (visits->amounts != NULL)
		now.amount = visits->amounts[number];
	if (count > 0)
		receive(arg, &now, of_deal, count);
}

/* Where the visits end, with the present one. */
static inline uint32
end_of_deal(const DealVisits *visits, uint32 number)
{
	return visits->deals[number].u.end + (visits->deals[number].stage != ELSEWHERE);
}

void
crm_pass_cohort(DealVisits *visits, int cohort, DealReceiver receive, void *arg)
{
	uint32		number;
	uint32		first;

	if (cohort < 0 || cohort >= visits->ncohorts)
		return;
	number = cohort == 0 ? 0 : visits->cohort_ends[cohort - 1];
	first = number == 0 ? 0 : end_of_deal(visits, number - 1);
	for (; number < visits->cohort_ends[cohort]; number++)
	{
		CHECK_FOR_INTERRUPTS();
		pass_deal(visits, number, first, receive, arg);
		first = end_of_deal(visits, number);
	}
}

void
crm_put_visit_row(ReturnSetInfo *rows, int ncolumns, Datum *values, bool *nulls)
{
	int			skip = ncolumns - rows->setDesc->natts;

	tuplestore_putvalues(rows->setResult, rows->setDesc, values + skip, nulls + skip);
}
