/*
 * install/upgrade.c
 *		Upgrading the tables of a CRM to the version of the extension's SQL.
 *
 * A release that changes tables brings a step, a script that carries a CRM
 * from one version to a later one (sql/migrations).  crm_migrations() has the
 * steps.  They are chained, and run with the caller's rights and in the
 * caller's transaction: an upgrade that is interrupted leaves the CRM as it
 * was, and is simply called again.  The version of a CRM is an argument of its
 * triggers, which each step ends with changing.
 *
 * The queries below rely on the declared search_path of crm_upgrade()
 * (pg_catalog, pg_temp).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/namesakes.h"
#include "base/query.h"
#include "base/shard.h"
#include "base/version.h"
#include "install/api_functions.h"
#include "install/check.h"
#include "install/computed_relationships.h"
#include "install/distribute.h"
#include "install/script.h"
#include "table/installation.h"

/* A script that carries a CRM from one version to a later one. */
typedef struct Step
{
	char	   *from;
	char	   *to;
	char	   *script;
} Step;

/* One call of crm_upgrade(). */
typedef struct Upgrade
{
	CrmInstallation crm;
	char	   *schema_name;
	Oid			extension;
	Oid			extension_schema;
	char	   *target;			/* the version to reach */
} Upgrade;

/* A trigger of the CRM that has its version to tell. */
typedef struct VersionedTrigger
{
	char	   *table;			/* qualified and quoted */
	char	   *name;
	char		enabled;		/* pg_trigger.tgenabled */
	bool		clone;			/* of a partition: follows the one of its
								 * table */
	char	   *definition;
	char	   *version;
	char	   *arguments;		/* after the version: "" or ", 'a', ..." */
} VersionedTrigger;

/*
 * The tables of a CRM, with partitions, and the triggers on them that call
 * functions of the extension and have arguments.  What depends on the schema is
 * found by an index, pg_class and pg_trigger are read by oids: in a database of many
 * CRMs both are large.
 */
#define TRIGGERS_QUERY \
	"WITH RECURSIVE tables AS (" \
	"SELECT d.objid AS oid FROM pg_depend AS d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = $1 " \
	"AND d.classid = 'pg_class'::regclass " \
	"UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN tables AS t ON i.inhparent = t.oid), " \
	"triggers AS MATERIALIZED (" \
	"SELECT t.oid, t.tgrelid, t.tgname, t.tgenabled, t.tgparentid, t.tgfoid, t.tgargs, t.tgnargs " \
	"FROM tables AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid WHERE t.tgnargs > 0 AND NOT t.tgisinternal) " \
	"SELECT format('%I.%I', n.nspname, c.relname), t.tgname::text, t.tgenabled, " \
	"t.tgparentid <> 0, pg_get_triggerdef(t.oid), t.tgargs, t.tgnargs, c.relkind = 'v' " \
	"FROM triggers AS t JOIN pg_class AS c ON c.oid = t.tgrelid " \
	"JOIN pg_namespace AS n ON n.oid = c.relnamespace " \
	"WHERE EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = t.tgfoid " \
	"AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = $2 AND d.deptype = 'e') "

/* The order in which a move locks them: another order could deadlock with moves. */
#define IN_ORDER_OF_LOCKS \
	"ORDER BY array_position(ARRAY['deals', 'stages', 'pipelines', 'stage_changes', 'deal_changes', " \
	"'stage_totals']::name[], c.relname), c.relname, t.tgparentid, t.tgname"

/*
 * Runs a query in a snapshot of now, whatever the transaction sees; its
 * parameters are oids.
 */
static void
run_query(const char *query, int nargs, Datum *args)
{
	Oid			types[] = {OIDOID, OIDOID};
	SPIPlanPtr	plan = SPI_prepare(query, nargs, types);

	if (plan == NULL || SPI_execute_snapshot(plan, args, NULL, GetLatestSnapshot(), InvalidSnapshot,
											 true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s: %s", query, SPI_result_code_string(SPI_result));
	(void) SPI_freeplan(plan);
}

static char *
result_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* The steps that there are, whatever the CRM. */
static List *
read_steps(const Upgrade *upgrade)
{
	List	   *steps = NIL;

	run_query(psprintf("SELECT from_version, to_version, script FROM %s.crm_migrations()",
					   quote_identifier(get_namespace_name(upgrade->extension_schema))), 0, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Step	   *step = palloc(sizeof(Step));

		step->from = result_text(i, 1);
		step->to = result_text(i, 2);
		step->script = result_text(i, 3);
		steps = lappend(steps, step);
	}
	return steps;
}

/*
 * The fewest steps that lead from one version to another, in their order;
 * false if there is no way.  Every step leads to a later version, so the
 * recursion ends.
 */
static bool
find_path(List *steps, const char *from, const char *to, List **path)
{
	bool		found = false;
	ListCell   *lc;

	*path = NIL;
	if (crm_compare_versions(from, to) == 0)
		return true;
	foreach(lc, steps)
	{
		Step	   *step = lfirst(lc);
		List	   *rest;

		if (crm_compare_versions(step->from, from) != 0 ||
			crm_compare_versions(step->to, from) <= 0 || crm_compare_versions(step->to, to) > 0 ||
			!find_path(steps, step->to, to, &rest))
			continue;
		if (!found || list_length(rest) + 1 < list_length(*path))
			*path = lcons(step, rest);
		found = true;
	}
	return found;
}

pg_noreturn static void
refuse_without_path(const Upgrade *upgrade, List *steps)
{
	StringInfoData known;
	ListCell   *lc;

	initStringInfo(&known);
	foreach(lc, steps)
	{
		const Step *step = lfirst(lc);

		appendStringInfo(&known, "%s%s to %s", known.len == 0 ? "" : ", ", step->from, step->to);
	}
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("cannot upgrade the CRM in schema \"%s\" from version \"%s\"",
					upgrade->schema_name, upgrade->crm.version),
			 known.len == 0 ?
			 errdetail("The extension is of version %s and knows no steps.", upgrade->target) :
			 errdetail("The extension is of version %s and knows the steps %s.",
					   upgrade->target, known.data)));
}

