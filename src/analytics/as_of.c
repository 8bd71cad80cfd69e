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
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "analytics/as_of.h"
#include "analytics/conversion_day.h"
#include "analytics/places.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "totals/access.h"

/* A visit that ended, which covers the points from first to end - 1. */
typedef struct Visit
{
	struct Visit *next;
	TimestampTz at;				/* of the move that ended it */
	TimestampTz entered_at;
	int32		move_no;
	uint32		first;
	uint32		end;
	uint32		life;
	int32		probability;
	uint32		place;			/* its number */
} Visit;

/* The values of a deal before an edit, which hold at the points before end. */
typedef struct Edit
{
	uint32		end;			/* 0: there is no such edit */
	int32		probability;	/* in the visit of that stage and time */
	struct Edit *next;
	TimestampTz entered_at;
	pg_uuid_t	stage_id;
	ReplayOrder order;
	ReplayValues values;
} Edit;

/*
 * A deal with events since the first point; the lists are in no order.  Most deals have
 * one edit at most, and all is in two lines of the processor's cache.
 */
typedef struct AsOfDeal
{
	ReplayDeal	deal;			/* must be first */
	Visit	   *visits;
	Edit		edit;			/* and those that it leads to */
} AsOfDeal;

#define AS_OF_DEAL_SIZE	TYPEALIGN(64, sizeof(AsOfDeal))

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
	Places	   *places;			/* those of visits */
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
	Place		place;			/* scratch */
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
is_of_visit(const Edit *edit, const void *stage, TimestampTz entered_at)
{
	return edit->entered_at == entered_at && memcmp(&edit->stage_id, stage, UUID_LEN) == 0;
}

