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
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

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

/* Whoever owns the schema can replace the extension's functions anyway. */
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
		if (!OidIsValid(owner) || crm_is_trusted(owner, schema) ||
			OidIsValid(getExtensionOfObject(form->classid, form->objid)) ||
			!has_namesake(form->objid))
			continue;
		ObjectAddressSubSet(object, form->classid, form->objid, form->objsubid);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s stands beside the extension", getObjectDescription(&object, false)),
				 errdetail("It would run in place of the extension's own, and its owner is %s.",
						   GetUserNameFromId(owner, false)),
				 errhint("Drop it, or give it to the owner of schema \"%s\".", get_namespace_name(schema))));
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}
