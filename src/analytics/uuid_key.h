/*
 * analytics/uuid_key.h
 *		Uuids as two words, and a keyed hash of them.
 *
 * Ids may be chosen by who writes them, so that a hash without a key could be
 * made to collide.  The key is random, and belongs to one hash table.
 */
#ifndef CRM_ANALYTICS_UUID_KEY_H
#define CRM_ANALYTICS_UUID_KEY_H

#include "common/pg_prng.h"
#include "utils/uuid.h"

/* The bytes of a uuid, to be compared but not ordered. */
typedef struct UuidKey
{
	uint64		word[2];
} UuidKey;

/* The key of a hash table. */
typedef struct HashSeed
{
	uint64		word[2];
} HashSeed;

static inline UuidKey
crm_uuid_key(const void *uuid)
{
	UuidKey		key;

	/* Two copies of a word each, as two words are what is read next. */
	memcpy(&key.word[0], uuid, sizeof(uint64));
	memcpy(&key.word[1], (const char *) uuid + sizeof(uint64), sizeof(uint64));
	return key;
}

static inline bool
crm_uuid_keys_equal(UuidKey a, UuidKey b)
{
	return ((a.word[0] ^ b.word[0]) | (a.word[1] ^ b.word[1])) == 0;
}

static inline HashSeed
crm_new_hash_seed(void)
{
	HashSeed	seed;

	seed.word[0] = pg_prng_uint64(&pg_global_prng_state);
	seed.word[1] = pg_prng_uint64(&pg_global_prng_state);
	return seed;
}

/* Both halves of the product of two words, mixed. */
static inline uint64
crm_hash_mix(uint64 a, uint64 b)
{
	uint128		product = (uint128) a * b;

	return (uint64) product ^ (uint64) (product >> 64);
}

static inline uint32
crm_uuid_hash(UuidKey key, HashSeed seed)
{
	uint64		mixed = crm_hash_mix(key.word[0] ^ seed.word[0], key.word[1] ^ seed.word[1]);

	return (uint32) crm_hash_mix(mixed ^ seed.word[1], UINT64CONST(0x9E3779B97F4A7C15));
}

#endif							/* CRM_ANALYTICS_UUID_KEY_H */
