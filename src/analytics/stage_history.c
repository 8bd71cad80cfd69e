/*
 * analytics/stage_history.c
 *		crm_stage_history(): takes in the stays of a cohort's deals.
 *
 * Every stay has its place in visits[], so it does not matter in which order
 * they come.  With millions of deals each lookup waits for memory three times:
 * for the table, the deal and the stay.  So rows wait in a batch, and what they
 * need is fetched ahead for all of it.
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "analytics/stage_history.h"

/* The arguments of crm_stage_history_add(); 0 is the state. */
#define ARG_COHORT		1
#define ARG_DEAL		2
#define ARG_VISIT_NO	3
#define ARG_STAGE		4
#define ARG_NEXT		5
#define ARG_ENTERED_AT	6
#define ARG_EXITED_AT	7

#define NOT_MEASURED	PG_INT64_MAX

static pg_noreturn void
bad_cohort(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("value is not a cohort"),
			 errhint("A cohort is the result of crm_cohort(), of the same server and version.")));
}

static void
refuse_visit(UuidKey deal, int32 visit_no, const char *what)
{
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, PointerGetDatum(&deal)));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("stay %d of deal %s %s", visit_no, id, what),
			 errhint("The stays of a deal are numbered from 1 to its move_no + 1.")));
}

/* Counts a stay of so many microseconds. */
static inline void
count_stay(StageTally *tally, int64 duration)
{
	tally->longest = tally->visits == 0 ? duration : Max(tally->longest, duration);
	tally->visits++;
	tally->total += duration;
}

/* Adds up what was counted in two places. */
void
crm_add_tally(StageTally *to, const StageTally *from)
{
	if (from->visits == 0)
		return;
	to->longest = to->visits == 0 ? from->longest : Max(to->longest, from->longest);
	to->visits += from->visits;
	to->total += from->total;
}

/* From one time to another; NOT_MEASURED if either is not known. */
static inline int64
duration_between(TimestampTz from, TimestampTz to)
{
	int64		duration;

	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(to))
		return NOT_MEASURED;
	if (unlikely(pg_sub_s64_overflow(to, from, &duration)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));
	return duration;
}

/* The stays that a bytea says to hold, if it is a cohort at all. */
static uint64
check_cohort(const Cohort *cohort, const char *data, Size size)
{
	uint64		nvisits = 0;
	CohortDeal	deal;
	CohortStage stage;

	if (size < sizeof(Cohort) || cohort->magic != COHORT_MAGIC ||
		cohort->figures >= FIGURES_COUNT || cohort->nstages > COHORT_MAX_STAGES ||
		cohort->ndeals == PG_UINT32_MAX ||
		size - sizeof(Cohort) != cohort->nstages * sizeof(CohortStage) +
		(uint64) cohort->nundone * sizeof(CohortMove) + (uint64) cohort->ndeals * sizeof(CohortDeal))
		bad_cohort();
	for (uint32 i = 0; i < cohort->nstages; i++)
	{
		memcpy(&stage, data + i * sizeof(CohortStage), sizeof(CohortStage));
		if (stage.status >= COHORT_STATUSES)
			bad_cohort();
	}
	data += cohort->nstages * sizeof(CohortStage) + (Size) cohort->nundone * sizeof(CohortMove);
	for (uint32 i = 0; i < cohort->ndeals; i++)
	{
		memcpy(&deal, data + i * sizeof(CohortDeal), sizeof(CohortDeal));
		if (deal.move_no < 0 || deal.stage > cohort->nstages || deal.status >= COHORT_STATUSES)
			bad_cohort();
		nvisits += (uint64) deal.move_no + 1;
	}
	if (nvisits > MaxAllocSize / sizeof(VisitCode))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the deals of the cohort have made too many moves")));
	return nvisits;
}

