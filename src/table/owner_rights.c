/*
 * table/owner_rights.c
 *		Running the CRM's own code with the rights of its owner.
 *
 * A writer need not have the owner's rights, so nothing that the writer made
 * may run with them.  By a closed search_path, names without a schema mean
 * pg_catalog's.  But PostgreSQL always looks for tables and types in pg_temp,
 * too, and that is the writer's: so what is found there is refused, unless it
 * belongs to the owner.
 *
 * Whether a query runs in the owner's rights is told by a bit of our own in the
 * security context.  PostgreSQL carries it over to functions that are called, and
 * restores it with the user after an error.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/shard.h"
#include "table/columns.h"
#include "table/owner_rights.h"

/* None of miscadmin.h's: those grow from the other end. */
#define SECURITY_CRM_OWNER	0x40000000

#define CLOSED_PATH			"pg_catalog, pg_temp"

static ExecutorCheckPerms_hook_type next_check_perms = NULL;
static object_access_hook_type next_object_access = NULL;

/* The owner for whom the session's temporary types were checked since the last change. */
static Oid	types_checked_for = InvalidOid;

static bool
in_owner_rights(void)
{
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	return (sec_context & SECURITY_CRM_OWNER) != 0;
}

/* ---- temporary types ---- */

static void
types_changed(Datum arg, int cacheid, uint32 hash)
{
	types_checked_for = InvalidOid;
}

static void
watch_types(void)
{
	static bool watching = false;

	if (!watching)
		CacheRegisterSyscacheCallback(TYPEOID, types_changed, (Datum) 0);
	watching = true;
}

static void
check_type(const ObjectAddress *object, void *arg)
{
	Oid			owner;

	if (object->classId != TypeRelationId)
		return;
	owner = crm_owner_of(TypeRelationId, object->objectId);
	if (!OidIsValid(owner) || has_privs_of_role(owner, GetUserId()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the CRM's owner runs nothing in a session with the temporary type %s",
					format_type_be(object->objectId)),
			 errdetail("The owner's triggers, defaults and checks could take it for another type."),
			 errhint("Drop the type, or make it in a schema that lasts.")));
}

/*
 * Refuses types of others in the session's temporary schema, such as a domain
 * whose CHECK calls a function.  (The row types of tables depend on these.)
 */
static void
check_temporary_types(void)
{
	Oid			schema,
				toast_schema;

	GetTempNamespaceState(&schema, &toast_schema);
	if (!OidIsValid(schema) || types_checked_for == GetUserId())
		return;
	watch_types();
	crm_receive_objects(schema, check_type, NULL);
	types_checked_for = GetUserId();
}

/* ---- temporary tables ---- */

static void
check_table(Oid relid)
{
	if (get_rel_persistence(relid) != RELPERSISTENCE_TEMP ||
		has_privs_of_role(crm_table_owner(relid), GetUserId()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("temporary table \"%s\" cannot be used with the rights of the CRM's owner",
					get_rel_name(relid)),
			 errdetail("A trigger, a default or a check of the owner's names a table without its schema."),
			 errhint("The owner should name the schema, or give the function a search_path.")));
}

/* ---- deferred triggers ---- */

bool
crm_has_deferrable_trigger(Relation rel)
{
	if (rel->trigdesc == NULL)
		return false;
	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		/* Those of foreign keys take the rights that they need. */
		if (trigger->tgdeferrable && !trigger->tgisinternal)
			return true;
	}
	return false;
}

/*
 * From PostgreSQL 18 on such a trigger runs at the end of the transaction as the owner,
 * but with the search_path and temporary tables of the session: no harm if the session
 * has the owner's rights.  Before, it runs as the session's user: no harm if that is
 * no superuser, whose rights it would have.
 */
static bool
deferred_triggers_are_safe(Oid owner, Oid session_user)
{
	if (CRM_AFTER_TRIGGERS_KEEP_USER)
		return has_privs_of_role(session_user, owner);
	return !superuser_arg(session_user) || superuser_arg(owner);
}

static void
check_deferred_triggers(Oid relid)
{
	ListCell   *lc;

	if (deferred_triggers_are_safe(GetUserId(), GetOuterUserId()))
		return;
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Relation	rel = try_relation_open(lfirst_oid(lc), AccessShareLock);

		if (rel == NULL)
			continue;
		if (crm_has_deferrable_trigger(rel))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("table \"%s\" has a deferrable trigger, and the CRM writes it with its owner's rights",
							RelationGetRelationName(rel)),
					 CRM_AFTER_TRIGGERS_KEEP_USER ?
					 errdetail("The trigger would run as the owner with the writer's search_path.") :
					 errdetail("The trigger would run with the rights of a superuser."),
					 CRM_AFTER_TRIGGERS_KEEP_USER ? errhint("Make the trigger NOT DEFERRABLE.") :
					 errhint("SET ROLE to the owner first, or make the trigger NOT DEFERRABLE.")));
		relation_close(rel, AccessShareLock);
	}
}

/* ---- hooks ---- */

/* FOR UPDATE asks for the right to update, but of no column. */
#define WRITES(info) \
	(((info)->requiredPerms & (ACL_INSERT | ACL_DELETE)) != 0 || \
	 !bms_is_empty((info)->updatedCols))

static bool
check_perms(CRM_CHECK_PERMS_PARAMETERS)
{
	if (in_owner_rights())
	{
		ListCell   *lc;

		foreach(lc, CRM_CHECK_PERMS_LIST)
		{
			Oid			relid = CRM_CHECK_PERMS_RELID(lfirst(lc));

			if (!OidIsValid(relid))
				continue;
			check_table(relid);
			if (WRITES(CRM_CHECK_PERMS_INFO(lfirst(lc))))
				check_deferred_triggers(relid);
		}
	}
	return next_check_perms == NULL || next_check_perms(CRM_CHECK_PERMS_ARGUMENTS);
}

/* TRUNCATE is no query. */
static void
check_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (access == OAT_TRUNCATE && class_id == RelationRelationId && in_owner_rights())
		check_table(object_id);
	if (next_object_access != NULL)
		next_object_access(access, class_id, object_id, sub_id, arg);
}

void
crm_owner_rights_install_hooks(void)
{
	next_check_perms = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check_perms;
	next_object_access = object_access_hook;
	object_access_hook = check_access;
}

/* ---- the switch ---- */

void
crm_become_owner_for_own_code(Relation rel, SavedUser *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(RelationGetForm(rel)->relowner,
						   saved->sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS | SECURITY_CRM_OWNER);
	saved->settings = 0;
}

void
crm_become_owner(Relation rel, SavedUser *saved)
{
	crm_become_owner_for_own_code(rel, saved);
	check_temporary_types();
	if (strcmp(namespace_search_path, CLOSED_PATH) == 0)
		return;
	saved->settings = NewGUCNestLevel();
	(void) set_config_option("search_path", CLOSED_PATH, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* What the owner's code has set, too, such as a search_path for the caller, is undone. */
void
crm_restore_user(const SavedUser *saved)
{
	if (saved->settings > 0)
		AtEOXact_GUC(false, saved->settings);
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}

char *
crm_trusted_sibling(Relation rel, const char *table)
{
	Oid			sibling = crm_sibling(rel, table);
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
