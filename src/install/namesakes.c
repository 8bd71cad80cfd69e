/*
 * install/namesakes.c
 *		What somebody put beside the extension for a CRM to run.
 *
 * The CRM is created with the extension's schema in the search path.  What
 * pg_catalog has comes first, but an operator or a function whose arguments
 * fit better wins nevertheless: numeric >= integer over numeric >= numeric,
 * crm_not_given(uuid) over crm_not_given(anyelement).  It would be bound for
 * good, and run by whoever writes to the CRM.
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
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "install/namesakes.h"

#define OWN_PREFIX "crm_"

/* The owner of a function or operator that could be taken for another one. */
static Oid
owner_of_namesake(Oid classid, Oid objid)
{
	Oid			owner = InvalidOid;
	HeapTuple	tuple;

	if (classid == ProcedureRelationId)
	{
		tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(objid));
		if (HeapTupleIsValid(tuple))
		{
			Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

			if (strncmp(NameStr(form->proname), OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
				owner = form->proowner;
			ReleaseSysCache(tuple);
		}
	}
	else if (classid == OperatorRelationId)
	{
		tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(objid));
		if (HeapTupleIsValid(tuple))
		{
			owner = ((Form_pg_operator) GETSTRUCT(tuple))->oprowner;
			ReleaseSysCache(tuple);
		}
	}
	return owner;
}

/* Whoever owns the schema can replace the extension's functions anyway. */
static bool
is_trusted(Oid owner, Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			schema_owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	schema_owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return has_privs_of_role(owner, GetUserId()) || has_privs_of_role(owner, schema_owner);
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
		if (!OidIsValid(owner) || is_trusted(owner, schema) ||
			OidIsValid(getExtensionOfObject(form->classid, form->objid)))
			continue;
		ObjectAddressSubSet(object, form->classid, form->objid, form->objsubid);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s stands beside the extension", getObjectDescription(&object, false)),
				 errdetail("The CRM would run it instead of what is meant, and its owner is %s.",
						   GetUserNameFromId(owner, false)),
				 errhint("Drop it, or give it to the owner of schema \"%s\".", get_namespace_name(schema))));
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}
