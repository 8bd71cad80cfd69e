/*
 * install/track_column.c
 *		Which columns of the user's have their changes recorded in deal_changes.
 *
 * The mark of a column is an argument of the trigger that records changes: so it is
 * dumped with the trigger, and reading it costs nothing.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "base/query.h"
#include "history/other_columns.h"
#include "table/installation.h"
#include "table/trigger.h"

/* The trigger that records updates; ERROR if there is none that does. */
static const Trigger *
find_trigger(FunctionCallInfo fcinfo, Relation deals)
{
	Oid			audit = crm_extension_function(fcinfo, "crm_deal_audit");
	const TriggerDesc *triggers = crm_copy_triggers(deals);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == audit && TRIGGER_FOR_UPDATE(trigger->tgtype) &&
			trigger->tgenabled != TRIGGER_DISABLED &&
			crm_trigger_has_argument(trigger, CRM_AUDIT_CHANGES))
			return trigger;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("no trigger of table \"%s\" records its changes", RelationGetRelationName(deals)),
			 errhint("Enable the triggers of the CRM; crm_check() tells what is wrong.")));
}

static void
check_column(Relation deals, const char *column)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(deals), column);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column,
						RelationGetRelationName(deals)),
				 errhint("Add it to the table first.")));
	if (attno < 0 || crm_is_own_column(column) ||
		TupleDescAttr(RelationGetDescr(deals), attno - 1)->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" of relation \"%s\" cannot be tracked", column,
						RelationGetRelationName(deals)),
				 errdetail("It is a generated or system column, or the CRM records it anyway."),
				 errhint("Give a column of your own.")));
}

/* The arguments of the trigger without the mark, and with it if it is to be there. */
static char *
new_arguments(const Trigger *trigger, const char *mark, bool track, bool *found)
{
	StringInfoData arguments;
	int			nmarks = 0;

	*found = false;
	initStringInfo(&arguments);
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		nmarks += strncmp(trigger->tgargs[i], CRM_AUDIT_COLUMN, strlen(CRM_AUDIT_COLUMN)) == 0;
		if (i > 0 && strcmp(trigger->tgargs[i], mark) == 0)
			*found = true;
		else
			appendStringInfo(&arguments, "%s%s", i > 0 ? ", " : "",
							 quote_literal_cstr(trigger->tgargs[i]));
	}
	if (track && nmarks >= MAX_OTHER_COLUMNS / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("at most %d columns can be tracked", MAX_OTHER_COLUMNS / 2),
				 errhint("Put some of them into metadata, whose changes are recorded.")));
	if (track)
		appendStringInfo(&arguments, ", %s", quote_literal_cstr(mark));
	return arguments.data;
}

static char *
old_arguments(const Trigger *trigger)
{
	bool		found;

	return new_arguments(trigger, "", false, &found);
}

static void
replace_trigger(Relation deals, const Trigger *trigger, const char *arguments)
{
	static const char create[] = "CREATE TRIGGER ";
	char	   *definition;
	char	   *tail = psprintf("(%s)", old_arguments(trigger));
	int			length;

	definition = TextDatumGetCString(DirectFunctionCall1(pg_get_triggerdef,
														 ObjectIdGetDatum(trigger->tgoid)));
	length = strlen(definition) - strlen(tail);
	if (length < 0 || strcmp(definition + length, tail) != 0 ||
		strncmp(definition, create, strlen(create)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot change the arguments of trigger \"%s\"", trigger->tgname),
				 errdetail("It is defined as: %s", definition)));
	crm_run(psprintf("CREATE OR REPLACE TRIGGER %.*s(%s)", length - (int) strlen(create),
					 definition + strlen(create), arguments));
	if (trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN)
		crm_run(psprintf("ALTER TABLE %s ENABLE %s TRIGGER %s", crm_relation_name(RelationGetRelid(deals)),
						 trigger->tgenabled == TRIGGER_FIRES_ALWAYS ? "ALWAYS" : "REPLICA",
						 quote_identifier(trigger->tgname)));
}

static bool
set_mark(FunctionCallInfo fcinfo, bool track)
{
	char	   *schema = crm_required_text(fcinfo, 0, "schema name");
	char	   *column = crm_required_text(fcinfo, 1, "column name");
	CrmInstallation installation;
	Relation	deals;
	const Trigger *trigger;
	char	   *arguments;
	bool		found;

	crm_get_installation_to_alter(fcinfo, schema, &installation);
	deals = table_open(installation.deals, ShareRowExclusiveLock);
	trigger = find_trigger(fcinfo, deals);
	if (track)
		check_column(deals, column);
	arguments = new_arguments(trigger, psprintf("%s%s", CRM_AUDIT_COLUMN, column), track, &found);
	if (found != track)
	{
		SPI_connect();
		replace_trigger(deals, trigger, arguments);
		SPI_finish();
	}
	table_close(deals, NoLock);
	return found != track;
}

/*
 * crm_track_column(schema_name text, column_name text) -> boolean
 *		Records changes of that column of deals from now on; false if they were
 *		recorded already.  For the CRM's owner.
 */
PG_FUNCTION_INFO_V1(crm_track_column);
Datum
crm_track_column(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(set_mark(fcinfo, true));
}

/*
 * crm_untrack_column(schema_name text, column_name text) -> boolean
 *		Stops recording them; false if they were not recorded.  For the CRM's
 *		owner.
 */
PG_FUNCTION_INFO_V1(crm_untrack_column);
Datum
crm_untrack_column(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(set_mark(fcinfo, false));
}
