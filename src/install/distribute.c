/*
 * install/distribute.c
 *		Distributing a CRM over the nodes of a Citus cluster.
 *
 * Citus places the tables of a distributed schema on one node.  A CRM is made as on
 * any server, and then its schema is distributed, as Citus takes no table before what
 * it depends on, and the CRM's functions depend on its tables.
 *
 * Citus takes functions to other nodes, but neither their comments nor that PUBLIC has
 * no right on them, nor the comments of tables.  The rights are revoked by SQL, which
 * Citus takes there; the comments are made there when the functions are (api/call.c).
 *
 * The functions rely on their declared search_path (pg_catalog, pg_temp).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_constraint_d.h"
#include "catalog/pg_namespace_d.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "rewrite/rowsecurity.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/query.h"
#include "base/shard.h"
#include "install/distribute.h"
#include "table/installation.h"

#define SHARDING	"citus.enable_schema_based_sharding"

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* Whether Citus has distributed the schema, perhaps before there was a table in it. */
static bool
is_distributed_schema(Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};

	if (!OidIsValid(get_relname_relid("pg_dist_schema", PG_CATALOG_NAMESPACE)))
		return false;
	return crm_select_once("SELECT FROM pg_catalog.pg_dist_schema AS s WHERE s.schemaid OPERATOR(pg_catalog.=) $1",
						   lengthof(types), types, args, NULL, false) > 0;
}

bool
crm_is_to_be_distributed(const char *schema_name)
{
	const char *sharding;
	Oid			schema;

	if (!crm_has_citus())
		return false;
	sharding = GetConfigOption(SHARDING, true, false);
	schema = get_namespace_oid(schema_name, true);
	return (sharding != NULL && strcmp(sharding, "on") == 0) ||
		(OidIsValid(schema) && is_distributed_schema(schema));
}

int
crm_make_locally(void)
{
	int			level = NewGUCNestLevel();

	if (crm_has_citus())
	{
		set(SHARDING, "off");
		set("citus.enable_ddl_propagation", "off");
	}
	return level;
}

void
crm_refuse_shared_tenancy(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a CRM of tenancy \"shared\" cannot be distributed"),
			 errdetail("Citus would distribute its rows by tenant_id, which its keys do not have."),
			 errhint("Install a CRM for each tenant, or SET " SHARDING " = off.")));
}

/* ---- what is distributed ---- */

/* The tables of the schema that Citus has not distributed, as a list for a message. */
static char *
local_tables(Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};

	(void) crm_select_once("SELECT pg_catalog.string_agg(c.relname, ', ' ORDER BY c.relname) "
						   "FROM pg_catalog.pg_class AS c WHERE c.relnamespace OPERATOR(pg_catalog.=) $1 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}') "
						   "AND NOT EXISTS (SELECT FROM pg_catalog.pg_dist_shard AS s "
						   "WHERE s.logicalrelid::pg_catalog.oid OPERATOR(pg_catalog.=) c.oid)",
						   lengthof(types), types, args, NULL, false);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

static void
require_distributed(Oid schema)
{
	char	   *tables = local_tables(schema);

	if (tables == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the CRM in schema \"%s\" is not distributed", get_namespace_name(schema)),
			 errdetail("Citus has left these tables local: %s.", tables),
			 errhint("Use SET %s = off before crm_install(), if it is to be on this node alone.", SHARDING)));
}

/* ---- distributing ---- */

/*
 * Citus makes the types that a table or an index of it depends on before the table, on
 * a node that is added later, too.  For a CHECK it looks at functions alone, so the
 * primary key is made to depend on the domains in the CHECK of deals.  If a domain is
 * dropped by CASCADE, no rows go with it.
 */
static void
record_domains(Oid schema)
{
	Oid			types[] = {OIDOID, OIDOID, OIDOID};
	Datum		args[] = {
		ObjectIdGetDatum(ConstraintRelationId), ObjectIdGetDatum(TypeRelationId),
		ObjectIdGetDatum(get_relname_relid("deals", schema))
	};
	ObjectAddress key,
				domain;
	uint64		count;

	ObjectAddressSet(key, RelationRelationId, get_relname_relid("deals_pkey", schema));
	count = crm_select_once("SELECT d.refobjid FROM pg_catalog.pg_constraint AS c JOIN pg_catalog.pg_depend AS d "
							"ON d.classid OPERATOR(pg_catalog.=) $1 AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.refclassid OPERATOR(pg_catalog.=) $2 "
							"WHERE c.conrelid OPERATOR(pg_catalog.=) $3 AND c.conname OPERATOR(pg_catalog.=) 'deals_check'",
							lengthof(types), types, args, NULL, false);
	(void) deleteDependencyRecordsForClass(key.classId, key.objectId,
										   TypeRelationId, DEPENDENCY_NORMAL);
	for (uint64 i = 0; i < count; i++)
	{
		ObjectAddressSet(domain, TypeRelationId,
						 DatumGetObjectId(crm_result_value(i, 1, OIDOID, NULL)));
		recordDependencyOn(&key, &domain, DEPENDENCY_NORMAL);
	}
	CommandCounterIncrement();
}

