/*
 * analytics/stage_steps.c
 *		crm_stage_steps(): how many deals went from stage to stage.
 *
 * A deal counts once for each stage where it stood and for each step.  A step is
 * from a visit that counts to a stage that is reached by it: the next one, or any
 * one later.  Sets of stages are bitmaps.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "analytics/deal_visits.h"
#include "base/argument_errors.h"
#include "base/compat.h"
#include "base/money.h"

/* The arguments of both functions, behind those that tell where the moves are. */
#define ARG_COHORT			0
#define ARG_STAGES			1
#define ARG_STATUSES		2
#define ARG_RULE			3
#define ARG_PERIOD_FROM		4
#define ARG_PERIOD_BEFORE	5

typedef uint64 StageWord;

#define WORD_BITS	64

/* The deals that stood in a stage. */
typedef struct StageDeals
{
	int64		by_status[3];	/* by DealStatus, as they are now */
	int128		values[3];		/* the same of their amounts */
	uint64		seen;			/* number of the last deal seen here, from 1 */
} StageDeals;

/* The deals that came from a stage to another one. */
typedef struct StepDeals
{
	int64		deals;
	int128		value;
} StepDeals;

typedef struct Steps
{
	bool		direct;			/* only the next stage is reached */
	int			nstages;
	DealStatus *statuses;		/* of the stages */
	int			ntargets;		/* the stages, and any won one */
	int			nwords;			/* in a set of targets */
	StageWord  *targets;		/* by stage: what a visit there reaches */
	StageWord  *reached;		/* by stage: by the deal at hand, from there */
	StageWord  *later;			/* by the deal at hand, from here on */
	StageDeals *deals;			/* by stage */
	StepDeals  *steps;			/* by stage and target */
	bool	   *touched;		/* by stage: there were deals of the cohort */
	uint16	   *seen;			/* the stages of the deal at hand */
	int			nseen;
	uint64		ndeals;			/* seen so far */
} Steps;

static void
get_statuses(FunctionCallInfo fcinfo, int arg, Steps *steps)
{
	Datum	   *texts = NULL;
	bool	   *nulls = NULL;
	int			count = 0;

	if (!PG_ARGISNULL(arg))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT,
						  &texts, &nulls, &count);
	if (count != steps->nstages)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stages and stage_statuses must be equally long"),
				 errhint("Give a status for each of the stages.")));
	steps->statuses = palloc(Max(count, 1) * sizeof(DealStatus));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i] || !crm_parse_deal_status(texts[i], &steps->statuses[i]))
			crm_refuse_value("a status", nulls[i] ? NULL : TextDatumGetCString(texts[i]),
							 _("It is open, won or lost."));
	}
}

static bool
is_direct(FunctionCallInfo fcinfo, int arg)
{
	char	   *rule = PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));

	if (rule != NULL && strcmp(rule, "direct") == 0)
		return true;
	if (rule == NULL || strcmp(rule, "reached") != 0)
		crm_refuse_value("rule", rule, _("It is direct or reached."));
	return false;
}

static inline void
add_target(StageWord *set, int target)
{
	set[target / WORD_BITS] |= UINT64CONST(1) << (target % WORD_BITS);
}

/*
 * What a visit in each stage reaches: the stage; if it is won, any won one; and,
 * unless only the next stage is reached, the open stages before it.
 */
static void
find_targets(Steps *steps)
{
	for (int i = 0; i < steps->nstages; i++)
	{
		StageWord  *set = &steps->targets[i * steps->nwords];
		DealStatus	status = steps->statuses[i];

		add_target(set, i);
		if (status == DEAL_WON)
			add_target(set, steps->nstages);
		for (int j = 0; !steps->direct && status != DEAL_LOST && j < steps->nstages; j++)
		{
			if (steps->statuses[j] == DEAL_OPEN && (status == DEAL_WON || j < i))
				add_target(set, j);
		}
	}
}

static void
prepare(FunctionCallInfo fcinfo, int first, Steps *steps, const VisitsAsked *asked)
{
	int			nstages = Max(asked->nstages, 1);

	steps->nstages = asked->nstages;
	steps->direct = is_direct(fcinfo, first + ARG_RULE);
	steps->ntargets = asked->nstages + 1;
	steps->nwords = (steps->ntargets + WORD_BITS - 1) / WORD_BITS;
	steps->targets = palloc0(nstages * steps->nwords * sizeof(StageWord));
	steps->reached = palloc0(nstages * steps->nwords * sizeof(StageWord));
	steps->later = palloc0(steps->nwords * sizeof(StageWord));
	steps->deals = palloc0(nstages * sizeof(StageDeals));
	steps->steps = palloc0((Size) nstages * steps->ntargets * sizeof(StepDeals));
	steps->touched = palloc0(nstages * sizeof(bool));
	steps->seen = palloc(nstages * sizeof(uint16));
	get_statuses(fcinfo, first + ARG_STATUSES, steps);
	find_targets(steps);
}

