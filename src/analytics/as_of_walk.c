/*
 * analytics/as_of_walk.c
 *		A deal followed from point to point, whatever happened to it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "analytics/as_of_deal.h"

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
	uint32		subject;		/* of the deal that there is now */
} Walk;

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
	const AsOfVisit *x = *(AsOfVisit *const *) a;
	const AsOfVisit *y = *(AsOfVisit *const *) b;

	CHECK_FOR_INTERRUPTS();
	return crm_replay_compare(&x->ended, &y->ended);
}

static int
compare_edits(const void *a, const void *b)
{
	const ReplayEdit *x = *(ReplayEdit *const *) a;
	const ReplayEdit *y = *(ReplayEdit *const *) b;

	CHECK_FOR_INTERRUPTS();
	return crm_replay_compare(&x->order, &y->order);
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
	for (AsOfVisit *visit = deal->visits; visit != NULL; visit = visit->next)
		add_event(replay, &as_of->visits, visit);
	for (ReplayEdit *edit = deal->edits; edit != NULL; edit = edit->next)
		add_event(replay, &as_of->edits, edit);
	sort_events(&as_of->visits, compare_visits);
	sort_events(&as_of->edits, compare_edits);
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

		stop_at(walk, crm_points_before(walk->as_of, end->order.at));
		if (end->order.at > walk->as_of->at[walk->point])
			return end;
	}
	return NULL;
}

/* Whether the deal of the life at the point is the one that there is now. */
static bool
goes_on(const Walk *walk)
{
	const ReplayLife *lives = walk->deal->lives;
	uint32		count = walk->deal->nlives;

	if (walk->present == NULL)
		return false;
	for (uint32 i = walk->life; i < count; i += 2)
	{
		CHECK_FOR_INTERRUPTS();
		if (i + 1 == count || !lives[i + 1].goes_on)
			return false;
	}
	return true;
}

/* Where it stands at the point, by the first visit that ended after it; NULL: not there yet. */
static const ReplayPlace *
find_place(Walk *walk, const ReplayLife *end)
{
	Events	   *visits = &walk->as_of->visits;
	const ReplayPlace *last = end != NULL ? &end->place : &walk->present->place;

	while (visits->over < visits->count &&
		   ((AsOfVisit *) visits->items[visits->over])->end <= walk->point)
		visits->over++;
	for (uint32 i = visits->over; i < visits->count; i++)
	{
		const AsOfVisit *visit = visits->items[i];

		CHECK_FOR_INTERRUPTS();
		stop_at(walk, visit->first);
		stop_at(walk, visit->end);
		if (visit->first <= walk->point && visit->life == walk->life)
			return &visit->place;
	}
	stop_at(walk, crm_points_before(walk->as_of, last->entered_at));
	return last->entered_at > walk->as_of->at[walk->point] ? NULL : last;
}

/* The first edit after the point; NULL if there is none. */
static const ReplayEdit *
find_edit(Walk *walk)
{
	Events	   *edits = &walk->as_of->edits;

	for (; edits->over < edits->count; edits->over++)
	{
		const ReplayEdit *edit = edits->items[edits->over];

		if (edit->end <= walk->point)
			continue;
		stop_at(walk, edit->end);
		return edit;
	}
	return NULL;
}

/* The probability at the point: before the first edit of the visit after it. */
static int32
find_probability(Walk *walk, const ReplayLife *end, const ReplayPlace *place)
{
	const Events *edits = &walk->as_of->edits;

	for (uint32 i = edits->over; i < edits->count; i++)
	{
		const ReplayEdit *edit = edits->items[i];

		CHECK_FOR_INTERRUPTS();
		/* A later life may have begun as this one ended. */
		if (end != NULL && crm_replay_compare(&edit->order, &end->order) > 0)
			break;
		if (crm_is_of_visit(walk->as_of, edit, place))
			return edit->place.probability;
	}
	return place->probability;
}

/* Sets walk->next, and counts the deal at the points from walk->point to walk->next - 1. */
static void
take_step(Walk *walk)
{
	const ReplayLife *end = find_life(walk);
	const ReplayPlace *place;
	const ReplayEdit *edit;

	/* It came back after the point, or is gone. */
	if (end != NULL ? !end->is_deleted : walk->present == NULL)
		return;
	place = find_place(walk, end);
	edit = find_edit(walk);
	if (place == NULL || (edit == NULL && walk->present == NULL))
		return;
	walk->as_of->subject = goes_on(walk) ? walk->subject : 0;
	crm_count_deal(walk->as_of, place->number,
				   edit != NULL ? &edit->values : &walk->present->values,
				   find_probability(walk, end, place), walk->point, walk->next);
}

void
crm_walk_through_points(Replay *replay, const AsOfDeal *deal, const ReplayPresent *present)
{
	AsOf	   *as_of = replay->arg;
	Walk		walk = {
		.replay = replay,.as_of = as_of,.deal = &deal->deal,.present = present,
		.subject = as_of->subject
	};

	arrange_events(replay, as_of, deal);
	for (; walk.point < as_of->npoints; walk.point = walk.next)
	{
		walk.next = as_of->npoints;
		take_step(&walk);
	}
}
