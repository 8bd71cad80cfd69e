/*
 * install/fleet_reports.c
 *		What all CRMs of a database add up to, and what is wrong with them.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "base/catalog.h"
#include "base/query.h"
#include "install/fleet.h"

/* The rows of a function: the name of the schema, and the columns of a query. */
typedef struct FleetRows
{
	ReturnSetInfo *rows;
	const char *query;			/* of the schema $1 or its name $2 */
} FleetRows;

static void
put_row(FleetRows *fleet, const char *schema_name, HeapTuple tuple)
{
	TupleDesc	desc = fleet->rows->setDesc;
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	values[0] = CStringGetTextDatum(schema_name);
	nulls[0] = false;
	for (int i = 1; i < desc->natts; i++)
		values[i] = SPI_getbinval(tuple, SPI_tuptable->tupdesc, i, &nulls[i]);
	tuplestore_putvalues(fleet->rows->setResult, desc, values, nulls);
}

/* Adds the rows of the query, run with the rights of the current user. */
static void
add_rows(FunctionCallInfo fcinfo, const CrmInstallation *installation, void *arg)
{
	FleetRows  *fleet = arg;
	char	   *name = get_namespace_name(installation->schema);
	Oid			types[] = {OIDOID, TEXTOID};
	Datum		args[] = {ObjectIdGetDatum(installation->schema), CStringGetTextDatum(name)};

	SPI_connect();
	(void) crm_select_once(fleet->query, lengthof(types), types, args, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
		put_row(fleet, name, SPI_tuptable->vals[i]);
	SPI_finish();
}

static void
run_all(FunctionCallInfo fcinfo, const CrmFleetTask *task)
{
	FleetRows  *fleet = task->arg;

	InitMaterializedSRF(fcinfo, 0);
	fleet->rows = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	crm_fleet_run_all(fcinfo, task);
	SPI_finish();
}

/* ---- the summary ---- */

/*
 * Whether the table's owner may show it to the user as a whole: an ordinary
 * table of the owner's, from which the user may select, and of which row
 * security hides nothing from them.
 */
static bool
is_readable(const CrmInstallation *installation, const char *table)
{
	Oid			relid = get_relname_relid(table, installation->schema);
	char		relkind = get_rel_relkind(relid);

	return (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE) &&
		crm_owner_of(RelationRelationId, relid) == installation->owner &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, GetUserId(), true) != RLS_ENABLED;
}

static bool
may_read(const CrmInstallation *installation)
{
	return DatumGetBool(DirectFunctionCall2(has_schema_privilege_id,
											ObjectIdGetDatum(installation->schema),
											CStringGetTextDatum("USAGE"))) &&
		is_readable(installation, "deals") &&
		is_readable(installation, "stages") &&
		is_readable(installation, "pipelines");
}

static void
warn_of_failure(const char *schema_name, const char *message, void *arg)
{
	ereport(WARNING,
			(errmsg("the CRM in schema \"%s\" is left out", schema_name),
			 errdetail("%s", message)));
}

/*
 * crm_fleet_summary() -> table
 *		The deals of all CRMs that the caller may read, added up by pipeline
 *		and name of the stage.  CRMs that the caller may not read are left out.
 */
PG_FUNCTION_INFO_V1(crm_fleet_summary);
Datum
crm_fleet_summary(PG_FUNCTION_ARGS)
{
	char	   *function = crm_qualified_name(crm_extension_schema(fcinfo), "crm_deals_by_stage");
	FleetRows	fleet = {.query = psprintf("SELECT r.* FROM %s($1) AS r", function)};
	CrmFleetTask task = {
		.permitted = may_read,.run = add_rows,.failed = warn_of_failure,.arg = &fleet
	};

	run_all(fcinfo, &task);
	return (Datum) 0;
}

/* ---- the check ---- */

static void
report_failure(const char *schema_name, const char *message, void *arg)
{
	FleetRows  *fleet = arg;
	Datum		values[] = {
		CStringGetTextDatum(schema_name), CStringGetTextDatum("schema"), CStringGetTextDatum(message)
	};
	bool		nulls[] = {false, false, false};

	tuplestore_putvalues(fleet->rows->setResult, fleet->rows->setDesc, values, nulls);
}

/*
 * crm_fleet_check() -> table (schema_name text, object text, problem text)
 *		The problems of the CRMs whose owner's rights the caller has.
 */
PG_FUNCTION_INFO_V1(crm_fleet_check);
Datum
crm_fleet_check(PG_FUNCTION_ARGS)
{
	Oid			extension = crm_extension_schema(fcinfo);
	FleetRows	fleet = {
		.query = psprintf("SELECT c.object, c.problem FROM %s($2) AS c "
						  "UNION ALL SELECT 'totals', pg_catalog.format("
						  "'%%s of them are wrong; crm_rebuild_totals() computes them anew', pg_catalog.count(*)) "
						  "FROM %s($2) HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0",
						  crm_qualified_name(extension, "crm_check"),
						  crm_qualified_name(extension, "crm_check_totals"))
	};
	CrmFleetTask task = {.run = add_rows,.failed = report_failure,.arg = &fleet};

	run_all(fcinfo, &task);
	return (Datum) 0;
}
