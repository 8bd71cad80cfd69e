/*
 * analytics/as_of_deal.h
 *		A deal at moments of the past.
 *
 * The moments are called points, and are in ascending order.  An event affects only
 * points before it, so for each event the number of points before it is kept.  The
 * state of a deal at a point is given by the first events after the point, and does
 * not change until the next event.  So the cost of a deal depends on the number of its
 * events, not on the number of points.
 */
#ifndef CRM_ANALYTICS_AS_OF_DEAL_H
#define CRM_ANALYTICS_AS_OF_DEAL_H

#include "analytics/point_sums.h"
#include "analytics/replay.h"

/* A visit that ended, which covers the points from first to end - 1. */
typedef struct AsOfVisit
{
	struct AsOfVisit *next;
	ReplayPlace place;
	ReplayOrder ended;
	uint32		first;
	uint32		end;
	uint32		life;
} AsOfVisit;

/*
 * A deal with events since the first point; the lists are in no order.  The values before
 * an edit hold at the points before its end.
 */
typedef struct AsOfDeal
{
	ReplayDeal	deal;			/* must be first */
	AsOfVisit  *visits;
	ReplayEdit *edits;
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
	const DealIndex *deals;		/* that have one subject for good; NULL: none */
	const uint32 *subjects;		/* by their numbers */
	uint32		subject;		/* that of the deal at hand */
	PointSums  *sums;
	const Places *places;
	Events		visits;
	Events		edits;
} AsOf;

#define CURRENCY_BITS	UINT64CONST(0xFFFFFF00)

/*
 * The number of points before that time, which is the index of the first later point.
 * Most points are at equal distances: then the first guess is right, or nearly.
 */
static inline uint32
crm_points_before(const AsOf *as_of, TimestampTz time)
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

/* Whether the edit was made in the visit of that place and time. */
static inline bool
crm_is_of_visit(const AsOf *as_of, const ReplayEdit *edit, const ReplayPlace *visit)
{
	return edit->place.entered_at == visit->entered_at &&
		(edit->place.number == visit->number ||
		 crm_uuid_keys_equal(crm_place(as_of->places, edit->place.number)->stage,
							 crm_place(as_of->places, visit->number)->stage));
}

/* Sets in key which exchange rate the amounts of the deal have. */
static inline void
crm_set_rate(const AsOf *as_of, PointKey *key, const Place *place, const ReplayValues *values)
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
crm_count_deal(const AsOf *as_of, uint32 place_number, const ReplayValues *values,
			   int32 probability, uint32 first, uint32 end)
{
	const Place *place = crm_place(as_of->places, place_number);
	SummaryEntry entry = {.deals = 1};
	PointKey	key = {.status = place->status};

	if (first >= end || !place->is_here || values->is_archived)
		return;
	memcpy(key.summary.stage, &place->stage, UUID_LEN);
	key.summary.rest = values->rest;
	key.subject = as_of->deals != NULL ? as_of->subject : values->subject;
	crm_set_rate(as_of, &key, place, values);
	entry.deals_without_amount = !values->has_amount;
	entry.deals_without_probability = probability == REPLAY_NO_PROBABILITY;
	entry.value = values->amount;
	entry.weighted_value = entry.deals_without_probability ? 0 : values->amount * probability;
	crm_point_sums_add(as_of->sums, &key, &entry, first, end);
}

/*
 * analytics/as_of_walk.c: follows a deal from point to point, whatever happened to it, and counts
 * it.  present: NULL if it is no more.
 */
extern void crm_walk_through_points(Replay *replay, const AsOfDeal *deal,
									const ReplayPresent *present);

#endif							/* CRM_ANALYTICS_AS_OF_DEAL_H */
