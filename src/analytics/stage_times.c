/*
 * analytics/stage_times.c
 *		crm_stage_times(): how long deals stood in stages.
 *
 * If each visit is measured, only its duration is kept, and only for percentiles.  The
 * other measures give one duration for each deal, and need its visits in order.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

#include "analytics/deal_visits.h"
#include "analytics/durations.h"
#include "base/argument_errors.h"
#include "base/money.h"

/* The arguments of both functions, behind those that tell where the moves are. */
#define ARG_COHORT			0
#define ARG_STAGES			1
#define ARG_MEASURE			2
#define ARG_PERIOD_FROM		3
#define ARG_PERIOD_BEFORE	4
#define ARG_PERCENTILES		5
#define ARG_GROUPS			6	/* of a pipeline only, as the next one */
#define ARG_COHORTS			7

/* What a duration measures. */
typedef enum TimesMeasure
{
	MEASURE_VISIT,				/* each visit */
	MEASURE_FIRST,				/* a deal's first visit in a stage */
	MEASURE_LATEST,				/* its latest one */
	MEASURE_CUMULATIVE			/* all of them together */
} TimesMeasure;

static const char *const measures[] = {"visit", "first", "latest", "cumulative"};

/* The durations of a stage. */
typedef struct StageTimes
{
	int128		total;			/* microseconds */
	int64		longest;
	int64		visits;
	int64		durations;
	StageDurations *kept;		/* for percentiles */
	int64		by_status[3];	/* deals, by DealStatus */
	int64		of_deal;		/* duration of the deal at hand, unless
								 * MEASURE_VISIT */
	uint64		seen;			/* number of the last deal seen here, from 1 */
} StageTimes;

typedef struct Times
{
	TimesMeasure measure;
	int			nstages;
	StageTimes *stages;
	uint16	   *seen;			/* the stages of the deal at hand */
	uint64		ndeals;			/* seen so far */
	Durations  *durations;		/* for percentiles, or NULL */
} Times;

/* The median and the 90th percentile. */
static const int percentile_tenths[] = {5, 9};

#define NPERCENTILES	lengthof(percentile_tenths)
#define ROW_COLUMNS		11

static TimesMeasure
get_measure(FunctionCallInfo fcinfo, int arg)
{
	char	   *name = PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));

	for (int i = 0; name != NULL && i < lengthof(measures); i++)
	{
		if (strcmp(name, measures[i]) == 0)
			return (TimesMeasure) i;
	}
	crm_refuse_value("measure", name, _("It is visit, first, latest or cumulative."));
	return MEASURE_VISIT;		/* not reached */
}

static inline void
add_duration(Times *times, uint16 stage, int64 duration)
{
	StageTimes *of_stage = &times->stages[stage];

	of_stage->longest = of_stage->durations == 0 ? duration : Max(of_stage->longest, duration);
	of_stage->durations++;
	of_stage->total += duration;
	if (times->durations != NULL)
		crm_durations_add(times->durations, of_stage->kept, duration);
}

/* VisitReceiver, of MEASURE_VISIT. */
static void
add_visit(void *arg, DealStatus status, const Visit *visit, bool is_first)
{
	Times	   *times = arg;
	uint16		stage = VISIT_STAGE(visit);

	times->stages[stage].visits++;
	times->stages[stage].by_status[status] += is_first;
	add_duration(times, stage, visit->figure);
}

/* DealReceiver: every visit counts, as only those were asked for. */
static void
add_deal(void *arg, const DealNow *now, Visit *visits, uint32 nvisits)
{
	Times	   *times = arg;
	uint64		number = ++times->ndeals;
	int			nseen = 0;

	for (uint32 i = 0; i < nvisits; i++)
	{
		uint16		stage = VISIT_STAGE(&visits[i]);
		int64		duration = visits[i].figure;
		StageTimes *of_stage = &times->stages[stage];
		bool		is_first = of_stage->seen != number;

		of_stage->visits++;
		if (is_first)
		{
			of_stage->seen = number;
			of_stage->by_status[now->status]++;
			times->seen[nseen++] = stage;
		}
		if (times->measure == MEASURE_VISIT)
			add_duration(times, stage, duration);
		else if (is_first || times->measure == MEASURE_LATEST)
			of_stage->of_deal = duration;
		else if (times->measure == MEASURE_CUMULATIVE &&
				 pg_add_s64_overflow(of_stage->of_deal, duration, &of_stage->of_deal))
			of_stage->of_deal = PG_INT64_MAX;
	}
	for (int i = 0; times->measure != MEASURE_VISIT && i < nseen; i++)
		add_duration(times, times->seen[i], times->stages[times->seen[i]].of_deal);
}

