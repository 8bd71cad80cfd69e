/*
 * analytics/deal_index.h
 *		Numbers of deals, from 0 in the order in which the deals come.
 *
 * The data of deals is in arrays, by the deals' numbers.  So deals that are near each
 * other in a table are near each other in the arrays, and rows written at the same
 * time mostly belong to such deals.  Only the slots, of 8 bytes each, are accessed
 * randomly.  A hash table with all data in its entries would cause a cache miss and a
 * TLB miss at each access.
 */
#ifndef CRM_ANALYTICS_DEAL_INDEX_H
#define CRM_ANALYTICS_DEAL_INDEX_H

#include "utils/memutils.h"

#include "analytics/uuid_key.h"

#define NOT_A_DEAL	PG_UINT32_MAX

typedef struct DealSlot
{
	uint32		hash;
	uint32		number;			/* NOT_A_DEAL: free */
} DealSlot;

typedef struct DealIndex
{
	MemoryContext context;
	HashSeed	seed;
	uint32		count;			/* of deals; at most half of the slots */
	uint32		mask;			/* number of slots, a power of two, less 1 */
	DealSlot   *slots;
	UuidKey    *ids;			/* by number; room for half of the slots */
} DealIndex;

/* In the current memory context, with room for that many deals. */
extern DealIndex *crm_deal_index_create(uint64 expected);

/* Takes all deals out. */
extern void crm_deal_index_reset(DealIndex *index);

/* Doubles the room. */
extern void crm_deal_index_grow(DealIndex *index);

static inline uint32
crm_deal_hash(const DealIndex *index, UuidKey id)
{
	return crm_uuid_hash(id, index->seed);
}

static inline void
crm_deal_prefetch(const DealIndex *index, uint32 hash)
{
	__builtin_prefetch(&index->slots[hash & index->mask]);
}

/*
 * The number of the deal of that hash, whose id is prefetched.  Another deal of the same
 * hash may be taken for it.
 */
static inline uint32
crm_deal_guess(const DealIndex *index, uint32 hash)
{
	uint32		slot = hash & index->mask;

	while (index->slots[slot].number != NOT_A_DEAL && index->slots[slot].hash != hash)
		slot = (slot + 1) & index->mask;
	if (index->slots[slot].number != NOT_A_DEAL)
		__builtin_prefetch(&index->ids[index->slots[slot].number]);
	return index->slots[slot].number;
}

/* The slot of the deal, or the free one where it would be. */
static inline DealSlot *
crm_deal_slot(const DealIndex *index, UuidKey id, uint32 hash)
{
	uint32		slot = hash & index->mask;

	while (index->slots[slot].number != NOT_A_DEAL &&
		   (index->slots[slot].hash != hash ||
			!crm_uuid_keys_equal(index->ids[index->slots[slot].number], id)))
		slot = (slot + 1) & index->mask;
	return &index->slots[slot];
}

/* The number of a deal; NOT_A_DEAL if it is not there. */
static inline uint32
crm_deal_find(const DealIndex *index, UuidKey id, uint32 hash)
{
	return crm_deal_slot(index, id, hash)->number;
}

/* The number of a deal, which is added if it is not there. */
static inline uint32
crm_deal_number(DealIndex *index, UuidKey id, uint32 hash, bool *found)
{
	DealSlot   *slot = crm_deal_slot(index, id, hash);

	*found = slot->number != NOT_A_DEAL;
	if (*found)
		return slot->number;
	if (unlikely(index->count > index->mask / 2))
	{
		crm_deal_index_grow(index);
		slot = crm_deal_slot(index, id, hash);
	}
	slot->hash = hash;
	slot->number = index->count;
	index->ids[index->count] = id;
	return index->count++;
}

#endif							/* CRM_ANALYTICS_DEAL_INDEX_H */