static inline void
add_set(StageWord *to, const StageWord *from, int nwords)
{
	for (int i = 0; i < nwords; i++)
		to[i] |= from[i];
}

/* Counts a deal in a stage unless it was seen there, and clears the stages reached from there. */
static inline void
see(Steps *steps, uint16 stage, const DealNow *now)
{
	StageDeals *deals = &steps->deals[stage];

	if (deals->seen == steps->ndeals)
		return;
	deals->seen = steps->ndeals;
	deals->by_status[now->status]++;
	deals->values[now->status] += now->amount;
	steps->touched[stage] = true;
	memset(&steps->reached[stage * steps->nwords], 0, steps->nwords * sizeof(StageWord));
	steps->seen[steps->nseen++] = stage;
}

/* Counts the steps of the deal at hand. */
static void
count_steps(Steps *steps, int128 amount)
{
	for (int i = 0; i < steps->nseen; i++)
	{
		const StageWord *reached = &steps->reached[steps->seen[i] * steps->nwords];
		StepDeals  *to = &steps->steps[(Size) steps->seen[i] * steps->ntargets];

		for (int word = 0; word < steps->nwords; word++)
		{
			for (StageWord set = reached[word]; set != 0; set &= set - 1)
			{
				StepDeals  *step = &to[word * WORD_BITS + pg_rightmost_one_pos64(set)];

				step->deals++;
				step->value += amount;
			}
		}
	}
}

/* DealReceiver: from the last visit to the first, with what came later. */
static void
add_deal(void *arg, const DealNow *now, Visit *visits, uint32 nvisits)
{
	Steps	   *steps = arg;
	int			nwords = steps->nwords;

	steps->ndeals++;
	steps->nseen = 0;
	memset(steps->later, 0, nwords * sizeof(StageWord));
	for (uint32 i = nvisits; i-- > 0;)
	{
		uint16		stage = VISIT_STAGE(&visits[i]);
		uint16		next = visits[i].next;

		if (visits[i].stage & VISIT_COUNTS)
		{
			see(steps, stage, now);
			if (!steps->direct)
				add_set(&steps->reached[stage * nwords], steps->later, nwords);
			else if (next != NEXT_NOWHERE)
				add_set(&steps->reached[stage * nwords], &steps->targets[next * nwords], nwords);
		}
		add_set(steps->later, &steps->targets[stage * nwords], nwords);
	}
	count_steps(steps, now->amount);
}

/* What rows of steps have; those of a log have no cohort. */
enum
{
	ROW_COHORT, ROW_FROM, ROW_TO, ROW_DEALS, ROW_OPEN, ROW_WON, ROW_LOST, ROW_TO_WON,
	ROW_VALUE, ROW_OPEN_VALUE, ROW_WON_VALUE, ROW_LOST_VALUE, ROW_TO_WON_VALUE, ROW_COLUMNS
};

static Datum
value(int128 amount)
{
	return NumericGetDatum(crm_fixed_to_numeric(amount, CRM_AMOUNT_SCALE));
}

/* The deals of a cohort that stood in a stage. */
static void
put_deals(const Steps *steps, int cohort, Datum id, int stage, ReturnSetInfo *rsinfo)
{
	const StageDeals *deals = &steps->deals[stage];
	const StepDeals *to_won = &steps->steps[(Size) stage * steps->ntargets + steps->nstages];
	const int64 *by_status = deals->by_status;
	Datum		values[ROW_COLUMNS] = {Int32GetDatum(cohort), id};
	bool		nulls[ROW_COLUMNS] = {false, false, true};

	values[ROW_DEALS] = Int64GetDatum(by_status[DEAL_OPEN] + by_status[DEAL_WON] +
									  by_status[DEAL_LOST]);
	values[ROW_OPEN] = Int64GetDatum(by_status[DEAL_OPEN]);
	values[ROW_WON] = Int64GetDatum(by_status[DEAL_WON]);
	values[ROW_LOST] = Int64GetDatum(by_status[DEAL_LOST]);
	values[ROW_TO_WON] = Int64GetDatum(to_won->deals);
	values[ROW_VALUE] = value(deals->values[DEAL_OPEN] + deals->values[DEAL_WON] +
							  deals->values[DEAL_LOST]);
	values[ROW_OPEN_VALUE] = value(deals->values[DEAL_OPEN]);
	values[ROW_WON_VALUE] = value(deals->values[DEAL_WON]);
	values[ROW_LOST_VALUE] = value(deals->values[DEAL_LOST]);
	values[ROW_TO_WON_VALUE] = value(to_won->value);
	crm_put_visit_row(rsinfo, ROW_COLUMNS, values, nulls);
}

