/*
 * analytics/places.h
 *		The places of deals, numbered: many visits are of few places.
 */
#ifndef CRM_ANALYTICS_PLACES_H
#define CRM_ANALYTICS_PLACES_H

#include "utils/date.h"

#include "analytics/uuid_key.h"
#include "stage/deal_status.h"

/* A place, as far as sums tell deals apart by it. */
typedef struct Place
{
	UuidKey		stage;
	DateADT		closed_on;		/* if days are wanted, and it is known */
	uint8		status;			/* DealStatus */
	bool		is_here;
	bool		has_closed_on;
} Place;

/* Most visits are of few places, which are found without the hash table. */
#define RECENT_BITS	6

typedef struct Places
{
	struct place_hash *numbers;
	HashSeed	seed;
	Place	   *items;			/* by number */
	uint32		count;
	uint32		room;
	uint32		recent[1 << RECENT_BITS];	/* numbers, by a part of the
											 * stage's id */
} Places;

/* In the current memory context. */
extern Places *crm_places_create(void);

static inline const Place *
crm_place(const Places *places, uint32 number)
{
	return &places->items[number];
}

static inline bool
crm_places_equal(const Place *a, const Place *b)
{
	return crm_uuid_keys_equal(a->stage, b->stage) && a->closed_on == b->closed_on &&
		a->status == b->status && a->is_here == b->is_here &&
		a->has_closed_on == b->has_closed_on;
}

/* The number of a place, which stays. */
extern uint32 crm_find_place(Places *places, const Place *place);

static inline uint32
crm_place_number(Places *places, const Place *place)
{
	uint64		mixed = place->stage.word[0] ^ place->stage.word[1];
	uint32	   *recent;

	mixed *= UINT64CONST(0x9E3779B97F4A7C15);
	recent = &places->recent[mixed >> (64 - RECENT_BITS)];
	if (*recent >= places->count || !crm_places_equal(crm_place(places, *recent), place))
		*recent = crm_find_place(places, place);
	return *recent;
}

#endif							/* CRM_ANALYTICS_PLACES_H */
