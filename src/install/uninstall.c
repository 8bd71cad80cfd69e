/*
 * install/uninstall.c
 *		Dropping a CRM, and nothing else.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/query.h"
#include "base/shard.h"
#include "table/installation.h"

static void
check_owner(const ObjectAddress *object)
{
	Oid			owner = crm_owner_of(object->classId, object->objectId);

	if (OidIsValid(owner) && !has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of %s", getObjectDescription(object, false)),
				 errhint("Its owner is %s.", GetUserNameFromId(owner, false))));
}

/* What crm_install() and crm_link() made in the schema. */
static ObjectAddresses *
find_objects(FunctionCallInfo fcinfo, Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};
	ObjectAddresses *objects = new_object_addresses();
	char	   *query = psprintf("SELECT o.catalog, o.object FROM %s($1) AS o",
								 crm_qualified_name(crm_extension_schema(fcinfo), "crm_installed_objects"));

	(void) crm_select_once(query, lengthof(types), types, args, NULL, false);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		ObjectAddress object;

		ObjectAddressSet(object,
						 DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull)),
						 DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull)));
		check_owner(&object);
		add_exact_object_address(&object, objects);
	}
	return objects;
}

/* ERROR 2BP01 if a column of the user's has one of the domains as its type. */
static void
check_domains(Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};

	CommandCounterIncrement();
	if (crm_select_once("SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), t.oid::pg_catalog.regtype::pg_catalog.text "
						"FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_depend AS d "
						"ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass "
						"AND d.refobjid OPERATOR(pg_catalog.=) t.oid AND d.deptype OPERATOR(pg_catalog.=) 'n' "
						"WHERE t.typnamespace OPERATOR(pg_catalog.=) $1 AND t.typtype OPERATOR(pg_catalog.=) 'd'",
						lengthof(types), types, args, NULL, false) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("%s depends on type %s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)),
				 errhint("Drop it first.")));
}

/* Citus drops the shards of what is dropped by a command. */
static void
drop_distributed(FunctionCallInfo fcinfo, Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};
	SPITupleTable *commands;
	uint64		count;

	count = crm_select_once(psprintf("SELECT c.command FROM %s($1) AS c (command)",
									 crm_qualified_name(crm_extension_schema(fcinfo), "crm_uninstall_commands")),
							lengthof(types), types, args, NULL, false);
	commands = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		/* The last one is for the domains, which only its own tables had. */
		if (i == count - 1)
			check_domains(schema);
		crm_run(SPI_getvalue(commands->vals[i], commands->tupdesc, 1));
	}
}

static void
count_object(const ObjectAddress *object, void *arg)
{
	(*(int *) arg)++;
}

/* Drops the schema if nothing is left in it and it is the caller's. */
static void
drop_schema(Oid schema, bool distributed)
{
	int			left = 0;

	CommandCounterIncrement();
	crm_receive_objects(schema, count_object, &left);
	if (left > 0 || !has_privs_of_role(GetUserId(), crm_schema_owner(schema)))
	{
		ereport(NOTICE,
				(errmsg("schema \"%s\" stays", get_namespace_name(schema)),
				 left > 0 ? errdetail("It holds other objects.") : errdetail("Its owner is somebody else.")));
		return;
	}
	/* Shards that were moved away may still be on their old node. */
	crm_run(psprintf("DROP SCHEMA %s%s", quote_identifier(get_namespace_name(schema)),
					 distributed ? " CASCADE" : ""));
}

/*
 * crm_uninstall(schema_name text) -> void
 *		Drops a CRM with all its data, and its schema if nothing else is there.
 *		ERROR 2BP01 if something depends on it that is not the CRM's.  For its
 *		owner.
 */
PG_FUNCTION_INFO_V1(crm_uninstall);
Datum
crm_uninstall(PG_FUNCTION_ARGS)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;
	ObjectAddresses *objects;
	bool		distributed;

	PreventCommandIfReadOnly("crm_uninstall()");
	crm_get_installation_to_alter(fcinfo, schema_name, &installation);
	/* Writers lock deals first: this waits until they have ended. */
	LockRelationOid(installation.deals, AccessExclusiveLock);
	SPI_connect();
	objects = find_objects(fcinfo, installation.schema);
	distributed = crm_is_distributed(installation.deals);
	if (distributed)
		drop_distributed(fcinfo, installation.schema);
	else
		performMultipleDeletions(objects, DROP_RESTRICT, 0);
	drop_schema(installation.schema, distributed);
	SPI_finish();
	PG_RETURN_VOID();
}
