/*
 * table/key_lock.c
 *		Locks on what a key stands for, instead of on its row.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"

#include "table/key_lock.h"

/* How many locks stand for all keys of a tenant in a table. */
#define KEY_LOCKS 256

/*
 * A lock of the lock manager's, not of the row: it is shared without writing
 * anything, and renaming a stage need not wait for those who move deals.
 */
static void
lock_hash(Oid relid, uint64 hash, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relid, (uint32) hash, (uint16) (hash >> 32));
	(void) LockAcquire(&tag, mode, false, false);
}

/* Each tenant has its own locks, so that tenants do not wait for each other. */
static uint64
key_lock(const pg_uuid_t *tenant_id, const pg_uuid_t *key)
{
	uint64		lock = hash_bytes(key->data, UUID_LEN) % KEY_LOCKS;

	return lock << 32 | hash_bytes(tenant_id->data, UUID_LEN);
}

void
crm_lock_key(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key, LOCKMODE mode)
{
	lock_hash(relid, key_lock(tenant_id, key), mode);
}

void
crm_lock_key_alone(Oid relid, const pg_uuid_t *key)
{
	lock_hash(relid, hash_bytes_extended(key->data, UUID_LEN, 0), AccessExclusiveLock);
}