/* Refuses to run steps where they could go wrong, or run what somebody else put there. */
static void
check_circumstances(const Upgrade *upgrade)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("a CRM cannot be upgraded in a transaction of isolation level %s",
						XactIsoLevel == XACT_SERIALIZABLE ? "SERIALIZABLE" : "REPEATABLE READ"),
				 errdetail("It would not see rows that others wrote while it waited for their locks."),
				 errhint("Call crm_upgrade() at the level READ COMMITTED.")));
	crm_check_planted(upgrade->extension_schema);
	crm_check_creators(upgrade->extension_schema);
	crm_check_creators(upgrade->crm.schema);
}

/* Queries the triggers of the CRM that have arguments, in the order of locks. */
static void
read_triggers(const Upgrade *upgrade)
{
	Datum		args[] = {
		ObjectIdGetDatum(upgrade->crm.schema),
		ObjectIdGetDatum(upgrade->extension)
	};

	run_query(TRIGGERS_QUERY IN_ORDER_OF_LOCKS, lengthof(args), args);
}

/*
 * Takes the strongest lock on all tables of the CRM before any of them is changed:
 * locking them one after the other, as the steps change them, could deadlock with a
 * transaction that moves a deal.  Views are left out, as LOCK TABLE also locks the
 * tables that a view reads, among them catalogs, which the owner may not lock.
 */
static void
lock_tables(const Upgrade *upgrade)
{
	StringInfoData command;
	char	   *last = NULL;

	read_triggers(upgrade);
	initStringInfo(&command);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *table = result_text(i, 1);

		if (result_text(i, 8)[0] == 't')
			continue;
		if (last == NULL || strcmp(table, last) != 0)
			appendStringInfo(&command, "%s%s", last == NULL ? "LOCK TABLE " : ", ", table);
		last = table;
	}
	appendStringInfoString(&command, " IN ACCESS EXCLUSIVE MODE");
	crm_run(command.data);
}

/* The arguments of a trigger after the first one, as its definition has them. */
static char *
further_arguments(const char *args, int nargs)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 1; i < nargs; i++)
	{
		args += strlen(args) + 1;
		appendStringInfo(&text, ", %s", quote_literal_cstr(args));
	}
	return text.data;
}

static VersionedTrigger *
read_trigger(uint64 row)
{
	VersionedTrigger *trigger = palloc(sizeof(VersionedTrigger));
	TupleDesc	desc = SPI_tuptable->tupdesc;
	HeapTuple	tuple = SPI_tuptable->vals[row];
	int16		nargs;
	bool		isnull;
	char	   *args;

	trigger->table = result_text(row, 1);
	trigger->name = result_text(row, 2);
	trigger->enabled = DatumGetChar(SPI_getbinval(tuple, desc, 3, &isnull));
	trigger->clone = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
	trigger->definition = result_text(row, 5);
	args = VARDATA_ANY(DatumGetByteaPP(SPI_getbinval(tuple, desc, 6, &isnull)));
	trigger->version = pstrdup(args);
	nargs = DatumGetInt16(SPI_getbinval(tuple, desc, 7, &isnull));
	trigger->arguments = further_arguments(args, nargs);
	return trigger;
}

/* The triggers of the CRM, whatever their names, that are of an older version. */
static List *
read_older_triggers(const Upgrade *upgrade, const char *version)
{
	List	   *triggers = NIL;

	read_triggers(upgrade);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		VersionedTrigger *trigger = read_trigger(i);

		if (crm_is_version(trigger->version) && crm_compare_versions(trigger->version, version) < 0)
			triggers = lappend(triggers, trigger);
	}
	return triggers;
}

