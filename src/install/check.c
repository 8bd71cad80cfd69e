/*
 * install/check.c
 *		Checking that a CRM is as the extension needs it.
 *
 * The bodies of a CRM's functions are texts in the extension, so PostgreSQL does not
 * know which columns they read, and lets users drop them.  Here all these queries
 * are prepared, and the tables, views, triggers and functions that crm_install()
 * makes are looked for.  Their list is read from the scripts that crm_install() runs.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "common/md5.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "base/packed_text.h"
#include "base/query.h"
#include "base/report_plan.h"
#include "base/subtransaction.h"
#include "install/api_functions.h"
#include "install/check.h"
#include "install/computed_relationships.h"
#include "install/script.h"
#include "table/trigger.h"

typedef struct Check
{
	const CrmInstallation *installation;
	Oid			extension;		/* its schema */
	char	   *version;		/* of its SQL */
	const CrmScript *tables;	/* what made them; NULL: to be read */
	ReturnSetInfo *rows;		/* NULL: a problem is raised at level */
	int			level;			/* ERROR or WARNING */
} Check;

static void
report(Check *check, const char *object, const char *problem)
{
	Datum		values[] = {CStringGetTextDatum(object), CStringGetTextDatum(problem)};
	bool		nulls[] = {false, false};

	if (check->rows == NULL)
	{
		ereport(check->level,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the CRM in schema \"%s\" is not as it should be",
						get_namespace_name(check->installation->schema)),
				 errdetail("%s: %s.", object, problem),
				 errhint("Call crm_check() to see all that is wrong.")));
		return;
	}
	tuplestore_putvalues(check->rows->setResult, check->rows->setDesc, values, nulls);
}

/* ---- tables, views, triggers ---- */

static Oid
find_relation(Check *check, const char *what, const RangeVar *name)
{
	Oid			relid = get_relname_relid(name->relname, check->installation->schema);

	if (!OidIsValid(relid))
		report(check, psprintf("%s %s", what, name->relname), "is missing");
	return relid;
}

static void
check_table(Check *check, const CreateStmt *create)
{
	Oid			relid = find_relation(check, "table", create->relation);
	ListCell   *cell;

	if (!OidIsValid(relid))
		return;
	foreach(cell, create->tableElts)
	{
		ColumnDef  *column = lfirst(cell);

		if (IsA(column, ColumnDef) && get_attnum(relid, column->colname) == InvalidAttrNumber)
			report(check, psprintf("column %s.%s", create->relation->relname, column->colname), "is missing");
	}
}

/* What is wrong with a trigger of the table; NULL if it is right. */
static const char *
trigger_problem(Check *check, Oid relid, const CreateTrigStmt *create)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	const TriggerDesc *triggers = crm_copy_triggers(rel);
	const char *problem = "is missing";

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, create->trigname) != 0)
			continue;
		if (get_func_namespace(trigger->tgfoid) != check->extension)
			problem = "calls a function that is not the extension's";
		else if (trigger->tgenabled == TRIGGER_DISABLED)
			problem = "is disabled";
		else
			problem = NULL;
		break;
	}
	relation_close(rel, AccessShareLock);
	return problem;
}

static void
check_trigger(Check *check, const CreateTrigStmt *create)
{
	Oid			relid = get_relname_relid(create->relation->relname, check->installation->schema);
	const char *problem = OidIsValid(relid) ? trigger_problem(check, relid, create) : NULL;

	if (problem != NULL)
		report(check, psprintf("trigger %s on %s", create->trigname, create->relation->relname), problem);
}

static void
check_schema(Check *check)
{
	const CrmScript *script = check->tables;
	ListCell   *cell;

	if (script == NULL)
		script = crm_read_script(crm_packed_text(check->extension, CRM_SCHEMA_SQL),
								 check->installation->schema, check->extension);
	foreach(cell, script->statements)
	{
		Node	   *statement = lfirst_node(RawStmt, cell)->stmt;

		if (IsA(statement, CreateStmt))
			check_table(check, (CreateStmt *) statement);
		else if (IsA(statement, ViewStmt))
			(void) find_relation(check, "view", ((ViewStmt *) statement)->view);
		else if (IsA(statement, CreateTrigStmt))
			check_trigger(check, (CreateTrigStmt *) statement);
	}
}

/* ---- functions and their queries ---- */

/* Queries with the two schemas as parameters; returns the rows. */
static SPITupleTable *
query(Check *check, const char *text, uint64 *count)
{
	Oid			types[] = {OIDOID, OIDOID};
	Datum		args[] = {
		ObjectIdGetDatum(check->installation->schema),
		ObjectIdGetDatum(check->extension)
	};

	*count = crm_select_once(text, lengthof(types), types, args, NULL, false);
	return SPI_tuptable;
}

