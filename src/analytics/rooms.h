/*
 * analytics/rooms.h
 *		Memory for many small things that go together.
 *
 * Unlike a memory context it gives its memory back to be used again, not to the system,
 * which would clear it each time.
 */
#ifndef CRM_ANALYTICS_ROOMS_H
#define CRM_ANALYTICS_ROOMS_H

typedef struct Room
{
	struct Room *next;
	char	   *end;
} Room;

typedef struct Rooms
{
	MemoryContext context;
	Room	   *first;			/* larger and larger ones */
	Room	   *room;			/* what is free is in this one, and after it */
	char	   *free;
} Rooms;

/* The largest size that can be had. */
#define ROOMS_MAX_SIZE	((Size) 60 * 1024)

/* The first room, which is not given back, is allocated with the first thing. */
static inline void
crm_rooms_init(Rooms *rooms, MemoryContext context)
{
	memset(rooms, 0, sizeof(Rooms));
	rooms->context = context;
}

extern void crm_rooms_enter_next(Rooms *rooms);

/* Memory of that size, at most ROOMS_MAX_SIZE, not zeroed. */
static inline void *
crm_rooms_alloc(Rooms *rooms, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (unlikely(rooms->room == NULL || (Size) (rooms->room->end - rooms->free) < size))
		crm_rooms_enter_next(rooms);
	result = rooms->free;
	rooms->free += size;
	return result;
}

/* All of it is free again. */
extern void crm_rooms_reset(Rooms *rooms);

#endif							/* CRM_ANALYTICS_ROOMS_H */
