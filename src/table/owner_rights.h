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
} SavedUser;

/*
 * Become the owner of that table, as foreign keys do: free of row security,
 * and unable to change the user of the session.  An error restores the user
 * with its (sub)transaction.
 *
 * The search path remains the caller's: queries run so name every operator,
 * function and table with its schema.
 */
extern void crm_become_owner(Relation rel, SavedUser *saved);
extern void crm_restore_user(const SavedUser *saved);

/*
 * The name, qualified and quoted, of the table beside rel called that, for a
 * query that rel's owner runs.  What hangs on that table, such as triggers,
 * runs with rel's owner's rights: ERROR 42501 unless its owner has them anyway.
 */
extern char *crm_trusted_sibling(Relation rel, const char *table);

#endif							/* CRM_TABLE_OWNER_RIGHTS_H */