/* A report, and the CRM that it is prepared for. */
typedef struct PreparedReport
{
	Oid			function;
	Oid			schema;
} PreparedReport;

static void
prepare(void *arg)
{
	const PreparedReport *report = arg;

	crm_report_try(report->function, report->schema);
}

/* The message of the error that preparing raises; NULL if there is none. */
static char *
query_problem(Oid function, Oid schema)
{
	PreparedReport report = {function, schema};
	ErrorData  *error = crm_try(prepare, &report, true);

	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	return error != NULL ? error->message : NULL;
}

/* What the queries depend on: a hash of the columns of the CRM's tables and views. */
static char *
shape(Check *check)
{
	uint64		count;
	SPITupleTable *rows = query(check,
								"SELECT md5(string_agg(concat_ws(' ', c.relname, a.attname, a.atttypid), ',' ORDER BY c.relname, a.attname))"
								" FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.objid JOIN pg_attribute AS a ON a.attrelid = c.oid"
								" WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = $1 AND d.classid = 'pg_class'::regclass"
								" AND a.attnum > 0 AND NOT a.attisdropped", &count);
	char	   *hash = SPI_getvalue(rows->vals[0], rows->tupdesc, 1);

	return hash != NULL ? hash : "";
}

/* Returns whether all can be planned. */
static bool
check_queries(Check *check)
{
	bool		all = true;
	uint64		count;
	SPITupleTable *rows = query(check,
								"SELECT p.oid, p.proname FROM pg_proc AS q"
								" JOIN pg_proc AS p ON p.pronamespace = q.pronamespace"
								" AND p.proname = 'crm_' || substr(q.proname, length('crm_query_') + 1)"
								" AND p.proargtypes[0] = 'regnamespace'::regtype"
								" WHERE q.pronamespace = $2 AND q.proname LIKE 'crm\\_query\\_%'"
								" ORDER BY p.proname", &count);

	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		function = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull);
		char	   *name = SPI_getvalue(rows->vals[i], rows->tupdesc, 2);
		char	   *problem = query_problem(DatumGetObjectId(function),
											check->installation->schema);

		if (problem != NULL)
			report(check, psprintf("query of %s", name), problem);
		all &= problem == NULL;
	}
	return all;
}

/*
 * For a warning after an upgrade: CRMs that are alike are checked once in a session, as
 * most of crm_upgrade_all() would be planning the same queries for each.
 */
static void
check_queries_once(Check *check)
{
	static char known[2 * MD5_DIGEST_LENGTH + 1] = "";
	char	   *hash = shape(check);

	if (strcmp(hash, known) == 0)
		return;
	known[0] = '\0';
	if (check_queries(check))
		snprintf(known, sizeof(known), "%s", hash);
}

static void
report_to(void *arg, const char *object, const char *problem)
{
	report(arg, object, problem);
}

static void
check_version(Check *check)
{
	const char *version = check->installation->version;

	if (strcmp(version, check->version) != 0)
		report(check, "version", psprintf("is %s, while the extension's is %s",
										  version, check->version));
}

/* Checks the CRM against the extension that the called function belongs to. */
static void
run(Check *check, FunctionCallInfo fcinfo)
{
	check->extension = crm_extension_schema(fcinfo);
	check->version = crm_extension_version(crm_lock_extension(fcinfo));
	check_version(check);
	check_schema(check);
	crm_check_api(check->installation->schema, check->extension, report_to, check);
	crm_check_embedded(check->installation->schema, report_to, check);
	if (check->level == WARNING)
		check_queries_once(check);
	else
		(void) check_queries(check);
}

void
crm_require_no_problem(FunctionCallInfo fcinfo, const CrmInstallation *installation,
					   const CrmScript *tables)
{
	Check		check = {.installation = installation,.level = ERROR,.tables = tables};

	run(&check, fcinfo);
}

void
crm_warn_of_problems(FunctionCallInfo fcinfo, const CrmInstallation *installation)
{
	Check		check = {.installation = installation,.level = WARNING};

	run(&check, fcinfo);
}

/*
 * crm_check(schema_name text) -> table (object text, problem text)
 *		The problems of a CRM; no row if there are none.
 */
PG_FUNCTION_INFO_V1(crm_check);
Datum
crm_check(PG_FUNCTION_ARGS)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;
	Check		check = {.installation = &installation};

	crm_get_installation(fcinfo, schema_name, &installation);
	InitMaterializedSRF(fcinfo, 0);
	check.rows = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	run(&check, fcinfo);
	SPI_finish();
	return (Datum) 0;
}