/* Microseconds, or with a digit more, as a numeric of seconds. */
static Datum
seconds(int128 time, int scale)
{
	for (; scale < 8; scale++)
		time *= 10;
	return NumericGetDatum(crm_fixed_to_numeric(time, 8));
}

/* Percentiles, interpolated as percentile_cont() does, but exactly. */
static void
get_percentiles(const Times *times, const StageTimes *of_stage, Datum *percentiles)
{
	int64		most = of_stage->durations - 1;
	int64		ranks[NPERCENTILES * 2];
	int64		found[NPERCENTILES * 2];

	for (int i = 0; i < NPERCENTILES; i++)
	{
		ranks[2 * i] = most * percentile_tenths[i] / 10;
		ranks[2 * i + 1] = Min(ranks[2 * i] + 1, most);
	}
	crm_durations_select(times->durations, of_stage->kept, ranks, lengthof(ranks), found);
	for (int i = 0; i < NPERCENTILES; i++)
	{
		int			rest = most * percentile_tenths[i] % 10;
		int128		low = found[2 * i];
		int128		high = found[2 * i + 1];

		percentiles[i] = seconds(low * 10 + (high - low) * rest, 7);
	}
}

/* A row for each stage where something was counted. */
static void
put_rows(const Times *times, const VisitsAsked *asked, int group, ReturnSetInfo *rsinfo)
{
	for (int i = 0; i < times->nstages; i++)
	{
		const StageTimes *of_stage = &times->stages[i];
		const int64 *by_status = of_stage->by_status;
		Datum		values[ROW_COLUMNS] = {Int32GetDatum(group), asked->stages[i]};
		bool		nulls[ROW_COLUMNS] = {false};

		if (of_stage->visits == 0)
			continue;
		values[2] = Int64GetDatum(by_status[DEAL_OPEN] + by_status[DEAL_WON] +
								  by_status[DEAL_LOST]);
		values[3] = Int64GetDatum(of_stage->visits);
		values[4] = seconds(of_stage->total, 6);
		values[5] = seconds(of_stage->longest, 6);
		if (times->durations != NULL)
			get_percentiles(times, of_stage, &values[6]);
		else
			nulls[6] = nulls[7] = true;
		values[8] = Int64GetDatum(by_status[DEAL_OPEN]);
		values[9] = Int64GetDatum(by_status[DEAL_WON]);
		values[10] = Int64GetDatum(by_status[DEAL_LOST]);
		crm_put_visit_row(rsinfo, ROW_COLUMNS, values, nulls);
	}
}

static void
prepare(FunctionCallInfo fcinfo, int first, Times *times, const VisitsAsked *asked)
{
	times->nstages = asked->nstages;
	times->stages = palloc0(Max(asked->nstages, 1) * sizeof(StageTimes));
	times->seen = palloc(Max(asked->nstages, 1) * sizeof(uint16));
	if (!PG_ARGISNULL(first + ARG_PERCENTILES) && PG_GETARG_BOOL(first + ARG_PERCENTILES))
	{
		times->durations = crm_durations_create(asked->nstages);
		for (int i = 0; i < asked->nstages; i++)
			times->stages[i].kept = crm_durations_of(times->durations, i);
	}
}

/* Returns the rows of a group, and resets the counts. */
static void
put_group(Times *times, const VisitsAsked *asked, int group, ReturnSetInfo *rsinfo)
{
	put_rows(times, asked, group, rsinfo);
	for (int i = 0; i < times->nstages; i++)
		times->stages[i] = (StageTimes)
	{
		.seen = times->stages[i].seen,.kept = times->stages[i].kept
	};
	if (times->durations != NULL)
		crm_durations_reset(times->durations);
}