/* The keys of shared tenancy have no column that Citus could distribute the rows by. */
static void
refuse_shared(Oid schema)
{
	Relation	deals = table_open(get_relname_relid("deals", schema), AccessShareLock);
	bool		shared = deals->rd_rel->relrowsecurity && deals->rd_rsdesc != NULL;
	ListCell   *cell;

	if (shared)
	{
		shared = false;
		foreach(cell, deals->rd_rsdesc->policies)
			shared |= strcmp(((RowSecurityPolicy *) lfirst(cell))->policy_name, "tenant") == 0;
	}
	table_close(deals, NoLock);
	if (shared)
		crm_refuse_shared_tenancy();
}

/* Each node that users connect to has to take the settings of their sessions to the others. */
static void
require_context(Oid extension)
{
	char	   *question = psprintf("SELECT %s()", crm_qualified_name(extension, "crm_propagates_context"));

	if (crm_select_once(psprintf("SELECT n.nodename, n.nodeport, a.result FROM pg_catalog.run_command_on_all_nodes(%s) AS a "
								 "JOIN pg_catalog.pg_dist_node AS n ON n.nodeid OPERATOR(pg_catalog.=) a.nodeid WHERE COALESCE(a.result, '') OPERATOR(pg_catalog.<>) 't'",
								 quote_literal_cstr(question)), 0, NULL, NULL, NULL, false) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("node %s:%s does not load the library of crm for each session",
					SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
					SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)),
			 errdetail("The actor and other settings of sessions there would not reach other nodes. It answered: %s",
					   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3)),
			 errhint("Set session_preload_libraries = 'crm' on all nodes of the cluster.")));
}

static void
run_commands(FunctionCallInfo fcinfo, Oid schema, bool is_new, bool has_rows)
{
	Oid			types[] = {OIDOID, OIDOID, BOOLOID, BOOLOID};
	Oid			extension = crm_extension_schema(fcinfo);
	Datum		args[] = {
		ObjectIdGetDatum(schema), ObjectIdGetDatum(extension), BoolGetDatum(is_new),
		BoolGetDatum(has_rows)
	};
	SPITupleTable *rows;
	uint64		count;

	count = crm_select_once(psprintf("SELECT c.command FROM %s($1, $2, $3, $4) AS c (command)",
									 crm_qualified_name(extension, "crm_distribute_commands")),
							lengthof(types), types, args, NULL, false);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		crm_run(SPI_getvalue(rows->vals[i], rows->tupdesc, 1));
		CommandCounterIncrement();
	}
}

void
crm_distribute_schema(FunctionCallInfo fcinfo, Oid schema, bool has_rows)
{
	bool		is_new = !crm_is_distributed(get_relname_relid("deals", schema));
	int			level = NewGUCNestLevel();

	refuse_shared(schema);
	require_context(crm_extension_schema(fcinfo));
	set("citus.enable_ddl_propagation", "on");
	if (client_min_messages < WARNING)
		set("client_min_messages", "warning");
	if (is_new && is_distributed_schema(schema))
		crm_run(psprintf("SELECT pg_catalog.citus_schema_undistribute(%s::pg_catalog.regnamespace)",
						 quote_literal_cstr(quote_identifier(get_namespace_name(schema)))));
	record_domains(schema);
	run_commands(fcinfo, schema, is_new, has_rows);
	require_distributed(schema);
	AtEOXact_GUC(true, level);
}

/*
 * crm_distribute(schema_name text) -> void
 *		Distributes a CRM.  Errors: 55000 without Citus; 0A000 for shared tenancy.
 */
PG_FUNCTION_INFO_V1(crm_distribute);
Datum
crm_distribute(PG_FUNCTION_ARGS)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;

	PreventCommandIfReadOnly("crm_distribute()");
	crm_get_own_installation(fcinfo, schema_name, &installation);
	if (!crm_has_citus())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Citus is not installed in this database"),
				 errhint("Make the database a node of a Citus cluster first.")));
	SPI_connect();
	crm_distribute_schema(fcinfo, installation.schema, true);
	SPI_finish();
	PG_RETURN_VOID();
}
