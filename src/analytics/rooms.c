/*
 * analytics/rooms.c
 *		Memory for many small things that go together.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "analytics/rooms.h"
#include "base/large_memory.h"

#define FIRST_ROOM		((Size) 64 * 1024)
#define LARGEST_ROOM	((Size) 32 * 1024 * 1024)

StaticAssertDecl(ROOMS_MAX_SIZE + MAXALIGN(sizeof(Room)) <= FIRST_ROOM, "a room is too small");

static char *
beginning(Room *room)
{
	return (char *) room + MAXALIGN(sizeof(Room));
}

static Room *
new_room(const Rooms *rooms)
{
	Size		size = FIRST_ROOM;
	Room	   *room;

	if (rooms->room != NULL)
		size = Min((Size) (rooms->room->end - (char *) rooms->room) * 2, LARGEST_ROOM);
	room = crm_alloc_large(rooms->context, size);
	room->next = NULL;
	room->end = (char *) room + size;
	return room;
}

void
crm_rooms_enter_next(Rooms *rooms)
{
	Room	  **next = rooms->room != NULL ? &rooms->room->next : &rooms->first;

	if (*next == NULL)
		*next = new_room(rooms);
	rooms->room = *next;
	rooms->free = beginning(rooms->room);
}

void
crm_rooms_reset(Rooms *rooms)
{
	rooms->room = NULL;
	rooms->free = NULL;
}