/* An array of numbers of as many elements as the other argument. */
static int32 *
get_numbers(FunctionCallInfo fcinfo, int arg, int *count)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(arg);

	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("groups and their cohorts must be arrays of numbers"),
				 errhint("Give plain arrays without nulls.")));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (int32 *) ARR_DATA_PTR(array);
}

/*
 * Counts group by group.  Two arrays tell the cohorts of each group, one after the
 * other: a deal may be in several groups.
 */
static void
count_groups(FunctionCallInfo fcinfo, int first, DealVisits *visits, Times *times,
			 const VisitsAsked *asked)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			ngroups;
	int			ncohorts;
	int32	   *groups = get_numbers(fcinfo, first + ARG_GROUPS, &ngroups);
	int32	   *cohorts = get_numbers(fcinfo, first + ARG_COHORTS, &ncohorts);

	if (ngroups != ncohorts)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("groups and their cohorts must be equally many"),
				 errhint("Give a group for each of the cohorts.")));
	for (int i = 0; i < ngroups; i++)
	{
		crm_pass_cohort(visits, cohorts[i], add_deal, times);
		if (i + 1 == ngroups || groups[i + 1] != groups[i])
			put_group(times, asked, groups[i], rsinfo);
	}
}

/* Counts all deals as one group. */
static void
count_all(FunctionCallInfo fcinfo, DealVisits *visits, Times *times, const VisitsAsked *asked,
		  bool passed_on)
{
	for (int i = 0; !passed_on && i < crm_cohort_count(visits); i++)
		crm_pass_cohort(visits, i, add_deal, times);
	put_group(times, asked, 0, (ReturnSetInfo *) fcinfo->resultinfo);
}

/*
 * Both functions: the arguments from first on are what is asked of the moves.
 */
static Datum
stage_times(FunctionCallInfo fcinfo, int first, bool of_pipeline)
{
	Times		times = {.measure = get_measure(fcinfo, first + ARG_MEASURE)};
	bool		grouped = of_pipeline && !PG_ARGISNULL(first + ARG_GROUPS);
	MemoryContext context;
	MemoryContext caller;
	VisitsAsked asked;
	DealVisits *visits;
	bool		pass_on;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "crm stage times", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	crm_visits_asked(fcinfo, first + ARG_STAGES, first + ARG_PERIOD_FROM, first + ARG_PERIOD_BEFORE,
					 true, &asked);
	prepare(fcinfo, first, &times, &asked);
	pass_on = times.measure == MEASURE_VISIT && asked.nstages <= MAX_STAGES_PASSED_ON && !grouped;
	visits = crm_begin_visits(fcinfo, first + ARG_COHORT, &asked, pass_on ? add_visit : NULL,
							  &times);
	if (of_pipeline)
		crm_add_moves_of_pipeline(visits, fcinfo);
	else
		crm_add_moves_of_log(visits, fcinfo, 0);
	crm_end_visits(visits);
	if (grouped)
		count_groups(fcinfo, first, visits, &times, &asked);
	else
		count_all(fcinfo, visits, &times, &asked, pass_on);
	if (times.durations != NULL)
		crm_durations_end(times.durations);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/*
 * crm_stage_times(history bytea, cohort bytea, stages uuid[], measure text,
 *		period_from timestamptz, period_before timestamptz, percentiles boolean)
 *		A row for each stage that has a visit which counts.
 */
PG_FUNCTION_INFO_V1(crm_stage_times);
Datum
crm_stage_times(PG_FUNCTION_ARGS)
{
	return stage_times(fcinfo, 1, false);
}

/*
 * crm_pipeline_stage_times(crm regnamespace, pipeline_id uuid, cohorts bytea[], ...,
 *		groups integer[], group_cohorts integer[])
 *		The same of the moves out of the stages of a pipeline, for each group
 *		of cohorts; without groups, of all deals as group 0.
 */
PG_FUNCTION_INFO_V1(crm_pipeline_stage_times);
Datum
crm_pipeline_stage_times(PG_FUNCTION_ARGS)
{
	return stage_times(fcinfo, 2, true);
}
