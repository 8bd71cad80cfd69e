/*
 * base/shard_query.c
 *		Planning a query on the shards that this node has, in place of the tables.
 *
 * Citus refuses to run a query on a distributed table in a function that a query on a
 * shard calls.  A report may be called so, by a query of the user's or by another
 * report, and the node that calls it then has the shards.  So the tables are replaced
 * after the query was rewritten, in views as well, and Citus finds nothing to distribute.
 */
#include "postgres.h"

#include "access/relation.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "base/compat.h"
#include "base/shard.h"
#include "base/shard_query.h"

static planner_hook_type next_planner = NULL;
static bool has_hook = false;

/* Whether what is being planned is to read shards. */
static bool on_shards = false;

/* A shard made after a column was dropped has other numbers of columns than the table. */
static bool
has_same_columns(Oid table, Oid shard)
{
	Relation	rel = relation_open(table, AccessShareLock);
	Relation	other = relation_open(shard, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	bool		same = desc->natts == RelationGetDescr(other)->natts;

	for (int i = 0; same && i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);
		Form_pg_attribute b = TupleDescAttr(RelationGetDescr(other), i);

		same = a->attisdropped == b->attisdropped && a->atttypid == b->atttypid;
	}
	relation_close(other, NoLock);
	relation_close(rel, NoLock);
	return same;
}

/* Returns true to stop: at a table that has to be left to Citus. */
static bool
check_tables(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;
		Oid			shard;

		if (rte->rtekind != RTE_RELATION)
			return false;
		shard = crm_table_to_read(rte->relid);
		return shard == rte->relid ? crm_is_distributed(rte->relid) :
			!has_same_columns(rte->relid, shard);
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, check_tables, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, check_tables, context);
}

static void
replace_table(Query *query, RangeTblEntry *rte)
{
	Oid			shard;

	if (rte->rtekind != RTE_RELATION)
		return;
	shard = crm_table_to_read(rte->relid);
	if (shard == rte->relid)
		return;
	LockRelationOid(shard, rte->rellockmode);
	crm_replace_permissions(query, rte, shard);
	rte->relid = shard;
}

/* The context is the query that a table is in. */
static bool
replace_tables(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		replace_table(context, (RangeTblEntry *) node);
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, replace_tables, node, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, replace_tables, context);
}

static PlannedStmt *
plan_query(Query *query, const char *text, int cursor_options, ParamListInfo params)
{
	if (on_shards && query->commandType == CMD_SELECT && !query->hasModifyingCTE &&
		!check_tables((Node *) query, NULL))
		(void) replace_tables((Node *) query, query);
	return next_planner != NULL ? next_planner(query, text, cursor_options, params) :
		standard_planner(query, text, cursor_options, params);
}

void
crm_shard_query_install_hook(void)
{
	if (GetConfigOption("citus.propagate_set_commands", true, false) == NULL)
		return;
	has_hook = true;
	next_planner = planner_hook;
	planner_hook = plan_query;
}

CachedPlan *
crm_plan_on_shards(CachedPlanSource *source, ParamListInfo params)
{
	bool		outer = on_shards;
	CachedPlan *plan = NULL;

	if (!has_hook)
		return GetCachedPlan(source, params, CurrentResourceOwner, NULL);
	PG_TRY();
	{
		on_shards = true;
		plan = GetCachedPlan(source, params, CurrentResourceOwner, NULL);
	}
	PG_FINALLY();
	{
		on_shards = outer;
	}
	PG_END_TRY();
	return plan;
}