/* Puts the version in place of the one that is the trigger's first argument. */
static void
set_version(const VersionedTrigger *trigger, const char *version)
{
	static const char create[] = "CREATE TRIGGER ";
	char	   *tail = psprintf("(%s%s)", quote_literal_cstr(trigger->version), trigger->arguments);
	int			length = strlen(trigger->definition) - strlen(tail);

	if (length < 0 || strcmp(trigger->definition + length, tail) != 0 ||
		strncmp(trigger->definition, create, strlen(create)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot set the version of trigger \"%s\" on table %s", trigger->name, trigger->table),
				 errdetail("It is defined as: %s", trigger->definition),
				 errhint("Make it an ordinary trigger, or drop it.")));
	crm_run(psprintf("CREATE OR REPLACE TRIGGER %.*s(%s%s)",
					 length - (int) strlen(create), trigger->definition + strlen(create),
					 quote_literal_cstr(version), trigger->arguments));
}

/* A trigger that is replaced fires as triggers do by default. */
static void
restore_enabled(const VersionedTrigger *trigger)
{
	const char *state = trigger->enabled == TRIGGER_DISABLED ? "DISABLE" :
	trigger->enabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" :
	trigger->enabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA" : NULL;

	if (state != NULL)
		crm_run(psprintf("ALTER TABLE ONLY %s %s TRIGGER %s", trigger->table, state,
						 quote_identifier(trigger->name)));
}

/* Makes the CRM one of that version. */
static void
set_versions(const Upgrade *upgrade, const char *version)
{
	List	   *triggers = read_older_triggers(upgrade, version);
	ListCell   *lc;

	foreach(lc, triggers)
	{
		const VersionedTrigger *trigger = lfirst(lc);

		if (!trigger->clone)
			set_version(trigger, version);
	}
	foreach(lc, triggers)
		restore_enabled(lfirst(lc));
}

static void
run_step(const Upgrade *upgrade, const Step *step)
{
	int			level = crm_pin_settings(upgrade->crm.schema);

	crm_run_script(crm_read_script(step->script, upgrade->crm.schema, upgrade->extension_schema));
	AtEOXact_GUC(true, level);
	set_versions(upgrade, step->to);
}

/*
 * A problem that is left comes from a change of the user's, such as a dropped column.
 * It gets a warning, as an error would keep the CRM in the older version.
 */
static void
check_result(FunctionCallInfo fcinfo, const Upgrade *upgrade)
{
	CrmInstallation crm;

	CommandCounterIncrement();
	crm_get_installation(fcinfo, upgrade->schema_name, &crm);
	crm_warn_of_problems(fcinfo, &crm);
}

/* On a Citus cluster, also makes the functions and comments of the other nodes. */
static void
run_steps(FunctionCallInfo fcinfo, const Upgrade *upgrade, List *path)
{
	ListCell   *lc;

	check_circumstances(upgrade);
	lock_tables(upgrade);
	foreach(lc, path)
	{
		const Step *step = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		run_step(upgrade, step);
		ereport(NOTICE,
				(errmsg("schema \"%s\": carried from version %s to %s (step %d of %d)",
						upgrade->schema_name, step->from, step->to,
						foreach_current_index(lc) + 1, list_length(path))));
	}
	crm_make_api(upgrade->crm.schema, upgrade->extension_schema);
	crm_embed_all(upgrade->crm.schema);
	if (crm_is_distributed(upgrade->crm.deals))
		crm_distribute_schema(fcinfo, upgrade->crm.schema, true);
}

/*
 * crm_upgrade(schema_name text) -> text
 *		Carries a CRM to the version of the extension's SQL, which it returns.
 *		For its owner.
 */
PG_FUNCTION_INFO_V1(crm_upgrade);
Datum
crm_upgrade(PG_FUNCTION_ARGS)
{
	Upgrade		upgrade = {.schema_name = crm_required_text(fcinfo, 0, "schema name")};
	List	   *steps;
	List	   *path;

	PreventCommandIfReadOnly("crm_upgrade()");
	upgrade.extension = crm_lock_extension(fcinfo);
	upgrade.extension_schema = crm_extension_schema(fcinfo);
	upgrade.target = crm_extension_version(upgrade.extension);
	crm_get_installation_to_alter(fcinfo, upgrade.schema_name, &upgrade.crm);
	if (crm_is_version(upgrade.crm.version) &&
		crm_compare_versions(upgrade.crm.version, upgrade.target) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("the CRM in schema \"%s\" is newer than extension crm", upgrade.schema_name),
				 errdetail("The CRM's version is %s, the extension's %s.",
						   upgrade.crm.version, upgrade.target),
				 errhint("Install crm %s or later on this server and run ALTER EXTENSION crm UPDATE.",
						 upgrade.crm.version)));

	SPI_connect();
	steps = read_steps(&upgrade);
	if (!crm_is_version(upgrade.crm.version) ||
		!find_path(steps, upgrade.crm.version, upgrade.target, &path))
		refuse_without_path(&upgrade, steps);
	if (path != NIL)
	{
		run_steps(fcinfo, &upgrade, path);
		check_result(fcinfo, &upgrade);
	}
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(upgrade.target));
}
