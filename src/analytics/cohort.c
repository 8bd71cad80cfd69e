/*
 * analytics/cohort.c
 *		crm_cohort(): the deals that count, and what is to be counted, gathered
 *		into one value for crm_stage_history().
 *
 * All arguments but those that speak of the deal are taken from the first row.
 * The value is built where it ends, as it may be large.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "analytics/stage_history.h"

/* The arguments of crm_cohort_add(); 0 is the state. */
#define ARG_DEAL			1
#define ARG_MOVE_NO			2
#define ARG_STAGE			3
#define ARG_STATUS			4
#define ARG_ENTERED_AT		5
#define ARG_STAGES			6
#define ARG_STAGE_STATUSES	7
#define ARG_UNDONE_DEALS	8
#define ARG_UNDONE_MOVES	9
#define ARG_FIGURES			10
#define ARG_PERIOD_FROM		11
#define ARG_PERIOD_BEFORE	12

#define FIRST_DEALS	64

static const char *const figures_names[] = {
	"visit", "first", "latest", "cumulative", "direct", "reached"
};

StaticAssertDecl(lengthof(figures_names) == FIGURES_COUNT, "a name for each of StageFigures");

typedef struct CohortState
{
	Cohort	   *cohort;			/* with room to grow */
	Size		used;
	Size		allocated;
	UuidTable  *by_stage;
	CohortStage *stages;
} CohortState;

/* The status that a text names; ERROR 22023. */
static uint16
status_from_text(Datum datum)
{
	const text *value = DatumGetTextPP(datum);
	const char *name = VARDATA_ANY(value);
	int			len = VARSIZE_ANY_EXHDR(value);

	if (len == 4 && memcmp(name, "open", 4) == 0)
		return COHORT_OPEN;
	if (len == 3 && memcmp(name, "won", 3) == 0)
		return COHORT_WON;
	if (len == 4 && memcmp(name, "lost", 4) == 0)
		return COHORT_LOST;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("status must be open, won or lost")));
	return 0;					/* not reached */
}

static StageFigures
get_figures(FunctionCallInfo fcinfo)
{
	char	   *name = PG_ARGISNULL(ARG_FIGURES) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(ARG_FIGURES));

	for (int i = 0; name != NULL && i < FIGURES_COUNT; i++)
	{
		if (strcmp(name, figures_names[i]) == 0)
			return (StageFigures) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("figures must be visit, first, latest, cumulative, direct or reached")));
	return FIGURES_VISIT;		/* not reached */
}

/* The elements of an array argument, none for NULL; ERROR for a NULL in it. */
static int
get_elements(FunctionCallInfo fcinfo, int arg, Oid type, Datum **elements)
{
	int			count = 0;
	int16		length;
	bool		byval;
	char		align;

	*elements = NULL;
	if (PG_ARGISNULL(arg))
		return 0;
	if (array_contains_nulls(PG_GETARG_ARRAYTYPE_P(arg)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));
	get_typlenbyvalalign(type, &length, &byval, &align);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), type, length, byval, align, elements, NULL, &count);
	return count;
}

static pg_noreturn void
too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("cohort has too many deals"),
			 errdetail("A cohort holds some 33 million deals."),
			 errhint("Choose deals, such as by when they were created.")));
}

/* Makes room for so many bytes more and returns where they go. */
static void *
extend(CohortState *state, Size size)
{
	void	   *place;

	if (state->used + size > state->allocated)
	{
		if (state->used + size > MaxAllocSize)
			too_large();
		state->allocated = Min(Max(state->allocated * 2, state->used + size), MaxAllocSize);
		state->cohort = repalloc(state->cohort, state->allocated);
	}
	place = (char *) state->cohort + state->used;
	state->used += size;
	return place;
}

/* The stages that are asked for, which deals are then told apart by. */
static void
add_stages(FunctionCallInfo fcinfo, CohortState *state, MemoryContext context)
{
	Datum	   *ids;
	Datum	   *statuses;
	int			count = get_elements(fcinfo, ARG_STAGES, UUIDOID, &ids);

	if (count != get_elements(fcinfo, ARG_STAGE_STATUSES, TEXTOID, &statuses))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stages and stage_statuses must be equally long")));
	if (count > COHORT_MAX_STAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many stages")));
	state->stages = MemoryContextAllocZero(context, Max(count, 1) * sizeof(CohortStage));
	state->by_stage = crm_uuid_table_create(state->stages, sizeof(CohortStage), count, context);
	for (int i = 0; i < count; i++)
	{
		state->stages[i].id = crm_uuid_key(DatumGetPointer(ids[i]));
		state->stages[i].status = status_from_text(statuses[i]);
		if (!crm_uuid_table_add(state->by_stage, i))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a stage is named twice")));
	}
	memcpy(extend(state, count * sizeof(CohortStage)), state->stages, count * sizeof(CohortStage));
	state->cohort->nstages = count;
}

/* The moves that count for nothing. */
static void
add_undone(FunctionCallInfo fcinfo, CohortState *state)
{
	Datum	   *deals;
	Datum	   *moves;
	int			count = get_elements(fcinfo, ARG_UNDONE_DEALS, UUIDOID, &deals);

	if (count != get_elements(fcinfo, ARG_UNDONE_MOVES, INT4OID, &moves))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("undone_deals and undone_moves must be equally long")));
	for (int i = 0; i < count; i++)
	{
		CohortMove *move = extend(state, sizeof(CohortMove));

		move->deal = crm_uuid_key(DatumGetPointer(deals[i]));
		move->move_no = DatumGetInt32(moves[i]);
	}
	state->cohort->nundone = count;
}

