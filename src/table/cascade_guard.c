/*
 * table/cascade_guard.c
 *		What foreign keys delete or set to null runs no code of the owner's with a path
 *		of the writer's.
 *
 * A foreign key writes with the rights of the table's owner, but with the
 * search_path and the temporary tables of the session.  The owner's triggers would find
 * there what the writer has put in the way of their names, and so would functions that
 * the condition of a trigger, a CHECK, a generated column or an index calls.  PostgreSQL
 * offers no place to close the path for that one query, so all of these have to have a
 * closed path of their own.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "table/trigger.h"
#include "table/user_code.h"

#define FOREIGN_KEY_CONTEXT	(SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS)

/* The bits of ri_triggers.c.  A session with the owner's rights has nothing to gain. */
static bool
is_for_another_user(void)
{
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	return (sec_context & FOREIGN_KEY_CONTEXT) == FOREIGN_KEY_CONTEXT &&
		!has_privs_of_role(GetOuterUserId(), userid);
}

/* Whether it names pg_temp, and not in the first place: else that is searched first. */
static bool
is_closed_path(const char *path)
{
	List	   *names;
	ListCell   *lc;

	if (!SplitIdentifierString(pstrdup(path), ',', &names))
		return false;
	foreach(lc, names)
	{
		if (foreach_current_index(lc) > 0 && strcmp(lfirst(lc), "pg_temp") == 0)
			return true;
	}
	return false;
}

static bool
sets_closed_path(HeapTuple function)
{
	static const char prefix[] = "search_path=";
	bool		isnull;
	Datum		config = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proconfig, &isnull);
	Datum	   *settings;
	int			nsettings;

	if (isnull)
		return false;
	deconstruct_array(DatumGetArrayTypeP(config), TEXTOID, -1, false, TYPALIGN_INT,
					  &settings, NULL, &nsettings);
	for (int i = 0; i < nsettings; i++)
	{
		char	   *setting = TextDatumGetCString(settings[i]);

		if (strncmp(setting, prefix, strlen(prefix)) == 0)
			return is_closed_path(setting + strlen(prefix));
	}
	return false;
}

/* Code in C looks up no names. */
static bool
has_closed_path(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			language;
	bool		closed;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	closed = language == ClanguageId || language == INTERNALlanguageId || sets_closed_path(tuple);
	ReleaseSysCache(tuple);
	return closed;
}

/* Whether it is for that event, of those columns if it names some. */
static bool
is_fired(const TriggerData *trigdata, const Trigger *trigger)
{
	if (trigger->tgenabled == TRIGGER_DISABLED)
		return false;
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return TRIGGER_FOR_DELETE(trigger->tgtype);
	if (!TRIGGER_FOR_UPDATE(trigger->tgtype))
		return false;
	for (int i = 0; i < trigger->tgnattr; i++)
	{
		if (bms_is_member(trigger->tgattr[i] - FirstLowInvalidHeapAttributeNumber,
						  trigdata->tg_updatedcols))
			return true;
	}
	return trigger->tgnattr == 0;
}

static bool
runs_as_owner(const Trigger *trigger)
{
	return TRIGGER_FOR_BEFORE(trigger->tgtype) || CRM_AFTER_TRIGGERS_KEEP_USER;
}

/* trigger: whose function it is; NULL: one that an expression of the table calls. */
pg_noreturn static void
refuse(Relation rel, const char *trigger, Oid function)
{
	char	   *name = format_procedure_qualified(function);

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 trigger != NULL ?
			 errmsg("trigger \"%s\" of table \"%s\" would run with the rights of the table's owner",
					trigger, RelationGetRelationName(rel)) :
			 errmsg("function %s, which table \"%s\" calls, would run with the rights of the table's owner",
					name, RelationGetRelationName(rel)),
			 errdetail("A foreign key writes to the table as the owner, but with your search_path and temporary tables."),
			 errhint("The owner should give the function a path: ALTER FUNCTION %s SET search_path = %s, pg_temp.",
					 name, quote_identifier(get_namespace_name(RelationGetNamespace(rel))))));
}

static void
check_triggers(const TriggerData *trigdata, const TriggerDesc *triggers)
{
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (is_fired(trigdata, trigger) && runs_as_owner(trigger) &&
			!has_closed_path(trigger->tgfoid))
			refuse(trigdata->tg_relation, trigger->tgname, trigger->tgfoid);
	}
}

/* ---- expressions ---- */

static bool
is_open(Oid function, void *found)
{
	if (!crm_is_user_code(function) || has_closed_path(function))
		return false;
	*(Oid *) found = function;
	return true;
}

static bool
find_open(Node *node, void *found)
{
	return node != NULL &&
		(check_functions_in_node(node, is_open, found) ||
		 expression_tree_walker(node, find_open, found));
}

static void
check_expression(Relation rel, Node *expression)
{
	Oid			function;

	if (find_open(expression, &function))
		refuse(rel, NULL, function);
}

/* The condition of a trigger is looked at when it is fired, whenever that runs. */
static void
check_conditions(const TriggerData *trigdata, const TriggerDesc *triggers)
{
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgqual != NULL && is_fired(trigdata, trigger))
			check_expression(trigdata->tg_relation, stringToNode(trigger->tgqual));
	}
}

/* CHECKs and generated columns. */
static void
check_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	const TupleConstr *constraints = desc->constr;

	if (constraints == NULL)
		return;
	for (int i = 0; i < constraints->num_check; i++)
		check_expression(rel, stringToNode(constraints->check[i].ccbin));
	for (int i = 0; i < constraints->num_defval; i++)
	{
		const AttrDefault *value = &constraints->defval[i];

		if (TupleDescAttr(desc, value->adnum - 1)->attgenerated != '\0')
			check_expression(rel, stringToNode(value->adbin));
	}
}

static void
check_indexes(Relation rel)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		check_expression(rel, (Node *) RelationGetIndexExpressions(index));
		check_expression(rel, (Node *) RelationGetIndexPredicate(index));
		index_close(index, NoLock);
	}
}

/*
 * crm_cascade_guard(version): BEFORE DELETE OR UPDATE trigger FOR EACH STATEMENT
 *		Errors: 42501 if a foreign key writes for a user without the owner's rights, and
 *		the table has a trigger for that, or calls a function of a user's then, that does
 *		not set a closed path.
 */
PG_FUNCTION_INFO_V1(crm_cascade_guard);
Datum
crm_cascade_guard(PG_FUNCTION_ARGS)
{
	const int	events = CRM_ON(TRIGGER_EVENT_DELETE) | CRM_ON(TRIGGER_EVENT_UPDATE);
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_cascade_guard", TRIGGER_EVENT_BEFORE,
											 events);
	TriggerDesc *triggers;

	if (!is_for_another_user())
		return PointerGetDatum(NULL);
	triggers = crm_copy_triggers(trigdata->tg_relation);
	check_triggers(trigdata, triggers);
	check_conditions(trigdata, triggers);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		check_columns(trigdata->tg_relation);
		check_indexes(trigdata->tg_relation);
	}
	return PointerGetDatum(NULL);
}