/* Of edits of a visit between the same points, the first one tells all. */
static void
receive_edit(Replay *replay, ReplayDeal *replay_deal, const ReplayEdit *received)
{
	Edit	   *edit = &((AsOfDeal *) replay_deal)->edit;
	uint32		end = points_before(replay->arg, received->order.at);

	if (edit->end != end ||
		!is_of_visit(edit, &received->place.stage_id, received->place.entered_at))
	{
		Edit	   *other = NULL;

		if (edit->end > 0)
		{
			other = crm_replay_alloc(replay, sizeof(Edit));
			*other = *edit;
		}
		edit->next = other;
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

/* A visit that no point is in leaves no trace. */
static bool
has_points(const Replay *replay, ReplayMove *move)
{
	move->first = points_before(replay->arg, move->place.entered_at);
	move->end = points_before(replay->arg, move->order.at);
	return move->first < move->end;
}

static void
receive_move(Replay *replay, ReplayDeal *replay_deal, const ReplayMove *move)
{
	AsOfDeal   *deal = (AsOfDeal *) replay_deal;
	Visit	   *visit = crm_replay_alloc(replay, sizeof(Visit));

	visit->next = deal->visits;
	deal->visits = visit;
	visit->at = move->order.at;
	visit->move_no = move->order.move_no;
	visit->entered_at = move->place.entered_at;
	visit->first = move->first;
	visit->end = move->end;
	visit->life = move->life;
	visit->probability = move->place.probability;
	visit->place = crm_place_number(((AsOf *) replay->arg)->places, &move->place);
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
	const Visit *x = *(Visit *const *) a;
	const Visit *y = *(Visit *const *) b;

	CHECK_FOR_INTERRUPTS();
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->move_no < y->move_no ? -1 : x->move_no > y->move_no;
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

static inline const Edit *
first_edit(const AsOfDeal *deal)
{
	return deal->edit.end > 0 ? &deal->edit : NULL;
}

/* Puts the events of a deal into their order. */
static void
arrange_events(const Replay *replay, AsOf *as_of, const AsOfDeal *deal)
{
	as_of->visits.count = as_of->visits.over = 0;
	as_of->edits.count = as_of->edits.over = 0;
	for (Visit *visit = deal->visits; visit != NULL; visit = visit->next)
		add_event(replay, &as_of->visits, visit);
	for (const Edit *edit = first_edit(deal); edit != NULL; edit = edit->next)
		add_event(replay, &as_of->edits, unconstify(Edit *, edit));
	sort_events(&as_of->visits, compare_visits);
	sort_events(&as_of->edits, compare_edits);
}

/* ---- sums ---- */

/* Sets in key which exchange rate the amounts of the deal have. */
static inline void
set_rate(const AsOf *as_of, PointKey *key, const Place *place, const ReplayValues *values)
{
	key->day = 0;
	key->rate = POINT_RATE_NONE;
	if (as_of->currency == 0 || (values->rest & SUMMARY_NO_CURRENCY) ||
		(values->rest & CURRENCY_BITS) == as_of->currency)
		return;
	key->rate = place->has_closed_on ? POINT_RATE_OF_DAY : POINT_RATE_OF_POINT;
	key->day = place->closed_on;
}

/* Counts a deal at the points from first to end - 1. */
static inline void
count_deal(const AsOf *as_of, const Place *place, const ReplayValues *values,
		   int32 probability, uint32 first, uint32 end)
{
	SummaryEntry entry = {.deals = 1};
	PointKey	key = {.status = place->status};

	if (first >= end || !place->is_here || values->is_archived)
		return;
	memcpy(key.summary.stage, &place->stage, UUID_LEN);
	key.summary.rest = values->rest;
	key.subject = as_of->subjects->deals != NULL ? as_of->subject : values->subject;
	set_rate(as_of, &key, place, values);
	entry.deals_without_amount = !values->has_amount;
	entry.deals_without_probability = probability == REPLAY_NO_PROBABILITY;
	entry.value = values->amount;
	entry.weighted_value = entry.deals_without_probability ? 0 : values->amount * probability;
	crm_point_sums_add(as_of->sums, &key, &entry, first, end);
}

/* ---- most deals ---- */

/*
 * Whether it is there, has had one life and one edit at most, and no point is in two
 * visits, of which the last one began before the point first.
 */
static inline bool
is_simple(const AsOfDeal *deal, const ReplayPresent *present, uint32 first)
{
	if (present == NULL || deal->deal.nlives > 0 || deal->edit.next != NULL)
		return false;
	/* Mostly the last visit that came is the last one that ended. */
	for (const Visit *visit = deal->visits; visit != NULL; visit = visit->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (visit->end > first)
			return false;
		first = visit->first;
	}
	return true;
}

/* Counts a visit of it, at the points from first to end - 1: before the edit, and after. */
static inline void
count_visit(const AsOf *as_of, const Edit *edit, const ReplayValues *values, const Place *place,
			TimestampTz entered_at, int32 probability, uint32 first, uint32 end)
{
	uint32		middle = Max(Min(edit->end, end), first);

	if (first < middle)
		count_deal(as_of, place, &edit->values,
				   is_of_visit(edit, &place->stage, entered_at) ? edit->probability : probability,
				   first, middle);
	count_deal(as_of, place, values, probability, middle, end);
}

static void
count_simple(const AsOf *as_of, const AsOfDeal *deal, const ReplayPresent *present, uint32 first)
{
	Place		place = crm_make_place(as_of->places, &present->place);

	count_visit(as_of, &deal->edit, &present->values, &place, present->place.entered_at,
				present->place.probability, first, as_of->npoints);
	for (const Visit *visit = deal->visits; visit != NULL; visit = visit->next)
	{
		CHECK_FOR_INTERRUPTS();
		count_visit(as_of, &deal->edit, &present->values, crm_place(as_of->places, visit->place),
					visit->entered_at, visit->probability, visit->first, visit->end);
	}
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

/* Where a deal stands at a point. */
typedef struct Standing
{
	const Place *place;			/* NULL: it is not there yet */
	TimestampTz entered_at;
	int32		probability;
} Standing;

/* The visit that the point is in: the first one that ended after it. */
static Standing
find_place(Walk *walk, const ReplayLife *end)
{
	Events	   *visits = &walk->as_of->visits;
	const ReplayPlace *last = end != NULL ? &end->place : &walk->present->place;

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
			return (Standing)
		{
			crm_place(walk->as_of->places, visit->place), visit->entered_at, visit->probability
		};
	}
	stop_at(walk, points_before(walk->as_of, last->entered_at));
	walk->place = crm_make_place(walk->as_of->places, last);
	return (Standing)
	{
		last->entered_at > walk->as_of->at[walk->point] ? NULL : &walk->place,
			last->entered_at, last->probability
	};
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
find_probability(Walk *walk, const ReplayLife *end, const Standing *standing)
{
	const Events *edits = &walk->as_of->edits;

	for (uint32 i = edits->over; i < edits->count; i++)
	{
		const Edit *edit = edits->items[i];

		CHECK_FOR_INTERRUPTS();
		/* A later life may have begun as this one ended. */
		if (end != NULL && crm_replay_compare(&edit->order, &end->order) > 0)
			break;
		if (is_of_visit(edit, &standing->place->stage, standing->entered_at))
			return edit->probability;
	}
	return standing->probability;
}

/* Sets walk->next, and counts the deal at the points from walk->point to walk->next - 1. */
static void
take_step(Walk *walk)
{
	const ReplayLife *end = find_life(walk);
	Standing	standing;
	const Edit *edit;

	/* It came back after the point, or is gone. */
	if (end != NULL ? !end->is_deleted : walk->present == NULL)
		return;
	standing = find_place(walk, end);
	edit = find_edit(walk);
	if (standing.place != NULL && (edit != NULL || walk->present != NULL))
		count_deal(walk->as_of, standing.place,
				   edit != NULL ? &edit->values : &walk->present->values,
				   find_probability(walk, end, &standing), walk->point, walk->next);
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

/* Follows a deal from point to point, whatever happened to it. */
static void
walk_through_points(Replay *replay, const AsOfDeal *deal, const ReplayPresent *present)
{
	AsOf	   *as_of = replay->arg;
	Walk		walk = {.replay = replay,.as_of = as_of,.deal = &deal->deal,.present = present};

	arrange_events(replay, as_of, deal);
	for (; walk.point < as_of->npoints; walk.point = walk.next)
	{
		walk.next = as_of->npoints;
		take_step(&walk);
	}
}

static void
receive_deal(Replay *replay, ReplayDeal *replay_deal, const ReplayPresent *present)
{
	static const AsOfDeal no_events;
	const AsOfDeal *deal = replay_deal != NULL ? (const AsOfDeal *) replay_deal : &no_events;
	AsOf	   *as_of = replay->arg;
	uint32		first = present != NULL ? points_before(as_of, present->place.entered_at) : 0;

	as_of->subject = find_subject(as_of->subjects, present);
	if (is_simple(deal, present, first))
		count_simple(as_of, deal, present, first);
	else
		walk_through_points(replay, deal, present);
}

static void
prefetch(const ReplayDeal *replay_deal, int step)
{
	const Visit *visit = ((const AsOfDeal *) replay_deal)->visits;

	for (; step > 0 && visit != NULL; step--)
		visit = visit->next;
	__builtin_prefetch(visit);
	__builtin_prefetch((const char *) visit + sizeof(Visit) - 1);
}

static const ReplayUser as_of_user = {
	AS_OF_DEAL_SIZE, offsetof(AsOfDeal, edit), receive_edit, has_points, receive_move, prefetch,
	receive_deal
};

/* ---- the function ---- */

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
	as_of.places = crm_places_create(as_of.currency != 0);
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
