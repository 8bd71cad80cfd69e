/*
 * base/namesakes.c
 *		What somebody put beside the extension to be run in its stead.
 *
 * SQL of ours names the functions of the extension with their schema.  One of
 * the same name whose arguments fit better would win nevertheless, such as
 * crm_current_row(crm.deals, uuid) over crm_current_row(anyelement, uuid).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/declaration.h"
#include "base/namesakes.h"

#define OWN_PREFIX "crm_"

/* The owner of a function that could be taken for one of ours; else InvalidOid. */
static Oid
owner_of_namesake(Oid classid, Oid objid)
{
	Oid			owner = InvalidOid;
	HeapTuple	tuple;
	Form_pg_proc form;

	if (classid != ProcedureRelationId)
		return InvalidOid;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(objid));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (strncmp(NameStr(form->proname), OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
		owner = form->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Whether the extension has a function of that one's name. */
static bool
has_namesake(Oid function)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(get_func_name(function)));
	bool		found = false;

	for (int i = 0; i < list->n_members && !found; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		found = form->pronamespace == get_func_namespace(function) &&
			OidIsValid(getExtensionOfObject(ProcedureRelationId, form->oid));
	}
	ReleaseSysCacheList(list);
	return found;
}

/*
 * The owner of the extension's functions.  Being of C, they have one who is a
 * superuser, whoever owns the extension or the schema.
 */
static Oid
owner_of_ours(Oid schema)
{
	Oid			function = crm_find_function(schema, "crm_version");
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Whoever owns the schema could have put there what they like before. */
bool
crm_is_trusted(Oid role, Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			schema_owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	schema_owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return has_privs_of_role(role, GetUserId()) || has_privs_of_role(role, schema_owner);
}

void
crm_check_planted(Oid schema)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			ours = owner_of_ours(schema);

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(schema));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object;
		Oid			owner;

		if (form->deptype != DEPENDENCY_NORMAL)
			continue;
		owner = owner_of_namesake(form->classid, form->objid);

		/*
		 * To be a member of an extension proves nothing: its owner can add
		 * any.
		 */
		if (!OidIsValid(owner) || owner == ours || has_privs_of_role(owner, GetUserId()) ||
			!has_namesake(form->objid))
			continue;
		ObjectAddressSubSet(object, form->classid, form->objid, form->objsubid);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s stands beside the extension", getObjectDescription(&object, false)),
				 errdetail("It would run in place of the extension's own, and its owner is %s.",
						   GetUserNameFromId(owner, false)),
				 errhint("Drop it, or give it another schema.")));
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

/*
 * crm_require_no_namesakes() -> void
 *		ERROR 42501 if something beside the extension could be run in its stead;
 *		the scripts of the extension end with it, as bodies were bound by then.
 */
PG_FUNCTION_INFO_V1(crm_require_no_namesakes);
Datum
crm_require_no_namesakes(PG_FUNCTION_ARGS)
{
	crm_check_planted(get_func_namespace(fcinfo->flinfo->fn_oid));
	PG_RETURN_VOID();
}
