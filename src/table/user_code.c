/*
 * table/user_code.c
 *		Whether storing a row runs code of a user's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "table/trigger.h"
#include "table/user_code.h"

/*
 * PostgreSQL's immutable functions look nothing up and run no query, as
 * query_to_xml() does; of the others we only need the clock.
 */
bool
crm_is_user_code(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		builtin;

	if (!HeapTupleIsValid(tuple))
		return true;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	builtin = form->prolang == INTERNALlanguageId && function < FirstGenbkiObjectId &&
		(form->provolatile == PROVOLATILE_IMMUTABLE || function == F_CLOCK_TIMESTAMP ||
		 function == F_NOW);
	ReleaseSysCache(tuple);
	return !builtin && !crm_is_own_function(function);
}

static bool
is_user_code(Oid function, void *context)
{
	return crm_is_user_code(function);
}

static bool
has_user_code(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain))
		return true;
	return check_functions_in_node(node, is_user_code, context) ||
		expression_tree_walker(node, has_user_code, context);
}

static bool
in_triggers(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && TRIGGER_FOR_ROW(trigger->tgtype) &&
			(crm_is_user_code(trigger->tgfoid) || trigger->tgqual != NULL))
			return true;
	}
	return false;
}

static bool
in_constraints(const TupleConstr *constraints)
{
	if (constraints == NULL)
		return false;
	for (int i = 0; i < constraints->num_check; i++)
	{
		if (has_user_code(stringToNode(constraints->check[i].ccbin), NULL))
			return true;
	}
	return constraints->has_generated_stored;
}

static bool
in_indexes(Relation rel)
{
	bool		found = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= has_user_code((Node *) RelationGetIndexExpressions(index), NULL) ||
			has_user_code((Node *) RelationGetIndexPredicate(index), NULL);
		index_close(index, NoLock);
	}
	return found;
}

bool
crm_insert_runs_user_code(Relation rel, const List *columns)
{
	return in_triggers(crm_copy_triggers(rel)) ||
		in_constraints(RelationGetDescr(rel)->constr) ||
		has_user_code((Node *) columns, NULL) ||
		in_indexes(rel);
}
