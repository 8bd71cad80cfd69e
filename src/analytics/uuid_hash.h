/*
 * analytics/uuid_hash.h
 *		Uuids as two words, and a table that finds the number of one.
 *
 * The table holds half of each hash beside the number, so that a lookup touches
 * one line of memory before the uuid itself; both can be fetched ahead.
 */
#ifndef CRM_ANALYTICS_UUID_HASH_H
#define CRM_ANALYTICS_UUID_HASH_H

#include "fmgr.h"
#include "utils/uuid.h"

/* The bytes of a uuid, to be compared but not ordered. */
typedef struct UuidKey
{
	uint64		word[2];
} UuidKey;

/* Where uuid 'number' lies: in the stride-th part of an array of the owner's. */
typedef struct UuidTable
{
	uint64	   *slots;			/* 0 if free, else half a hash and number + 1 */
	uint64		mask;
	const char *uuids;
	Size		stride;
} UuidTable;

#define UUID_NOT_FOUND	PG_UINT32_MAX

extern UuidTable *crm_uuid_table_create(const void *uuids, Size stride, uint32 count,
										MemoryContext context);
extern bool crm_uuid_table_add(UuidTable *table, uint32 number);
extern bool crm_uuid_table_fill(UuidTable *table, uint32 count);

static inline UuidKey
crm_uuid_key(const void *uuid)
{
	UuidKey		key;

	/* Two copies of a word each, as two words are what is read next. */
	memcpy(&key.word[0], uuid, sizeof(uint64));
	memcpy(&key.word[1], (const char *) uuid + sizeof(uint64), sizeof(uint64));
	return key;
}

static inline UuidKey
crm_uuid_key_arg(FunctionCallInfo fcinfo, int arg)
{
	return crm_uuid_key(DatumGetPointer(fcinfo->args[arg].value));
}

/* Ids may differ in a few bits anywhere, so each word is folded and multiplied. */
static inline uint64
crm_uuid_hash(UuidKey key)
{
	uint64		hash = key.word[0];

	hash = (hash ^ (hash >> 32)) * UINT64CONST(0xD6E8FEB86659FD93);
	hash ^= key.word[1];
	hash = (hash ^ (hash >> 32)) * UINT64CONST(0xFF51AFD7ED558CCD);
	return hash ^ (hash >> 32);
}

static inline bool
crm_uuid_keys_equal(UuidKey a, UuidKey b)
{
	return ((a.word[0] ^ b.word[0]) | (a.word[1] ^ b.word[1])) == 0;
}

/* The uuid of a number. */
static inline const UuidKey *
crm_uuid_table_key(const UuidTable *table, uint32 number)
{
	return (const UuidKey *) (table->uuids + number * table->stride);
}

static inline uint64 *
crm_uuid_table_slot(const UuidTable *table, uint64 hash)
{
	return &table->slots[hash & table->mask];
}

/*
 * The number of a uuid, or UUID_NOT_FOUND.  Without 'exact' what is found may be
 * another's, with half a hash in common: to be fetched ahead.
 */
static inline uint32
crm_uuid_table_find(const UuidTable *table, UuidKey key, uint64 hash, bool exact)
{
	for (uint64 i = hash & table->mask; table->slots[i] != 0; i = (i + 1) & table->mask)
	{
		uint64		slot = table->slots[i];
		uint32		number = (uint32) slot - 1;

		if ((slot ^ hash) >> 32 == 0 &&
			(!exact || crm_uuid_keys_equal(*crm_uuid_table_key(table, number), key)))
			return number;
	}
	return UUID_NOT_FOUND;
}

#endif							/* CRM_ANALYTICS_UUID_HASH_H */
