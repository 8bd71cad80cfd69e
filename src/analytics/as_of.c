/*
 * analytics/as_of.c
 *		What a pipeline added up to at moments of the past.
 *
 * The moments are called points, and are in ascending order.  An event affects only
 * points before it, so for each event the number of points before it is kept.  The
 * state of a deal at a point is given by the first events after the point, and does
 * not change until the next event.  So the cost of a deal depends on the number of its
 * events, not on the number of points.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "analytics/as_of.h"
#include "analytics/conversion_day.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "totals/access.h"

/* A visit that ended, which covers the points from first to end - 1. */
typedef struct Visit
{
	struct Visit *next;
	ReplayOrder order;			/* of the move that ended it */
	uint32		first;
	uint32		end;
	uint32		life;
	ReplayPlace place;
} Visit;

/* The values of a deal before an edit, which hold at the points before end. */
typedef struct Edit
{
	struct Edit *next;
	ReplayOrder order;
	uint32		end;
	int32		probability;	/* in the visit of that stage and time */
	pg_uuid_t	stage_id;
	TimestampTz entered_at;
	ReplayValues values;
} Edit;

/* A deal with events since the first point; the lists are in no order. */
typedef struct AsOfDeal
{
	ReplayDeal	deal;			/* must be first */
	Visit	   *visits;
	Edit	   *edits;
	Edit		first_edit;		/* to come: most deals have only one, which is
								 * at hand where the deal is */
} AsOfDeal;

/* Events of one deal, in their order. */
typedef struct Events
{
	void	  **items;
	uint32		count;
	uint32		room;
	uint32		over;			/* those before this are not after the point */
} Events;

typedef struct AsOf
{
	const TimestampTz *at;		/* the points */
	uint32		npoints;
	double		density;		/* points in a microsecond, on average */
	uint64		currency;		/* to convert to, as in SummaryKey.rest; 0:
								 * none */
	const AsOfSubjects *subjects;
	uint32		subject;		/* of the deal, if it has one for good */
	PointSums  *sums;
	Events		visits;
	Events		edits;
} AsOf;

/* The state of the walk through the points, for one deal. */
typedef struct Walk
{
	Replay	   *replay;
	AsOf	   *as_of;
	const ReplayDeal *deal;
	const ReplayPresent *present;	/* NULL: it is no more */
	uint32		life;			/* the one it is in at the point */
	uint32		point;
	uint32		next;			/* the first one at which it may be another */
} Walk;

#define CURRENCY_BITS	UINT64CONST(0xFFFFFF00)

/*
 * The number of points before that time, which is the index of the first later point.
 * Most points are at equal distances: then the first guess is right, or nearly.
 */
