/*
 * analytics/stage_history_parallel.c
 *		crm_stage_history() by several processes: each takes in some of the
 *		stays, one adds them up.
 *
 * All of them start from the same cohort, so that the same stay has the same
 * place.  What passes between them is the arrays as they are; the tables that
 * rows are looked up in stay behind.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "analytics/stage_history.h"

#define HISTORY_VERSION	1

/* The arrays of a history, in the order in which they are written. */
typedef struct HistoryPart
{
	void	  **array;
	uint64		count;
	Size		size;			/* of an element */
} HistoryPart;

#define HISTORY_PARTS 7

static HistoryPart
part(void *array, uint64 count, Size size)
{
	HistoryPart result = {array, count, size};

	return result;
}

static void
get_parts(StageHistory *history, HistoryPart *parts)
{
	const HistoryShape *shape = &history->shape;
	uint64		nvisits = shape->nvisits;
	uint64		nnext = shape->figures == FIGURES_DIRECT ? nvisits : 0;
	uint64		ndurations = FIGURES_BY_DEAL(shape->figures) ? nvisits : 0;

	parts[0] = part(&history->stages, shape->nstages, sizeof(CohortStage));
	parts[1] = part(&history->deals, (uint64) shape->ndeals + 1, sizeof(HistoryDeal));
	parts[2] = part(&history->tallies, shape->nstages, sizeof(StageTally));
	parts[3] = part(&history->present, shape->nstages, sizeof(StageTally));
	parts[4] = part(&history->visits, nvisits, sizeof(VisitCode));
	parts[5] = part(&history->next, nnext, sizeof(VisitCode));
	parts[6] = part(&history->durations, ndurations, sizeof(int64));
}

/* A copy without tables, in a context: it can be added to, but not by rows. */
static StageHistory *
copy_history(StageHistory *from, MemoryContext context)
{
	StageHistory *history = MemoryContextAllocZero(context, sizeof(StageHistory));
	HistoryPart to_parts[HISTORY_PARTS];
	HistoryPart from_parts[HISTORY_PARTS];

	history->shape = from->shape;
	get_parts(history, to_parts);
	get_parts(from, from_parts);
	for (int i = 0; i < HISTORY_PARTS; i++)
	{
		Size		size = to_parts[i].count * to_parts[i].size;

		if (size == 0)
			continue;
		*to_parts[i].array = MemoryContextAllocHuge(context, size);
		memcpy(*to_parts[i].array, *from_parts[i].array, size);
	}
	return history;
}

/* Adds the stays that another process took in. */
static void
add_history(StageHistory *to, const StageHistory *from)
{
	if (memcmp(&to->shape, &from->shape, sizeof(HistoryShape)) != 0)
		elog(ERROR, "crm_stage_history states are of different cohorts");

	for (uint32 i = 0; i < to->shape.nvisits; i++)
	{
		if (from->visits[i] == 0)
			continue;
		to->visits[i] = from->visits[i];
		if (to->next != NULL)
			to->next[i] = from->next[i];
		if (to->durations != NULL)
			to->durations[i] = from->durations[i];
	}
	for (uint32 i = 0; i < to->shape.nstages; i++)
		crm_add_tally(&to->tallies[i], &from->tallies[i]);
}

/* crm_stage_history_combine(internal, internal): the first one, with both. */
PG_FUNCTION_INFO_V1(crm_stage_history_combine);
Datum
crm_stage_history_combine(PG_FUNCTION_ARGS)
{
	StageHistory *to = PG_ARGISNULL(0) ? NULL : (StageHistory *) PG_GETARG_POINTER(0);
	StageHistory *from = PG_ARGISNULL(1) ? NULL : (StageHistory *) PG_GETARG_POINTER(1);
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "crm_stage_history_combine called in non-aggregate context");
	if (from == NULL)
	{
		if (to == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(to);
	}
	crm_history_add_rows(from);
	if (to == NULL)
		PG_RETURN_POINTER(copy_history(from, context));
	crm_history_add_rows(to);
	add_history(to, from);
	PG_RETURN_POINTER(to);
}

/* crm_stage_history_serialize(internal) -> bytea: for processes of this server. */
PG_FUNCTION_INFO_V1(crm_stage_history_serialize);
Datum
crm_stage_history_serialize(PG_FUNCTION_ARGS)
{
	StageHistory *history;
	HistoryPart parts[HISTORY_PARTS];
	Size		size = VARHDRSZ + 1 + sizeof(HistoryShape);
	char	   *result;
	char	   *place;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "crm_stage_history_serialize called in non-aggregate context");
	history = (StageHistory *) PG_GETARG_POINTER(0);
	crm_history_add_rows(history);
	get_parts(history, parts);
	for (int i = 0; i < HISTORY_PARTS; i++)
		size += parts[i].count * parts[i].size;
	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history is too large to be passed between processes"),
				 errhint("Set max_parallel_workers_per_gather to 0.")));

	result = palloc(size);
	SET_VARSIZE(result, size);
	place = VARDATA(result);
	*place++ = HISTORY_VERSION;
	memcpy(place, &history->shape, sizeof(HistoryShape));
	place += sizeof(HistoryShape);
	for (int i = 0; i < HISTORY_PARTS; i++)
	{
		memcpy(place, *parts[i].array, parts[i].count * parts[i].size);
		place += parts[i].count * parts[i].size;
	}
	PG_RETURN_BYTEA_P(result);
}

/* Reads the arrays of a history whose shape is known; false if that cannot be. */
static bool
read_parts(StageHistory *history, const char *place, Size left)
{
	HistoryPart parts[HISTORY_PARTS];

	get_parts(history, parts);
	for (int i = 0; i < HISTORY_PARTS; i++)
	{
		Size		size = parts[i].count * parts[i].size;

		if (size > left)
			return false;
		*parts[i].array = size == 0 ? NULL : palloc_extended(size, MCXT_ALLOC_HUGE);
		if (size > 0)
			memcpy(*parts[i].array, place, size);
		place += size;
		left -= size;
	}
	return left == 0;
}

/* crm_stage_history_deserialize(bytea, internal) -> internal */
PG_FUNCTION_INFO_V1(crm_stage_history_deserialize);
Datum
crm_stage_history_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *value;
	StageHistory *history;
	Size		size;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "crm_stage_history_deserialize called in non-aggregate context");
	value = PG_GETARG_BYTEA_PP(0);
	size = VARSIZE_ANY_EXHDR(value);
	history = palloc0(sizeof(StageHistory));
	if (size < 1 + sizeof(HistoryShape) || *VARDATA_ANY(value) != HISTORY_VERSION)
		elog(ERROR, "crm_stage_history state is of another version");
	memcpy(&history->shape, VARDATA_ANY(value) + 1, sizeof(HistoryShape));
	if (!read_parts(history, VARDATA_ANY(value) + 1 + sizeof(HistoryShape), size - 1 - sizeof(HistoryShape)))
		elog(ERROR, "crm_stage_history state is damaged");
	PG_RETURN_POINTER(history);
}
