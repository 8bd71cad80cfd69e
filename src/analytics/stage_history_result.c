/*
 * analytics/stage_history_result.c
 *		What the stays of a history add up to, as JSON.
 *
 * One pass over the deals, the stays of each in their order.  Steps count deals
 * from a stage to a target: a stage, or any won one.  By the rule "reached" a
 * stay is a step to every target that it stands in or beyond.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "analytics/stage_history.h"

/* Sets of targets, as many words as they need. */
typedef uint64 TargetWord;

#define WORD_BITS 64

typedef struct StageFigure
{
	StageTally	times;
	int64		deals;
	int64		by_status[COHORT_STATUSES];
	uint32		seen;			/* number of the last deal seen there, from 1 */
	int64		duration;		/* of that deal, if FIGURES_BY_DEAL */
} StageFigure;

typedef struct Result
{
	const StageHistory *history;
	StageFigure *stages;
	uint32	   *seen;			/* the stages of the deal at hand */
	int			nseen;
	int			ntargets;		/* the stages, and any won one */
	int			nwords;			/* in a set of targets */
	TargetWord *targets;		/* by stage: what a stay there is a step to */
	TargetWord *reached;		/* by stage: of the deal at hand */
	TargetWord *later;			/* what the deal at hand comes to later */
	int64	   *steps;			/* by stage and target */
} Result;

static inline void
set_target(TargetWord *set, int target)
{
	set[target / WORD_BITS] |= UINT64CONST(1) << (target % WORD_BITS);
}

/* Which targets a stay in each stage is a step to. */
static void
find_targets(Result *result)
{
	const HistoryShape *shape = &result->history->shape;
	const CohortStage *stages = result->history->stages;

	result->ntargets = shape->nstages + 1;
	result->nwords = (result->ntargets + WORD_BITS - 1) / WORD_BITS;
	result->targets = palloc0(Max(shape->nstages, 1) * result->nwords * sizeof(TargetWord));
	result->reached = palloc0(Max(shape->nstages, 1) * result->nwords * sizeof(TargetWord));
	result->later = palloc0(result->nwords * sizeof(TargetWord));
	result->steps = palloc_extended(Max(shape->nstages, 1) * result->ntargets * sizeof(int64),
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < shape->nstages; i++)
	{
		TargetWord *set = &result->targets[i * result->nwords];

		set_target(set, i);
		if (stages[i].status == COHORT_WON)
			set_target(set, shape->nstages);
		if (shape->figures != FIGURES_REACHED || stages[i].status == COHORT_LOST)
			continue;
		for (uint32 j = 0; j < shape->nstages; j++)
		{
			if (stages[j].status == COHORT_OPEN && (stages[i].status == COHORT_WON || j < i))
				set_target(set, j);
		}
	}
}

/* Counts a deal in a stage, once; whether it was the first time. */
static inline bool
see(Result *result, uint32 stage, uint32 number)
{
	StageFigure *figure = &result->stages[stage];

	if (figure->seen == number)
		return false;
	figure->seen = number;
	figure->deals++;
	figure->by_status[result->history->deals[number - 1].status]++;
	result->seen[result->nseen++] = stage;
	return true;
}

/* The times of a deal: one for each stage, unless they are of single stays. */
static inline void
add_times(Result *result, uint32 number, uint32 first, uint32 end)
{
	const StageHistory *history = result->history;
	StageFigures figures = history->shape.figures;

	for (uint32 i = first; i < end; i++)
	{
		StageFigure *figure;
		bool		is_first;

		if ((history->visits[i] & VISIT_COUNTS) == 0)
			continue;
		figure = &result->stages[VISIT_STAGE(history->visits[i]) - 1];
		is_first = see(result, VISIT_STAGE(history->visits[i]) - 1, number);
		if (!FIGURES_BY_DEAL(figures))
			continue;
		figure->times.visits++;
		if (is_first || figures == FIGURES_LATEST)
			figure->duration = history->durations[i];
		else if (figures == FIGURES_CUMULATIVE)
			figure->duration += history->durations[i];
	}
	for (int i = 0; FIGURES_BY_DEAL(figures) && i < result->nseen; i++)
	{
		StageFigure *figure = &result->stages[result->seen[i]];

		figure->times.total += figure->duration;
		figure->times.longest = figure->deals == 1 ? figure->duration :
			Max(figure->times.longest, figure->duration);
	}
}

/* Adds one set of targets to another. */
static inline void
add_set(const Result *result, TargetWord *to, const TargetWord *from)
{
	for (int i = 0; i < result->nwords; i++)
		to[i] |= from[i];
}

