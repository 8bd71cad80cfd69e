/*
 * table/key_lock.h
 *		Locks on the meaning of a key, instead of on its row.
 *
 * They last until the end of the transaction.  Locks are shared without writing
 * anything, and renaming a stage need not wait for those who move deals.
 */
#ifndef CRM_TABLE_KEY_LOCK_H
#define CRM_TABLE_KEY_LOCK_H

#include "storage/lock.h"
#include "utils/uuid.h"

/*
 * Lock what the tenant knows by that key in the table: shared by those who rely
 * on it, exclusively to change it.  A few locks stand for all keys of a
 * tenant, and keys that collide wait for each other, no more; tenants do not.
 *
 * A transaction that relies on more keys than it may lock one by one excludes all
 * changes of keys of the table, of any tenant.  ERROR 54000 for one that changes
 * hundreds of keys.
 */
extern void crm_lock_key_shared(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key);
extern void crm_lock_key_exclusive(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key);

/*
 * Makes transactions that lock the same key here wait for each other, so that the second
 * one gets a better error than that of the unique index.  A transaction that has locked
 * hundreds of keys locks no more of them, and relies on the index.
 */
extern void crm_lock_key_alone(Oid relid, const pg_uuid_t *key);

#endif							/* CRM_TABLE_KEY_LOCK_H */
