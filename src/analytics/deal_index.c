/*
 * analytics/deal_index.c
 *		Numbers of deals, from 0 in the order in which the deals come.
 */
#include "postgres.h"

#include "analytics/deal_index.h"
#include "base/large_memory.h"

#define MIN_SLOTS	UINT64CONST(1024)
#define MAX_SLOTS	(UINT64CONST(1) << 31)

static void
clear_slots(DealIndex *index)
{
	/* All bits set: NOT_A_DEAL. */
	memset(index->slots, 0xFF, ((uint64) index->mask + 1) * sizeof(DealSlot));
}

static void
make_slots(DealIndex *index, uint64 nslots)
{
	if (nslots > MAX_SLOTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("history has too many deals"),
				 errhint("Choose fewer deals, such as by a period.")));
	index->mask = (uint32) (nslots - 1);
	index->slots = crm_alloc_large(index->context, nslots * sizeof(DealSlot));
	clear_slots(index);
}

DealIndex *
crm_deal_index_create(uint64 expected)
{
	DealIndex  *index = palloc0(sizeof(DealIndex));
	uint64		nslots = MIN_SLOTS;

	while (nslots / 2 < expected)
		nslots *= 2;
	index->context = CurrentMemoryContext;
	index->seed = crm_new_hash_seed();
	make_slots(index, nslots);
	index->ids = crm_alloc_large(index->context, nslots / 2 * sizeof(UuidKey));
	return index;
}

void
crm_deal_index_grow(DealIndex *index)
{
	uint64		nslots = ((uint64) index->mask + 1) * 2;
	DealSlot   *old = index->slots;

	make_slots(index, nslots);
	for (uint64 i = 0; i < nslots / 2; i++)
	{
		if (old[i].number != NOT_A_DEAL)
			*crm_deal_slot(index, index->ids[old[i].number], old[i].hash) = old[i];
	}
	crm_free_large(old);
	index->ids = crm_realloc_large(index->ids, nslots / 4 * sizeof(UuidKey),
								   nslots / 2 * sizeof(UuidKey));
}

void
crm_deal_index_reset(DealIndex *index)
{
	clear_slots(index);
	index->count = 0;
}