/* The steps of a deal: what came after each of its stays, the last one first. */
static inline void
add_steps(Result *result, uint32 number, uint32 first, uint32 end)
{
	const StageHistory *history = result->history;
	bool		direct = history->shape.figures == FIGURES_DIRECT;
	int			nwords = result->nwords;

	memset(result->later, 0, nwords * sizeof(TargetWord));
	for (uint32 i = end; i-- > first;)
	{
		uint32		stage = VISIT_STAGE(history->visits[i]) - 1;

		if (history->visits[i] == 0 || history->visits[i] == VISIT_UNDONE)
			continue;
		if (history->visits[i] & VISIT_COUNTS)
		{
			TargetWord *reached = &result->reached[stage * nwords];

			if (see(result, stage, number))
				memset(reached, 0, nwords * sizeof(TargetWord));
			if (!direct)
				add_set(result, reached, result->later);
			else if (history->next[i] != 0 && history->next[i] != VISIT_ELSEWHERE)
				add_set(result, reached, &result->targets[(history->next[i] - 1) * nwords]);
		}
		add_set(result, result->later, &result->targets[stage * nwords]);
	}

	for (int i = 0; i < result->nseen; i++)
	{
		uint32		stage = result->seen[i];
		int64	   *steps = &result->steps[(Size) stage * result->ntargets];

		for (int word = 0; word < nwords; word++)
		{
			for (TargetWord set = result->reached[stage * nwords + word]; set != 0; set &= set - 1)
				steps[word * WORD_BITS + pg_rightmost_one_pos64(set)]++;
		}
	}
}

static void
append_uuid(StringInfo buf, const UuidKey *id)
{
	appendStringInfo(buf, "\"%s\"", DatumGetCString(DirectFunctionCall1(uuid_out, PointerGetDatum(id))));
}

/* The figures of a stage where something was counted. */
static void
append_stage(StringInfo buf, const Result *result, uint32 stage)
{
	const StageFigure *figure = &result->stages[stage];

	appendStringInfoString(buf, buf->data[buf->len - 1] == '[' ? "{\"stage_id\":" : ",{\"stage_id\":");
	append_uuid(buf, &result->history->stages[stage].id);
	appendStringInfo(buf, ",\"deals\":" INT64_FORMAT ",\"open\":" INT64_FORMAT
					 ",\"won\":" INT64_FORMAT ",\"lost\":" INT64_FORMAT,
					 figure->deals, figure->by_status[COHORT_OPEN],
					 figure->by_status[COHORT_WON], figure->by_status[COHORT_LOST]);
	if (FIGURES_ARE_TIMES(result->history->shape.figures))
	{
		appendStringInfo(buf, ",\"visits\":" INT64_FORMAT ",\"longest\":" INT64_FORMAT ",\"total\":",
						 figure->times.visits, figure->times.longest);
		crm_append_fixed(buf, figure->times.total, 0);
	}
	appendStringInfoChar(buf, '}');
}

/* The steps from a stage that were made; to null is to any won stage. */
static void
append_steps(StringInfo buf, const Result *result, uint32 stage)
{
	for (int target = 0; target < result->ntargets; target++)
	{
		int64		deals = result->steps[(Size) stage * result->ntargets + target];

		if (deals == 0)
			continue;
		appendStringInfoString(buf, buf->data[buf->len - 1] == '[' ? "{\"from\":" : ",{\"from\":");
		append_uuid(buf, &result->history->stages[stage].id);
		appendStringInfoString(buf, ",\"to\":");
		if (target < result->history->shape.nstages)
			append_uuid(buf, &result->history->stages[target].id);
		else
			appendStringInfoString(buf, "null");
		appendStringInfo(buf, ",\"deals\":" INT64_FORMAT "}", deals);
	}
}

/* Counts; what is allocated stays in the current context. */
static void
count_deals(Result *result)
{
	const StageHistory *history = result->history;
	bool		times = FIGURES_ARE_TIMES(history->shape.figures);

	for (uint32 i = 0; i < history->shape.nstages; i++)
	{
		crm_add_tally(&result->stages[i].times, &history->tallies[i]);
		crm_add_tally(&result->stages[i].times, &history->present[i]);
	}
	for (uint32 i = 0; i < history->shape.ndeals; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		result->nseen = 0;
		if (times)
			add_times(result, i + 1, history->deals[i].first, history->deals[i + 1].first);
		else
			add_steps(result, i + 1, history->deals[i].first, history->deals[i + 1].first);
	}
}

/* {"stages": [...], "steps": [...]}, without what is nothing. */
Datum
crm_history_result(const StageHistory *history)
{
	uint32		nstages = history->shape.nstages;
	Result		result = {history};
	StringInfoData buf;

	result.stages = palloc0(Max(nstages, 1) * sizeof(StageFigure));
	result.seen = palloc(Max(nstages, 1) * sizeof(uint32));
	if (!FIGURES_ARE_TIMES(history->shape.figures))
		find_targets(&result);
	count_deals(&result);

	initStringInfo(&buf);
	appendStringInfoString(&buf, "{\"stages\":[");
	for (uint32 i = 0; i < nstages; i++)
	{
		if (result.stages[i].deals > 0)
			append_stage(&buf, &result, i);
	}
	appendStringInfoString(&buf, "],\"steps\":[");
	for (uint32 i = 0; result.steps != NULL && i < nstages; i++)
		append_steps(&buf, &result, i);
	appendStringInfoString(&buf, "]}");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data));
}
