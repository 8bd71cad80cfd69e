/*
 * table/owner_rights.h
 *		Running the CRM's own code with the rights of its owner.
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
 * deferred trigger would keep the owner as its user, or run as a superuser, a query that
 * writes to its table is refused (ERROR 42501).  What the
 * code sets ends with crm_restore_user(), unless the caller's path was that one before.
 */
extern void crm_become_owner(Relation rel, SavedUser *saved);

/* The same without these precautions, for code that runs only PostgreSQL's functions and ours. */
extern void crm_become_owner_for_own_code(Relation rel, SavedUser *saved);

extern void crm_restore_user(const SavedUser *saved);

/*
 * The name, qualified and quoted, of the table of that name beside rel, for a query that
 * rel's owner runs.  Triggers and other code of that table then run with the rights of
 * rel's owner, so ERROR 42501 unless the table's owner has these rights anyway.
 */
extern char *crm_trusted_sibling(Relation rel, const char *table);

/* Whether the table has a trigger of the user's that may run at the end of the transaction. */
extern bool crm_has_deferrable_trigger(Relation rel);

/* Installs the hooks that refuse all of this in queries with the owner's rights. */
extern void crm_owner_rights_install_hooks(void);

#endif							/* CRM_TABLE_OWNER_RIGHTS_H */