/* The state that the first row starts. */
static CohortState *
start(FunctionCallInfo fcinfo, MemoryContext context)
{
	CohortState *state = MemoryContextAllocZero(context, sizeof(CohortState));
	Cohort	   *cohort;

	state->allocated = sizeof(Cohort) + FIRST_DEALS * sizeof(CohortDeal);
	state->cohort = MemoryContextAllocZero(context, state->allocated);
	state->used = sizeof(Cohort);

	cohort = state->cohort;
	cohort->magic = COHORT_MAGIC;
	cohort->figures = get_figures(fcinfo);
	cohort->period_from = PG_ARGISNULL(ARG_PERIOD_FROM) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(ARG_PERIOD_FROM);
	cohort->period_before = PG_ARGISNULL(ARG_PERIOD_BEFORE) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(ARG_PERIOD_BEFORE);
	cohort->now = GetCurrentTransactionStartTimestamp();
	add_stages(fcinfo, state, context);
	add_undone(fcinfo, state);
	return state;
}

/*
 * crm_cohort_add(internal, deal_id uuid, move_no integer, stage_id uuid,
 *		status text, entered_at timestamptz, stages uuid[],
 *		stage_statuses text[], undone_deals uuid[], undone_moves integer[],
 *		figures text, period_from timestamptz, period_before timestamptz)
 *		Transition of crm_cohort().  A row without a deal is none.  Without a
 *		stage, or in one that is not asked for, the present stay counts not.
 */
PG_FUNCTION_INFO_V1(crm_cohort_add);
Datum
crm_cohort_add(PG_FUNCTION_ARGS)
{
	CohortState *state = PG_ARGISNULL(0) ? NULL : (CohortState *) PG_GETARG_POINTER(0);
	CohortDeal *deal;
	UuidKey		stage;

	if (unlikely(state == NULL))
	{
		MemoryContext context;
		MemoryContext caller;

		if (!AggCheckCallContext(fcinfo, &context))
			elog(ERROR, "crm_cohort_add called in non-aggregate context");
		caller = MemoryContextSwitchTo(context);
		state = start(fcinfo, context);
		MemoryContextSwitchTo(caller);
	}
	if (PG_ARGISNULL(ARG_DEAL))
		PG_RETURN_POINTER(state);
	if (PG_ARGISNULL(ARG_MOVE_NO) || PG_GETARG_INT32(ARG_MOVE_NO) < 0 || PG_ARGISNULL(ARG_STATUS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a deal of a cohort needs move_no, 0 or more, and status")));

	deal = extend(state, sizeof(CohortDeal));
	memset(deal, 0, sizeof(CohortDeal));
	deal->id = crm_uuid_key_arg(fcinfo, ARG_DEAL);
	deal->move_no = PG_GETARG_INT32(ARG_MOVE_NO);
	deal->status = status_from_text(PG_GETARG_DATUM(ARG_STATUS));
	if (!PG_ARGISNULL(ARG_STAGE) && !PG_ARGISNULL(ARG_ENTERED_AT))
	{
		uint32		number;

		stage = crm_uuid_key_arg(fcinfo, ARG_STAGE);
		number = crm_uuid_table_find(state->by_stage, stage, crm_uuid_hash(stage), true);
		if (number != UUID_NOT_FOUND)
			deal->stage = number + 1;
		deal->entered_at = PG_GETARG_TIMESTAMPTZ(ARG_ENTERED_AT);
	}
	state->cohort->ndeals++;
	PG_RETURN_POINTER(state);
}

/* crm_cohort_final(internal) -> bytea: NULL over no rows. */
PG_FUNCTION_INFO_V1(crm_cohort_final);
Datum
crm_cohort_final(PG_FUNCTION_ARGS)
{
	CohortState *state;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "crm_cohort_final called in non-aggregate context");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (CohortState *) PG_GETARG_POINTER(0);
	SET_VARSIZE(state->cohort, state->used);
	PG_RETURN_POINTER(state->cohort);
}
