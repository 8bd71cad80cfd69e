/*
 * table/restoring.c
 *		Rows that are restored: inserted as they are.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/rel.h"

#include "base/session.h"
#include "table/restoring.h"

bool
crm_is_restoring(Relation rel)
{
	if (!crm_session_is_restoring())
		return false;
	if (!has_privs_of_role(GetUserId(), RelationGetForm(rel)->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only the owner of table \"%s\" can restore rows",
						RelationGetRelationName(rel)),
				 errdetail("The setting crm.restoring is on: inserted rows would be taken as they are."),
				 errhint("Set crm.restoring to off, or write as the owner.")));
	return true;
}
