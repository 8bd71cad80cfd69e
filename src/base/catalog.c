/*
 * base/catalog.c
 *		Looking up objects of any kind in the catalogs.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "base/catalog.h"

Oid
crm_owner_of(Oid catalog, Oid object)
{
	int			cache = get_object_catcache_oid(catalog);
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(object));
	bool		isnull;
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = DatumGetObjectId(SysCacheGetAttr(cache, tuple, get_object_attnum_owner(catalog),
											 &isnull));
	ReleaseSysCache(tuple);
	return owner;
}

Oid
crm_schema_owner(Oid schema)
{
	Oid			owner = crm_owner_of(NamespaceRelationId, schema);

	if (!OidIsValid(owner))
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	return owner;
}

bool
crm_is_own_function(Oid function)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	return OidIsValid(extension) && extension == get_extension_oid("crm", true);
}

void
crm_receive_objects(Oid schema, CrmObjectReceiver receive, void *arg)
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

		if (form->deptype != DEPENDENCY_NORMAL)
			continue;
		ObjectAddressSubSet(object, form->classid, form->objid, form->objsubid);
		receive(&object, arg);
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}
