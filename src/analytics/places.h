/*
 * analytics/places.h
 *		The places of deals, numbered: many visits are of few places.
 */
#ifndef CRM_ANALYTICS_PLACES_H
#define CRM_ANALYTICS_PLACES_H

#include "utils/date.h"

#include "analytics/conversion_day.h"
#include "analytics/replay.h"
#include "analytics/uuid_key.h"

/* A place, as far as sums tell deals apart by it. */
typedef struct Place
{
	UuidKey		stage;
	DateADT		closed_on;		/* if days are wanted, and it is known */
	uint8		status;			/* DealStatus */
	bool		is_here;
	bool		has_closed_on;
} Place;

typedef struct Places
{
	struct place_hash *numbers;
	HashSeed	seed;
	Place	   *items;			/* by number */
	uint32		count;
	uint32		room;
	bool		want_days;
} Places;

/* In the current memory context.  want_days: whether places of other days are others. */
extern Places *crm_places_create(bool want_days);

/* The number of the place, which stays. */
extern uint32 crm_place_number(Places *places, const ReplayPlace *place);

static inline const Place *
crm_place(const Places *places, uint32 number)
{
	return &places->items[number];
}

static inline Place
crm_make_place(const Places *places, const ReplayPlace *place)
{
	Place		result = {
		.stage = crm_uuid_key(&place->stage_id),.status = place->status,.is_here = place->is_here
	};

	if (places->want_days && place->has_closed_at)
	{
		result.has_closed_on = true;
		result.closed_on = crm_day_of(place->closed_at);
	}
	return result;
}

#endif							/* CRM_ANALYTICS_PLACES_H */
