/*
 * analytics/deal_parts.c
 *		Records of deals, put into parts by their deals.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "analytics/deal_parts.h"

/* So many parts that one fits into the cache, and so few that all can be written to at once. */
#define PART_BITS	9

/* So many records are in the first chunk of a part, and so many bytes at most in any. */
#define FIRST_RECORDS	4
#define LARGEST_CHUNK	((Size) 32 * 1024)

void
crm_deal_parts_init(DealParts *parts, Rooms *rooms, Size record_size, bool is_small)
{
	parts->rooms = rooms;
	parts->record_size = MAXALIGN(record_size);
	parts->shift = is_small ? 32 : 32 - PART_BITS;
	parts->count = 0;
	parts->parts = MemoryContextAllocZero(rooms->context,
										  crm_deal_parts_count(parts) * sizeof(DealPart));
}

static char *
records_of(DealChunk *chunk)
{
	return (char *) chunk + MAXALIGN(sizeof(DealChunk));
}

void
crm_deal_part_grow(DealParts *parts, DealPart *part)
{
	Size		records = FIRST_RECORDS;
	DealChunk  *chunk;

	if (part->last != NULL)
	{
		part->last->end = part->free;
		records = (part->free - records_of(part->last)) / parts->record_size * 2;
		records = Min(records, LARGEST_CHUNK / parts->record_size);
	}
	chunk = crm_rooms_alloc(parts->rooms,
							MAXALIGN(sizeof(DealChunk)) + records * parts->record_size);
	chunk->next = NULL;
	if (part->last != NULL)
		part->last->next = chunk;
	else
		part->first = chunk;
	part->last = chunk;
	part->free = records_of(chunk);
	part->end = part->free + records * parts->record_size;
}

/* Each chunk has records. */
bool
crm_deal_parts_go_on(DealPartReader *reader)
{
	CHECK_FOR_INTERRUPTS();
	while (reader->chunk == NULL && reader->next <= reader->last)
	{
		const DealPart *part = &reader->parts->parts[reader->next++];

		if (part->last != NULL)
			part->last->end = part->free;
		reader->chunk = part->first;
	}
	if (reader->chunk == NULL)
		return false;
	reader->at = records_of(unconstify(DealChunk *, reader->chunk));
	reader->end = reader->chunk->end;
	reader->chunk = reader->chunk->next;
	return true;
}