/* The steps that they made from there. */
static void
put_steps(const Steps *steps, const VisitsAsked *asked, int cohort, int stage,
		  ReturnSetInfo *rsinfo)
{
	const StepDeals *to = &steps->steps[(Size) stage * steps->ntargets];
	Datum		values[ROW_COLUMNS] = {Int32GetDatum(cohort), asked->stages[stage]};
	bool		nulls[ROW_COLUMNS];

	for (int i = 0; i < ROW_COLUMNS; i++)
		nulls[i] = i > ROW_DEALS && i != ROW_VALUE;
	for (int target = 0; target < steps->nstages; target++)
	{
		if (to[target].deals == 0)
			continue;
		values[ROW_TO] = asked->stages[target];
		values[ROW_DEALS] = Int64GetDatum(to[target].deals);
		values[ROW_VALUE] = value(to[target].value);
		crm_put_visit_row(rsinfo, ROW_COLUMNS, values, nulls);
	}
}

/* Returns the rows of a cohort, and resets the counts. */
static void
put_cohort(Steps *steps, const VisitsAsked *asked, int cohort, ReturnSetInfo *rsinfo)
{
	for (int i = 0; i < asked->nstages; i++)
	{
		if (!steps->touched[i])
			continue;
		put_deals(steps, cohort, asked->stages[i], i, rsinfo);
		put_steps(steps, asked, cohort, i, rsinfo);
		memset(steps->deals[i].by_status, 0, sizeof(steps->deals[i].by_status));
		memset(steps->deals[i].values, 0, sizeof(steps->deals[i].values));
		memset(&steps->steps[(Size) i * steps->ntargets], 0, steps->ntargets * sizeof(StepDeals));
		steps->touched[i] = false;
	}
}

/*
 * Both functions: the arguments from first on are what is asked of the moves.
 */
static Datum
stage_steps(FunctionCallInfo fcinfo, int first, bool of_pipeline)
{
	Steps		steps = {0};
	MemoryContext context;
	MemoryContext caller;
	VisitsAsked asked;
	DealVisits *visits;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "crm stage steps", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	crm_visits_asked(fcinfo, first + ARG_STAGES, first + ARG_PERIOD_FROM, first + ARG_PERIOD_BEFORE,
					 false, &asked);
	prepare(fcinfo, first, &steps, &asked);
	asked.next = steps.direct;
	asked.amounts = true;
	visits = crm_begin_visits(fcinfo, first + ARG_COHORT, &asked, NULL, NULL);
	if (of_pipeline)
		crm_add_moves_of_pipeline(visits, fcinfo);
	else
		crm_add_moves_of_log(visits, fcinfo, 0);
	crm_end_visits(visits);
	for (int i = 0; i < crm_cohort_count(visits); i++)
	{
		crm_pass_cohort(visits, i, add_deal, &steps);
		put_cohort(&steps, &asked, i, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/*
 * crm_stage_steps(history bytea, cohort bytea, stages uuid[], stage_statuses text[],
 *		rule text, period_from timestamptz, period_before timestamptz)
 *		For each stage where deals stood a row without to_stage_id, and one for
 *		each stage that some of them came to.
 */
PG_FUNCTION_INFO_V1(crm_stage_steps);
Datum
crm_stage_steps(PG_FUNCTION_ARGS)
{
	return stage_steps(fcinfo, 1, false);
}

/*
 * crm_pipeline_stage_steps(crm regnamespace, pipeline_id uuid, cohorts bytea[], ...)
 *		The same of the moves out of the stages of a pipeline, for each cohort.
 */
PG_FUNCTION_INFO_V1(crm_pipeline_stage_steps);
Datum
crm_pipeline_stage_steps(PG_FUNCTION_ARGS)
{
	return stage_steps(fcinfo, 2, true);
}
