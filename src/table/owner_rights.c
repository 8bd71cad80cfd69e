/*
 * table/owner_rights.c
 *		Doing what the CRM itself does, with the rights of its owner.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/columns.h"
#include "table/owner_rights.h"

void
crm_become_owner(Relation rel, SavedUser *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(RelationGetForm(rel)->relowner,
						   saved->sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

void
crm_restore_user(const SavedUser *saved)
{
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}

char *
crm_trusted_sibling(Relation rel, const char *table)
{
	Oid			sibling = get_relname_relid(table, RelationGetNamespace(rel));
	Oid			owner = crm_table_owner(sibling);

	/* If there is none, the query will say it. */
	if (OidIsValid(owner) && !has_privs_of_role(owner, RelationGetForm(rel)->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("tables \"%s\" and \"%s\" of schema \"%s\" have different owners",
						RelationGetRelationName(rel), table,
						get_namespace_name(RelationGetNamespace(rel))),
				 errdetail("The first one's owner would run what the other one attached to its table."),
				 errhint("Give all tables of the CRM to the same owner.")));
	return crm_sibling_name(rel, table);
}
