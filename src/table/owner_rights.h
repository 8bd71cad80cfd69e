/*
 * table/owner_rights.h
 *		Doing what the CRM itself does, with the rights of its owner.
 */
#ifndef CRM_TABLE_OWNER_RIGHTS_H
#define CRM_TABLE_OWNER_RIGHTS_H

#include "utils/relcache.h"

typedef struct SavedUser
{
	Oid			userid;
	int			sec_context;
	int			settings;		/* their level; 0: as they were */
} SavedUser;

/*
 * Become the owner of that table, as foreign keys do: free of row security,
 * and unable to change the user of the session.  An error restores the user
 * with its (sub)transaction.
 *
 * Code of the owner's may run: triggers, defaults, CHECKs.  None of its names
 * finds what the caller has put in the way: search_path is pg_catalog, pg_temp,
 * and temporary tables and types of others cannot be used (ERROR 42501).  Where a
 * deferred trigger would keep the owner as its user, a query that writes to its
 * table is refused (ERROR 42501): it would run with the caller's search_path.
 */
extern void crm_become_owner(Relation rel, SavedUser *saved);

/* The same for what runs no code but PostgreSQL's and ours, without that care. */
extern void crm_become_owner_for_own_code(Relation rel, SavedUser *saved);

extern void crm_restore_user(const SavedUser *saved);

/*
 * The name, qualified and quoted, of the table beside rel called that, for a
 * query that rel's owner runs.  What hangs on that table, such as triggers,
 * runs with rel's owner's rights: ERROR 42501 unless its owner has them anyway.
 */
extern char *crm_trusted_sibling(Relation rel, const char *table);

/* Whether the table has a trigger that would run as the owner when the user commits. */
extern bool crm_deferred_triggers_keep_owner(Relation rel);

/* Refuses what is said above in the owner's rights, for all queries. */
extern void crm_owner_rights_install_hooks(void);

#endif							/* CRM_TABLE_OWNER_RIGHTS_H */
