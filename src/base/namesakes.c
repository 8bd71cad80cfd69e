/*
 * base/namesakes.c
 *		Functions that could be run in place of those of the extension.
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
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/declaration.h"
#include "base/namesakes.h"

#define OWN_PREFIX "crm_"

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
	return crm_owner_of(ProcedureRelationId, crm_find_function(schema, "crm_version"));
}

/* The owner of the schema is trusted, as they could have created anything there before. */
bool
crm_is_trusted(Oid role, Oid schema)
{
	return has_privs_of_role(role, GetUserId()) ||
		has_privs_of_role(role, crm_schema_owner(schema));
}

/* Members of an extension are not trusted either, as its owner can add any function. */
static void
check_function(const FormData_pg_proc *function, Oid ours)
{
	ObjectAddress address;

	if (function->proowner == ours || has_privs_of_role(function->proowner, GetUserId()) ||
		!has_namesake(function->oid))
		return;
	ObjectAddressSet(address, ProcedureRelationId, function->oid);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s stands beside the extension", getObjectDescription(&address, false)),
			 errdetail("It would run in place of the extension's own, and its owner is %s.",
					   GetUserNameFromId(function->proowner, false)),
			 errhint("Drop it, or give it another schema.")));
}

/*
 * Reads the functions that are called like ours, by an index and not through the catalog
 * cache, which would keep all of them with their bodies.
 */
void
crm_check_planted(Oid schema)
{
	Oid			ours = owner_of_ours(schema);
	Relation	functions = table_open(ProcedureRelationId, AccessShareLock);
	Relation	index = index_open(ProcedureNameArgsNspIndexId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_proc_proname, BTGreaterEqualStrategyNumber, F_NAMEGE,
				CStringGetDatum(OWN_PREFIX));
	scan = systable_beginscan_ordered(functions, index, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		Form_pg_proc function = (Form_pg_proc) GETSTRUCT(tuple);

		if (strncmp(NameStr(function->proname), OWN_PREFIX, strlen(OWN_PREFIX)) != 0)
			break;
		if (function->pronamespace == schema)
			check_function(function, ours);
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(functions, AccessShareLock);
}

/*
 * crm_require_no_namesakes() -> void
 *		ERROR 42501 if another function could be run in place of one of the
 *		extension's.  The extension's scripts call it at their end, when all bodies
 *		have been bound.
 */
PG_FUNCTION_INFO_V1(crm_require_no_namesakes);
Datum
crm_require_no_namesakes(PG_FUNCTION_ARGS)
{
	crm_check_planted(get_func_namespace(fcinfo->flinfo->fn_oid));
	PG_RETURN_VOID();
}
