/*
 * table/key_lock.h
 *		Locks on what a key stands for, instead of on its row.
 */
#ifndef CRM_TABLE_KEY_LOCK_H
#define CRM_TABLE_KEY_LOCK_H

#include "storage/lock.h"
#include "utils/uuid.h"

/*
 * Locks, until the end of the transaction, what the tenant knows by that key in
 * the table: shared by those who rely on it, exclusive for who changes it.
 */
extern void crm_lock_key(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key, LOCKMODE mode);

/*
 * crm_lock_key lets one transaction meet thousands of keys, as a bulk write meets
 * stages, without using up the shared memory for locks: a few locks stand for
 * all keys of a tenant, and keys that collide wait for each other, no more;
 * tenants do not.  This one, only for who locks a key or two, exclusively,
 * hardly ever makes others wait.
 */
extern void crm_lock_key_alone(Oid relid, const pg_uuid_t *key);

#endif							/* CRM_TABLE_KEY_LOCK_H */
