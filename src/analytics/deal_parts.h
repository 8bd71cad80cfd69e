/*
 * analytics/deal_parts.h
 *		Records of deals, put into parts by their deals.
 *
 * Each row of a table mostly belongs to another deal than the one before it.  If all that
 * is known of a deal were looked up for each row, the processor would wait for memory each
 * time.  So records are first put into parts, by a hash of the deal, and then worked on
 * part by part: what is known of the deals of a part is small enough for the processor's
 * cache.
 */
#ifndef CRM_ANALYTICS_DEAL_PARTS_H
#define CRM_ANALYTICS_DEAL_PARTS_H

#include "analytics/rooms.h"

/* The records of a part are in chunks, each followed by its records. */
typedef struct DealChunk
{
	struct DealChunk *next;
	char	   *end;			/* of its records */
} DealChunk;

typedef struct DealPart
{
	char	   *free;			/* in the last chunk */
	char	   *end;			/* of that chunk */
	DealChunk  *first;
	DealChunk  *last;
} DealPart;

#define CACHE_LINE	64			/* mostly */

typedef struct DealParts
{
	Rooms	   *rooms;
	Size		record_size;
	int			shift;			/* of a hash, to have the number of the part */
	uint64		count;			/* of records */
	DealPart   *parts;
} DealParts;

/* Of records of that size; with one part if the deals are few. */
extern void crm_deal_parts_init(DealParts *parts, Rooms *rooms, Size record_size, bool is_small);
extern void crm_deal_part_grow(DealParts *parts, DealPart *part);

static inline int
crm_deal_parts_count(const DealParts *parts)
{
	return 1 << (32 - parts->shift);
}

/* Room for a record of the deal of that hash; not zeroed. */
static inline void *
crm_deal_parts_add(DealParts *parts, uint32 hash)
{
	DealPart   *part = &parts->parts[(uint64) hash >> parts->shift];
	char	   *record;

	if (unlikely(part->free == part->end))
		crm_deal_part_grow(parts, part);
	record = part->free;
	part->free += parts->record_size;
	parts->count++;
	/* Else what is written next would wait for this part's memory to come. */
	for (Size at = 0; at < parts->record_size; at += CACHE_LINE)
		__builtin_prefetch(part->free + at, 1);
	__builtin_prefetch(part->free + parts->record_size - 1, 1);
	return record;
}

/* Where a reader of some parts is. */
typedef struct DealPartReader
{
	DealParts  *parts;
	int			next;			/* part */
	int			last;
	const DealChunk *chunk;		/* the next one of the part at hand */
	char	   *at;
	char	   *end;
} DealPartReader;

/* For the records of the parts from first to last. */
static inline DealPartReader
crm_deal_parts_read(DealParts *parts, int first, int last)
{
	return (DealPartReader)
	{
		parts, first, last
	};
}

/* Goes to the next chunk; false after the last one. */
extern bool crm_deal_parts_go_on(DealPartReader *reader);

/* The next record; NULL after the last one. */
static inline void *
crm_deal_parts_next(DealPartReader *reader)
{
	char	   *record;

	if (unlikely(reader->at == reader->end) && !crm_deal_parts_go_on(reader))
		return NULL;
	record = reader->at;
	reader->at += reader->parts->record_size;
	return record;
}

#endif							/* CRM_ANALYTICS_DEAL_PARTS_H */