static inline uint32
points_before(const AsOf *as_of, TimestampTz time)
{
	uint32		low = 0;
	uint32		high = as_of->npoints;
	uint32		guess;

	if (time <= as_of->at[0])
		return 0;
	if (time > as_of->at[high - 1])
		return high;
	guess = (uint32) (((double) time - (double) as_of->at[0]) * as_of->density);
	guess = Min(guess, high - 1);
	if (as_of->at[guess] < time)
		low = guess + 1;
	else if (as_of->at[guess - 1] < time)
		return guess;
	else
		high = guess - 1;
	if (as_of->at[low] >= time)
		return low;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (as_of->at[middle] < time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- events ---- */

static inline bool
is_of_visit(const Edit *edit, const ReplayPlace *place)
{
	return edit->entered_at == place->entered_at &&
		crm_uuid_equal(&edit->stage_id, &place->stage_id);
}

/* Of edits of a visit between the same points, the first one tells all. */
static void
receive_edit(Replay *replay, ReplayDeal *replay_deal, const ReplayEdit *received)
{
	AsOfDeal   *deal = (AsOfDeal *) replay_deal;
	uint32		end = points_before(replay->arg, received->order.at);
	Edit	   *edit = deal->edits;

	if (edit == NULL || edit->end != end || !is_of_visit(edit, &received->place))
	{
		edit = deal->edits == NULL ? &deal->first_edit : crm_replay_alloc(replay, sizeof(Edit));
		edit->next = deal->edits;
		deal->edits = edit;
	}
	else if (crm_replay_compare(&received->order, &edit->order) > 0)
		return;
	edit->order = received->order;
	edit->end = end;
	edit->probability = received->place.probability;
	edit->stage_id = received->place.stage_id;
	edit->entered_at = received->place.entered_at;
	edit->values = received->values;
}

static void
receive_move(Replay *replay, ReplayDeal *replay_deal, const ReplayMove *move)
{
	AsOfDeal   *deal = (AsOfDeal *) replay_deal;
	uint32		first = points_before(replay->arg, move->place.entered_at);
	uint32		end = points_before(replay->arg, move->order.at);
	Visit	   *visit;

	if (first >= end)
		return;
	visit = crm_replay_alloc(replay, sizeof(Visit));
	visit->next = deal->visits;
	deal->visits = visit;
	visit->order = move->order;
	visit->first = first;
	visit->end = end;
	visit->life = move->life;
	visit->place = move->place;
}

static void
add_event(const Replay *replay, Events *events, void *event)
{
	if (events->count == events->room)
	{
		events->room = events->room == 0 ? 64 : events->room * 2;
		events->items = events->items == NULL ?
			MemoryContextAlloc(replay->context, events->room * sizeof(void *)) :
			repalloc_huge(events->items, events->room * sizeof(void *));
	}
	events->items[events->count++] = event;
}

static int
compare_visits(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return crm_replay_compare(&(*(Visit *const *) a)->order, &(*(Visit *const *) b)->order);
}

static int
compare_edits(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return crm_replay_compare(&(*(Edit *const *) a)->order, &(*(Edit *const *) b)->order);
}

/* Mostly the last event that came is the last one that happened, and the first in its list. */
static void
sort_events(Events *events, int (*compare) (const void *a, const void *b))
{
	if (events->count < 2)
		return;
	for (uint32 i = 0, j = events->count - 1; i < j; i++, j--)
	{
		void	   *event = events->items[i];

		events->items[i] = events->items[j];
		events->items[j] = event;
	}
	qsort(events->items, events->count, sizeof(void *), compare);
}

/* Puts the events of a deal into their order. */
static void
arrange_events(const Replay *replay, AsOf *as_of, const AsOfDeal *deal)
{
	as_of->visits.count = as_of->visits.over = 0;
	as_of->edits.count = as_of->edits.over = 0;
	for (Visit *visit = deal->visits; visit != NULL; visit = visit->next)
		add_event(replay, &as_of->visits, visit);
	for (Edit *edit = deal->edits; edit != NULL; edit = edit->next)
		add_event(replay, &as_of->edits, edit);
	sort_events(&as_of->visits, compare_visits);
	sort_events(&as_of->edits, compare_edits);
}

/* ---- sums ---- */

/* Sets in key which exchange rate the amounts of the deal have. */
static inline void
set_rate(const AsOf *as_of, PointKey *key, const ReplayPlace *place, const ReplayValues *values)
{
	key->day = 0;
	key->rate = POINT_RATE_NONE;
	if (as_of->currency == 0 || (values->rest & SUMMARY_NO_CURRENCY) ||
		(values->rest & CURRENCY_BITS) == as_of->currency)
		return;
	key->rate = place->has_closed_at ? POINT_RATE_OF_DAY : POINT_RATE_OF_POINT;
	if (place->has_closed_at)
		key->day = crm_day_of(place->closed_at);
}

/* Counts a deal at the points from first to end - 1. */
static inline void
count_deal(const AsOf *as_of, const ReplayPlace *place, const ReplayValues *values,
		   int32 probability, uint32 first, uint32 end)
{
	SummaryEntry entry = {.deals = 1};
	PointKey	key = {.status = place->status};

	if (first >= end || !place->is_here || values->is_archived)
		return;
	memcpy(key.summary.stage, place->stage_id.data, UUID_LEN);
	key.summary.rest = values->rest;
	key.subject = as_of->subjects->deals != NULL ? as_of->subject : values->subject;
	set_rate(as_of, &key, place, values);
	entry.deals_without_amount = !values->has_amount;
	entry.deals_without_probability = probability == REPLAY_NO_PROBABILITY;
	entry.value = values->amount;
	entry.weighted_value = entry.deals_without_probability ? 0 : values->amount * probability;
	crm_point_sums_add(as_of->sums, &key, &entry, first, end);
}

/* ---- a deal at a point ---- */

/* Ends the run at the point, if it is within: something begins or ends there. */
static inline void
stop_at(Walk *walk, uint32 point)
{
	if (point > walk->point && point < walk->next)
		walk->next = point;
}

/* The end of the deal's life at the point; NULL for its present life. */
static const ReplayLife *
find_life(Walk *walk)
{
	for (; walk->life < walk->deal->nlives; walk->life++)
	{
		const ReplayLife *end = &walk->deal->lives[walk->life];

		stop_at(walk, points_before(walk->as_of, end->order.at));
		if (end->order.at > walk->as_of->at[walk->point])
			return end;
	}
	return NULL;
}

/* The visit that the point is in: the first one that ended after it. */
static const ReplayPlace *
find_place(Walk *walk, const ReplayLife *end)
{
	Events	   *visits = &walk->as_of->visits;
	const ReplayPlace *place = end != NULL ? &end->place : &walk->present->place;

	while (visits->over < visits->count &&
		   ((Visit *) visits->items[visits->over])->end <= walk->point)
		visits->over++;
	for (uint32 i = visits->over; i < visits->count; i++)
	{
		const Visit *visit = visits->items[i];

		CHECK_FOR_INTERRUPTS();
		stop_at(walk, visit->first);
		stop_at(walk, visit->end);
		if (visit->first <= walk->point && visit->life == walk->life)
			return &visit->place;
	}
	stop_at(walk, points_before(walk->as_of, place->entered_at));
	return place->entered_at > walk->as_of->at[walk->point] ? NULL : place;
}

/* The first edit after the point; NULL if there is none. */
static const Edit *
find_edit(Walk *walk)
{
	Events	   *edits = &walk->as_of->edits;

	while (edits->over < edits->count && ((Edit *) edits->items[edits->over])->end <= walk->point)
		edits->over++;
	if (edits->over == edits->count)
		return NULL;
	stop_at(walk, ((Edit *) edits->items[edits->over])->end);
	return edits->items[edits->over];
}

/* The probability at the point: before the first edit of the visit after it. */
static int32
find_probability(Walk *walk, const ReplayLife *end, const ReplayPlace *place)
{
	const Events *edits = &walk->as_of->edits;

	for (uint32 i = edits->over; i < edits->count; i++)
	{
		const Edit *edit = edits->items[i];

		CHECK_FOR_INTERRUPTS();
		/* A later life may have begun as this one ended. */
		if (end != NULL && crm_replay_compare(&edit->order, &end->order) > 0)
			break;
		if (is_of_visit(edit, place))
			return edit->probability;
	}
	return place->probability;
}

/* Sets walk->next, and counts the deal at the points from walk->point to walk->next - 1. */
static void
take_step(Walk *walk)
{
	const ReplayLife *end = find_life(walk);
	const ReplayPlace *place;
	const Edit *edit;

	/* It came back after the point, or is gone. */
	if (end != NULL ? !end->is_deleted : walk->present == NULL)
		return;
	place = find_place(walk, end);
	edit = find_edit(walk);
	if (place != NULL && (edit != NULL || walk->present != NULL))
		count_deal(walk->as_of, place, edit != NULL ? &edit->values : &walk->present->values,
				   find_probability(walk, end, place), walk->point, walk->next);
}

/* What the deal is in; one that is no more is in nothing. */
static inline uint32
find_subject(const AsOfSubjects *subjects, const ReplayPresent *present)
{
	const DealIndex *deals = subjects->deals;
	uint32		number;

	if (deals == NULL || present == NULL)
		return 0;
	number = crm_deal_find(deals, present->id, crm_deal_hash(deals, present->id));
	return number == NOT_A_DEAL ? 0 : subjects->of_deals[number];
}

static void
receive_deal(Replay *replay, ReplayDeal *replay_deal, const ReplayPresent *present)
{
	const AsOfDeal *deal = (const AsOfDeal *) replay_deal;
	AsOf	   *as_of = replay->arg;
	Walk		walk = {replay, as_of, replay_deal, present};

	as_of->subject = find_subject(as_of->subjects, present);
	if (deal == NULL ||
		(deal->visits == NULL && deal->edits == NULL && deal->deal.nlives == 0 && present != NULL))
	{
		count_deal(as_of, &present->place, &present->values, present->place.probability,
				   points_before(as_of, present->place.entered_at), as_of->npoints);
		return;
	}
	arrange_events(replay, as_of, deal);
	for (; walk.point < as_of->npoints; walk.point = walk.next)
	{
		walk.next = as_of->npoints;
		take_step(&walk);
	}
}

static void
prefetch(const ReplayDeal *replay_deal, int step)
{
	const AsOfDeal *deal = (const AsOfDeal *) replay_deal;
	const Visit *visit = deal->visits;
	const Edit *edit = deal->edits;

	if (step > 0)
	{
		visit = visit != NULL ? visit->next : NULL;
		edit = edit != NULL ? edit->next : NULL;
	}
	__builtin_prefetch(visit);
	__builtin_prefetch((const char *) visit + 64);
	__builtin_prefetch(edit);
	__builtin_prefetch((const char *) edit + 64);
}

static const ReplayUser as_of_user = {
	sizeof(AsOfDeal), receive_edit, receive_move, prefetch, receive_deal
};

/* ---- the function ---- */

typedef struct AsOfRows
{
	ReturnSetInfo *rows;
	const AsOfSums *sums;
} AsOfRows;

static void
put_run(const PointRun *run, void *arg)
{
	const AsOfRows *result = arg;
	Datum		values[4 + SUMMARY_ROW_COLUMNS];
	bool		nulls[4 + SUMMARY_ROW_COLUMNS] = {false};
	DateADT		day = run->key->rate == POINT_RATE_OF_DAY ? run->key->day :
	crm_day_of(result->sums->at[run->first]);

	values[0] = Int32GetDatum((int32) run->first + 1);
	values[1] = Int32GetDatum((int32) run->last + 1);
	values[2] = DateADTGetDatum(day);
	nulls[2] = run->key->rate == POINT_RATE_NONE;
	values[3] = CStringGetTextDatum(crm_deal_status_name(run->key->status));
	crm_summary_row(&run->sums, values + 4, nulls + 4);
	tuplestore_putvalues(result->rows->setResult, result->rows->setDesc, values, nulls);
}

/* The points: at least one, each after the one before it. */
static void
read_points(AsOf *as_of, ArrayType *array)
{
	as_of->at = (const TimestampTz *) ARR_DATA_PTR(array);
	as_of->npoints = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (as_of->npoints == 0 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no moments, or some that are null")));
	for (uint32 i = 1; i < as_of->npoints; i++)
	{
		if (as_of->at[i - 1] >= as_of->at[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("moments are not in their order")));
	}
	as_of->density = (as_of->npoints - 1) /
		((double) as_of->at[as_of->npoints - 1] - (double) as_of->at[0]);
}

static void
read_currency(AsOf *as_of, ReplayQuery *query, const text *currency)
{
	as_of->currency = crm_summary_currency_key(VARDATA_ANY(currency), VARSIZE_ANY_EXHDR(currency));
	query->want_closed_at = true;
}

void
crm_sum_as_of(FunctionCallInfo fcinfo, const AsOfSubjects *subjects,
			  void (*put) (const AsOfSums *sums, void *arg), void *arg)
{
	ReplayQuery query = {.deals = crm_api_begin(fcinfo, "deals", NULL),.subject = subjects->column};
	AsOf		as_of = {.subjects = subjects};
	AsOfSums	result;
	MemoryContext caller;
	Replay	   *replay;

	query.tenant_id = *crm_api_uuid(fcinfo, 1, "tenant_id");
	query.pipeline_id = *crm_api_uuid(fcinfo, 2, "pipeline_id");
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no moments")));
	read_points(&as_of, PG_GETARG_ARRAYTYPE_P(3));
	query.from_at = as_of.at[0];
	query.to_at = as_of.at[as_of.npoints - 1];
	query.want_probability = true;
	query.sees_all = crm_sees_all(fcinfo, query.deals);
	if (!PG_ARGISNULL(4))
		read_currency(&as_of, &query, PG_GETARG_TEXT_PP(4));
	replay = crm_replay_begin(&query, &as_of_user, &as_of);
	caller = MemoryContextSwitchTo(replay->context);
	as_of.sums = crm_point_sums_create(as_of.npoints);
	MemoryContextSwitchTo(caller);
	crm_replay_run(replay);
	result.sums = as_of.sums;
	result.at = as_of.at;
	result.npoints = as_of.npoints;
	result.values = replay->subjects;
	put(&result, arg);
	MemoryContextDelete(replay->context);
	crm_api_end(query.deals);
}

static void
put_runs(const AsOfSums *sums, void *rows)
{
	AsOfRows	result = {rows, sums};

	crm_point_sums_put(sums->sums, put_run, &result);
}

/*
 * crm_summaries_as_of(crm regnamespace, tenant_id uuid, pipeline_id uuid,
 *		at timestamptz[], in_currency text)
 *	-> setof (first_point int, last_point int, rate_day date, deal_status text,
 *		and the columns of crm_summary_rows())
 *		The sums of the unarchived deals of the pipeline at those moments, which
 *		are in ascending order.  A row for each stage, currency, value period and
 *		status, with the range of moments, numbered from 1, for which it holds;
 *		with in_currency also for each day whose rate the amounts have, NULL if
 *		they need no conversion.
 */
PG_FUNCTION_INFO_V1(crm_summaries_as_of);
Datum
crm_summaries_as_of(PG_FUNCTION_ARGS)
{
	AsOfSubjects none = {0};

	InitMaterializedSRF(fcinfo, 0);
	crm_sum_as_of(fcinfo, &none, put_runs, fcinfo->resultinfo);
	return (Datum) 0;
}
