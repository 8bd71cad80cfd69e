/*
 * owner_rights.c
 *		Doing what the CRM itself does, with the rights of its owner.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"

#include "owner_rights.h"

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
