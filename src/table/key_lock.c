/*
 * table/key_lock.c
 *		Locks on the meaning of a key, instead of on its row.
 *
 * They are locks of the lock manager's, whose shared memory all databases of the
 * server share.  So a transaction takes MAX_KEYS of them at most, whatever it
 * writes; shared ones beyond that are replaced by one lock on all keys of the
 * table.  Whoever locks a key exclusively first locks the key, then all keys in
 * a mode that conflicts with that lock only.  In this order there is no deadlock:
 * a transaction that waits for the lock on all keys needs no further lock of a
 * key, and one that has it waits for none.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

#include "table/key_lock.h"

/* How many locks stand for all keys of a tenant in a table. */
#define KEY_LOCKS 256

/* How many keys a transaction locks at most, each by itself. */
#define MAX_SHARED 64
#define MAX_EXCLUSIVE 256

/* Of all keys of a table at once: by many readers, and by those who exclude them. */
#define ALL_KEYS_SHARED		ShareLock
#define ALL_KEYS_EXCLUSIVE	RowExclusiveLock

/* The tag's last field for the lock on all keys; those of keys are below. */
#define ALL_KEYS	KEY_LOCKS

/* How many keys this transaction has locked; gone when it ends. */
typedef struct LockCounts
{
	int			shared;
	int			exclusive;
	MemoryContextCallback ended;
} LockCounts;

static LockCounts *counts = NULL;

static void
forget_counts(void *arg)
{
	counts = NULL;
}

/*
 * A subtransaction that fails releases its locks, and they stay counted: then
 * the lock on all keys is used sooner.
 */
static LockCounts *
get_counts(void)
{
	if (counts == NULL)
	{
		LockCounts *mine = MemoryContextAllocZero(TopTransactionContext, sizeof(LockCounts));

		mine->ended.func = forget_counts;
		MemoryContextRegisterResetCallback(TopTransactionContext, &mine->ended);
		counts = mine;
	}
	return counts;
}

/* Returns whether this transaction did not have the lock before. */
static bool
lock(Oid relid, uint32 number, uint16 slot, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relid, number, slot);
	return LockAcquire(&tag, mode, false, false) == LOCKACQUIRE_OK;
}

/* Each tenant has its own locks, so that tenants do not wait for each other. */
static bool
lock_key(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key, LOCKMODE mode)
{
	return lock(relid, hash_bytes(tenant_id->data, UUID_LEN),
				hash_bytes(key->data, UUID_LEN) % KEY_LOCKS, mode);
}

void
crm_lock_key_shared(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key)
{
	LockCounts *locked = get_counts();

	if (locked->shared < MAX_SHARED)
		locked->shared += lock_key(relid, tenant_id, key, AccessShareLock);
	else
		(void) lock(relid, 0, ALL_KEYS, ALL_KEYS_SHARED);
}

void
crm_lock_key_exclusive(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key)
{
	LockCounts *locked = get_counts();

	if (locked->exclusive >= MAX_EXCLUSIVE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a transaction cannot change the status of so many stages, nor delete them"),
				 errdetail("It locks each of them, and no more than %d.", MAX_EXCLUSIVE),
				 errhint("Do it in several transactions.")));
	locked->exclusive += lock_key(relid, tenant_id, key, AccessExclusiveLock);
	(void) lock(relid, 0, ALL_KEYS, ALL_KEYS_EXCLUSIVE);
}

void
crm_lock_key_alone(Oid relid, const pg_uuid_t *key)
{
	LockCounts *locked = get_counts();
	uint64		hash = hash_bytes_extended(key->data, UUID_LEN, 0);
	uint16		slot = ALL_KEYS + 1 + (uint16) ((hash >> 32) % KEY_LOCKS);

	if (locked->exclusive < MAX_EXCLUSIVE)
		locked->exclusive += lock(relid, (uint32) hash, slot, AccessExclusiveLock);
}
