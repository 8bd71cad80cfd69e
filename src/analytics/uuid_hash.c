/*
 * analytics/uuid_hash.c
 *		A table that finds the number of a uuid.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "analytics/uuid_hash.h"

#define AHEAD	16				/* uuids */

/* An empty table for the uuids of an array, which must stay where it is. */
UuidTable *
crm_uuid_table_create(const void *uuids, Size stride, uint32 count, MemoryContext context)
{
	UuidTable  *table = MemoryContextAlloc(context, sizeof(UuidTable));
	uint64		nslots = pg_nextpower2_64(Max((uint64) count + count / 2, 8));

	table->slots = MemoryContextAllocExtended(context, nslots * sizeof(uint64),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	table->mask = nslots - 1;
	table->uuids = uuids;
	table->stride = stride;
	return table;
}

/* Adds a uuid of the array; false if it is there already. */
bool
crm_uuid_table_add(UuidTable *table, uint32 number)
{
	UuidKey		key = *crm_uuid_table_key(table, number);
	uint64		hash = crm_uuid_hash(key);
	uint64		i = hash & table->mask;

	while (table->slots[i] != 0)
	{
		if ((table->slots[i] ^ hash) >> 32 == 0 &&
			crm_uuid_keys_equal(*crm_uuid_table_key(table, (uint32) table->slots[i] - 1), key))
			return false;
		i = (i + 1) & table->mask;
	}
	table->slots[i] = (hash & ~UINT64CONST(0xFFFFFFFF)) | (number + 1);
	return true;
}

/* Adds the first uuids of the array; false if two are the same. */
bool
crm_uuid_table_fill(UuidTable *table, uint32 count)
{
	bool		unique = true;

	for (uint32 i = 0; i < count; i++)
	{
		/* The slots are in no order, so that each would be waited for. */
		if (i + AHEAD < count)
			__builtin_prefetch(crm_uuid_table_slot(table,
												   crm_uuid_hash(*crm_uuid_table_key(table, i + AHEAD))), 1);
		unique &= crm_uuid_table_add(table, i);
	}
	return unique;
}