static void *
allocate(MemoryContext context, uint64 count, Size size)
{
	return MemoryContextAllocExtended(context, Max(count, 1) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* Puts the present stay of a deal into its place, the last one. */
static void
add_present(StageHistory *history, const CohortDeal *deal, uint32 place, TimestampTz now)
{
	HistoryShape *shape = &history->shape;
	bool		counts = crm_in_period(deal->entered_at, shape->period_from, shape->period_before);
	int64		duration;

	if (deal->stage == 0)
		return;
	if (FIGURES_ARE_TIMES(shape->figures))
	{
		duration = duration_between(deal->entered_at, now);
		counts &= duration != NOT_MEASURED;
		if (FIGURES_BY_DEAL(shape->figures))
			history->durations[place] = duration;
		else if (counts)
			count_stay(&history->present[deal->stage - 1], duration);
	}
	history->visits[place] = deal->stage | (counts ? VISIT_COUNTS : 0);
}

/* Takes the deals over from a cohort; ERROR if one is there twice. */
static void
add_deals(StageHistory *history, const char *deals, TimestampTz now, MemoryContext context)
{
	uint32		ndeals = history->shape.ndeals;
	uint32		place = 0;
	CohortDeal	deal;

	for (uint32 i = 0; i < ndeals; i++)
	{
		memcpy(&deal, deals + i * sizeof(CohortDeal), sizeof(CohortDeal));
		history->deals[i].id = deal.id;
		history->deals[i].first = place;
		history->deals[i].status = deal.status;
		place += (uint32) deal.move_no + 1;
		add_present(history, &deal, place - 1, now);
	}
	history->deals[ndeals].first = place;

	history->by_deal = crm_uuid_table_create(history->deals, sizeof(HistoryDeal), ndeals, context);
	if (!crm_uuid_table_fill(history->by_deal, ndeals))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a deal is twice in the cohort")));
}

/* Takes the places of moves that count for nothing. */
static void
add_undone(StageHistory *history, const char *moves, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		CohortMove	move;
		uint32		number;
		HistoryDeal *deal;

		memcpy(&move, moves + i * sizeof(CohortMove), sizeof(CohortMove));
		number = crm_uuid_table_find(history->by_deal, move.deal, crm_uuid_hash(move.deal), true);
		if (number == UUID_NOT_FOUND)
			continue;
		deal = &history->deals[number];
		if (move.move_no >= 1 && move.move_no < deal[1].first - deal->first)
			history->visits[deal->first + move.move_no - 1] = VISIT_UNDONE;
	}
}

/* A history of no stays but the present ones, in a context. */
StageHistory *
crm_history_from_cohort(Datum datum, MemoryContext context)
{
	struct varlena *value = PG_DETOAST_DATUM(datum);
	StageHistory *history = MemoryContextAllocZero(context, sizeof(StageHistory));
	HistoryShape *shape = &history->shape;
	Cohort		cohort = {0};
	const char *data = (const char *) value + sizeof(Cohort);
	const char *undone;

	memcpy(&cohort, value, Min(VARSIZE(value), sizeof(Cohort)));
	shape->nvisits = check_cohort(&cohort, data, VARSIZE(value));
	shape->figures = cohort.figures;
	shape->nstages = cohort.nstages;
	shape->ndeals = cohort.ndeals;
	shape->period_from = cohort.period_from;
	shape->period_before = cohort.period_before;

	history->stages = allocate(context, shape->nstages, sizeof(CohortStage));
	memcpy(history->stages, data, shape->nstages * sizeof(CohortStage));
	undone = data + shape->nstages * sizeof(CohortStage);
	history->by_stage = crm_uuid_table_create(history->stages, sizeof(CohortStage), shape->nstages, context);
	crm_uuid_table_fill(history->by_stage, shape->nstages);

	history->deals = allocate(context, (uint64) shape->ndeals + 1, sizeof(HistoryDeal));
	history->visits = allocate(context, shape->nvisits, sizeof(VisitCode));
	if (shape->figures == FIGURES_DIRECT)
		history->next = allocate(context, shape->nvisits, sizeof(VisitCode));
	if (FIGURES_BY_DEAL(shape->figures))
		history->durations = allocate(context, shape->nvisits, sizeof(int64));
	history->tallies = allocate(context, shape->nstages, sizeof(StageTally));
	history->present = allocate(context, shape->nstages, sizeof(StageTally));
	add_deals(history, undone + (Size) cohort.nundone * sizeof(CohortMove), cohort.now, context);
	add_undone(history, undone, cohort.nundone);
	return history;
}

/* Puts a stay into its place, which must be free. */
static inline void
add_row(StageHistory *history, const HistoryRow *row)
{
	StageFigures figures = history->shape.figures;

	if (unlikely(history->visits[row->place] != 0))
	{
		if (history->visits[row->place] == VISIT_UNDONE)
			return;
		refuse_visit(row->deal, row->visit_no, "is there twice");
	}
	history->visits[row->place] = row->code;
	if (figures == FIGURES_DIRECT)
		history->next[row->place] = row->next;
	else if (figures == FIGURES_VISIT)
	{
		if (row->code & VISIT_COUNTS)
			count_stay(&history->tallies[VISIT_STAGE(row->code) - 1], row->duration);
	}
	else if (FIGURES_BY_DEAL(figures))
		history->durations[row->place] = row->duration;
}

/* Puts the stays that wait into their places; those of other deals go. */
void
crm_history_add_rows(StageHistory *history)
{
	UuidTable  *table = history->by_deal;
	int			count = history->nrows;
	int			found = 0;

	history->nrows = 0;
	for (int i = 0; i < count; i++)
	{
		HistoryRow *row = &history->rows[i];

		row->place = crm_uuid_table_find(table, row->deal, row->hash, false);
		if (row->place != UUID_NOT_FOUND)
			__builtin_prefetch(&history->deals[row->place]);
	}
	for (int i = 0; i < count; i++)
	{
		HistoryRow *row = &history->rows[i];
		HistoryDeal *deal;

		if (row->place == UUID_NOT_FOUND)
			continue;
		if (unlikely(!crm_uuid_keys_equal(history->deals[row->place].id, row->deal)))
			row->place = crm_uuid_table_find(table, row->deal, row->hash, true);
		if (row->place == UUID_NOT_FOUND)
			continue;
		deal = &history->deals[row->place];
		if (row->visit_no < 1 || (uint32) row->visit_no > deal[1].first - deal->first)
			refuse_visit(row->deal, row->visit_no, "is not one of its stays");
		row->place = deal->first + row->visit_no - 1;
		__builtin_prefetch(&history->visits[row->place], 1);
		if (found < i)
			history->rows[found] = *row;
		found++;
	}
	for (int i = 0; i < found; i++)
		add_row(history, &history->rows[i]);
}

/* The number of a stage that was asked for, from 1, else VISIT_ELSEWHERE. */
static inline VisitCode
stage_code(const StageHistory *history, FunctionCallInfo fcinfo, int arg)
{
	UuidKey		id;
	uint32		number;

	if (PG_ARGISNULL(arg))
		return VISIT_ELSEWHERE;
	id = crm_uuid_key_arg(fcinfo, arg);
	number = crm_uuid_table_find(history->by_stage, id, crm_uuid_hash(id), true);
	return number == UUID_NOT_FOUND ? VISIT_ELSEWHERE : number + 1;
}

/* Lets the stay of a row wait, if it is one that counts. */
static inline void
take_row(StageHistory *history, FunctionCallInfo fcinfo)
{
	HistoryShape *shape = &history->shape;
	HistoryRow *row = &history->rows[history->nrows];
	TimestampTz entered_at = PG_ARGISNULL(ARG_ENTERED_AT) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(ARG_ENTERED_AT);
	bool		counts = crm_in_period(entered_at, shape->period_from, shape->period_before);

	if (PG_ARGISNULL(ARG_DEAL) || PG_ARGISNULL(ARG_VISIT_NO))
		return;
	row->code = stage_code(history, fcinfo, ARG_STAGE);
	if (row->code == VISIT_ELSEWHERE)
		return;
	if (FIGURES_ARE_TIMES(shape->figures))
	{
		row->duration = duration_between(entered_at, PG_ARGISNULL(ARG_EXITED_AT) ? DT_NOEND :
										 PG_GETARG_TIMESTAMPTZ(ARG_EXITED_AT));
		counts &= row->duration != NOT_MEASURED;
	}
	else if (shape->figures == FIGURES_DIRECT)
		row->next = stage_code(history, fcinfo, ARG_NEXT);
	if (counts)
		row->code |= VISIT_COUNTS;
	row->visit_no = PG_GETARG_INT32(ARG_VISIT_NO);
	row->deal = crm_uuid_key_arg(fcinfo, ARG_DEAL);
	row->hash = crm_uuid_hash(row->deal);
	__builtin_prefetch(crm_uuid_table_slot(history->by_deal, row->hash));
	if (++history->nrows == HISTORY_BATCH)
		crm_history_add_rows(history);
}

/*
 * crm_stage_history_add(internal, cohort bytea, deal_id uuid, visit_no integer,
 *		stage_id uuid, next_stage_id uuid, entered_at timestamptz, exited_at timestamptz)
 *		Transition of crm_stage_history().  The cohort is taken from the first
 *		row; without one nothing counts.
 */
PG_FUNCTION_INFO_V1(crm_stage_history_add);
Datum
crm_stage_history_add(PG_FUNCTION_ARGS)
{
	StageHistory *history = PG_ARGISNULL(0) ? NULL : (StageHistory *) PG_GETARG_POINTER(0);

	if (unlikely(history == NULL))
	{
		MemoryContext context;

		if (!AggCheckCallContext(fcinfo, &context))
			elog(ERROR, "crm_stage_history_add called in non-aggregate context");
		if (PG_ARGISNULL(ARG_COHORT))
			PG_RETURN_NULL();
		history = crm_history_from_cohort(PG_GETARG_DATUM(ARG_COHORT), context);
	}
	take_row(history, fcinfo);
	PG_RETURN_POINTER(history);
}

/* crm_stage_history_final(internal) -> jsonb: NULL without a cohort. */
PG_FUNCTION_INFO_V1(crm_stage_history_final);
Datum
crm_stage_history_final(PG_FUNCTION_ARGS)
{
	StageHistory *history;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "crm_stage_history_final called in non-aggregate context");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	history = (StageHistory *) PG_GETARG_POINTER(0);
	crm_history_add_rows(history);
	return crm_history_result(history);
}
