/*
 * install/fleet_upgrade.c
 *		Upgrading all CRMs of a database, a transaction each.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/query.h"
#include "install/fleet.h"

/* As its owner, so that what a step creates is the owner's. */
static void
upgrade(FunctionCallInfo fcinfo, const CrmInstallation *installation, void *arg)
{
	Oid			types[] = {TEXTOID};
	Datum		args[] = {CStringGetTextDatum(get_namespace_name(installation->schema))};
	char	   *function = crm_qualified_name(crm_extension_schema(fcinfo), "crm_upgrade");

	SPI_connect();
	(void) crm_select_once(psprintf("SELECT %s($1)", function), lengthof(types), types, args, NULL, false);
	SPI_finish();
}

static void
warn_of_failure(const char *schema_name, const char *message, void *arg)
{
	ereport(WARNING,
			(errmsg("the CRM in schema \"%s\" was not upgraded", schema_name),
			 errdetail("%s", message)));
}

/* The CRMs of another version whose owner's rights the caller has. */
static List *
find_schemas(FunctionCallInfo fcinfo)
{
	char	   *version = crm_extension_version(crm_lock_extension(fcinfo));

	return crm_fleet_schemas(fcinfo,
							 psprintf("i.version OPERATOR(pg_catalog.<>) %s "
									  "AND pg_catalog.pg_has_role(i.owner::pg_catalog.name, 'USAGE')",
									  quote_literal_cstr(version)));
}

/* Upgrades them one after the other; returns how many failed. */
static int
upgrade_each(FunctionCallInfo fcinfo, List *schemas)
{
	CrmFleetTask task = {.run = upgrade,.failed = warn_of_failure,.keep = true};
	ListCell   *cell;
	int			failed = 0;

	foreach(cell, schemas)
	{
		int			n = foreach_current_index(cell) + 1;

		EnsurePortalSnapshotExists();
		if (!crm_fleet_run(fcinfo, lfirst_oid(cell), &task))
			failed++;
		SPI_commit();
		ereport(NOTICE, (errmsg("%d of %d CRMs done", n, list_length(schemas))));
		crm_fleet_forget(n);
	}
	return failed;
}

static bool
is_atomic(FunctionCallInfo fcinfo)
{
	return fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
}

/*
 * crm_upgrade_all()
 *		Upgrades the CRMs of another version whose owner's rights the caller
 *		has, with a commit after each.  One that fails does not keep the others
 *		from it: ERROR 55000 at the end.
 */
PG_FUNCTION_INFO_V1(crm_upgrade_all);
Datum
crm_upgrade_all(PG_FUNCTION_ARGS)
{
	List	   *schemas;
	int			failed;

	PreventCommandIfReadOnly("crm_upgrade_all()");
	if (is_atomic(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("crm_upgrade_all() cannot be called in a transaction block"),
				 errdetail("It commits after each CRM."),
				 errhint("Call it on its own, in autocommit mode.")));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	schemas = find_schemas(fcinfo);
	failed = upgrade_each(fcinfo, schemas);
	if (failed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%d of %d CRMs were not upgraded", failed, list_length(schemas)),
				 errdetail("The warnings tell why. The others are upgraded."),
				 errhint("Call crm_upgrade_all() again when the causes are removed.")));
	SPI_finish();
	PG_RETURN_VOID();
}
