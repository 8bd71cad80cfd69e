/*
 * analytics/places.c
 *		The places of deals, numbered.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "analytics/places.h"

typedef struct PlaceEntry
{
	Place		place;
	uint32		number;
	char		status;			/* of the entry */
} PlaceEntry;

#define SH_PREFIX place
#define SH_ELEMENT_TYPE PlaceEntry
#define SH_KEY_TYPE Place
#define SH_KEY place
#define SH_HASH_KEY(tb, k) \
	(crm_uuid_hash((k).stage, ((const Places *) (tb)->private_data)->seed) ^ \
	 murmurhash32((uint32) (k).closed_on * 4 + (k).status))
#define SH_EQUAL(tb, a, b) crm_places_equal(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define FIRST_ROOM	64

Places *
crm_places_create(void)
{
	Places	   *places = palloc0(sizeof(Places));

	places->seed = crm_new_hash_seed();
	places->numbers = place_create(CurrentMemoryContext, FIRST_ROOM, places);
	places->room = FIRST_ROOM;
	places->items = palloc(FIRST_ROOM * sizeof(Place));
	return places;
}

uint32
crm_find_place(Places *places, const Place *place)
{
	bool		found;
	PlaceEntry *entry = place_insert(places->numbers, *place, &found);

	if (found)
		return entry->number;
	if (places->count == places->room)
	{
		places->room *= 2;
		places->items = repalloc_huge(places->items, places->room * sizeof(Place));
	}
	places->items[places->count] = *place;
	return entry->number = places->count++;
}
