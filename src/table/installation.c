/*
 * table/installation.c
 *		The CRMs that crm_install() has made in this database.
 *
 * A CRM is no member of the extension and stands in no catalog of ours: a
 * schema holds one if its table "deals" has a trigger that calls this
 * extension's crm_deal_rules(), whose first argument is the CRM's version.
 *
 * The extension is found through the function that was called, never by name.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "base/declaration.h"
#include "base/errors.h"
#include "base/version.h"
#include "table/columns.h"
#include "table/installation.h"

#define DEALS			"deals"
#define RULES_FUNCTION	"crm_deal_rules"

char *
crm_required_text(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

Oid
crm_extension_schema(FunctionCallInfo fcinfo)
{
	return get_func_namespace(fcinfo->flinfo->fn_oid);
}

Oid
crm_lock_extension(FunctionCallInfo fcinfo)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, fcinfo->flinfo->fn_oid);

	if (!OidIsValid(extension))
		elog(ERROR, "function %u belongs to no extension", fcinfo->flinfo->fn_oid);
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	if (get_extension_name(extension) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension crm was dropped concurrently")));
	return extension;
}

/* What pg_extension says, which ALTER EXTENSION may have changed just now. */
static char *
read_extension_version(Oid extension)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	char	   *version = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		version = TextDatumGetCString(heap_getattr(tuple, Anum_pg_extension_extversion,
												   RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (version == NULL)
		elog(ERROR, "extension %u does not exist", extension);
	return version;
}

char *
crm_extension_version(Oid extension)
{
	char	   *version = read_extension_version(extension);

	crm_check_library(version);
	return version;
}

Oid
crm_extension_function(FunctionCallInfo fcinfo, const char *name)
{
	return crm_find_function(crm_extension_schema(fcinfo), name);
}

/* The lock on the table named deals is kept, unless it is to be released. */
static bool
find(FunctionCallInfo fcinfo, Oid schema, LOCKMODE released, CrmInstallation *installation)
{
	Oid			rules = crm_extension_function(fcinfo, RULES_FUNCTION);
	Oid			relid = get_relname_relid(DEALS, schema);
	Relation	deals;
	bool		found = false;

	if (!OidIsValid(relid))
		return false;
	deals = try_relation_open(relid, AccessShareLock);
	if (deals == NULL)
		return false;
	for (int i = 0; deals->trigdesc != NULL && i < deals->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &deals->trigdesc->triggers[i];

		if (trigger->tgfoid != rules || trigger->tgnargs < 1)
			continue;
		installation->schema = schema;
		installation->deals = relid;
		installation->owner = deals->rd_rel->relowner;
		installation->version = pstrdup(trigger->tgargs[0]);
		found = true;
		break;
	}
	relation_close(deals, released);
	return found;
}

bool
crm_find_installation(FunctionCallInfo fcinfo, Oid schema, CrmInstallation *installation)
{
	return find(fcinfo, schema, AccessShareLock, installation);
}

void
crm_get_installation(FunctionCallInfo fcinfo, const char *schema_name,
					 CrmInstallation *installation)
{
	Oid			schema = get_namespace_oid(schema_name, false);

	if (!find(fcinfo, schema, NoLock, installation))
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("schema \"%s\" holds no CRM", schema_name),
				 errhint("Call crm_install(%s) to make one.",
						 quote_literal_cstr(schema_name))));
}

void
crm_get_own_installation(FunctionCallInfo fcinfo, const char *schema_name,
						 CrmInstallation *installation)
{
	crm_get_installation(fcinfo, schema_name, installation);
	if (!has_privs_of_role(GetUserId(), installation->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the CRM in schema \"%s\"", schema_name),
				 errhint("Its owner is %s.",
						 GetUserNameFromId(installation->owner, false))));
}

/*
 * That lock comes first: a lock on the table of deals, held while waiting, would
 * deadlock with who alters it.  Only the owner gets as far as waiting.
 */
void
crm_get_installation_to_alter(FunctionCallInfo fcinfo, const char *schema_name,
							  CrmInstallation *installation)
{
	Oid			schema = get_namespace_oid(schema_name, false);
	Oid			owner = crm_table_owner(get_relname_relid(DEALS, schema));

	if (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner))
		LockDatabaseObject(NamespaceRelationId, schema, 0, ShareUpdateExclusiveLock);
	crm_get_own_installation(fcinfo, schema_name, installation);
}
