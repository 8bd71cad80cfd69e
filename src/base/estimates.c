/*
 * base/estimates.c
 *		Planning with values that the plan does not depend on.
 *
 * PostgreSQL plans a statement either for the values of its parameters, which are then
 * constants, or knows nothing of them.  The planner itself has a way between: it estimates
 * rows with the values that it is given, and makes constants only of those marked so.
 */
#include "postgres.h"

#include "optimizer/planner.h"

#include "base/estimates.h"
#include "base/shard_query.h"

static planner_hook_type next_planner = NULL;

/* The statement that is being planned, and values for its estimates. */
static const char *planned = NULL;
static ParamListInfo values = NULL;

static ParamListInfo
without_constants(ParamListInfo params)
{
	ParamListInfo copy = makeParamList(params->numParams);

	for (int i = 0; i < params->numParams; i++)
	{
		copy->params[i] = params->params[i];
		copy->params[i].pflags = 0;
	}
	return copy;
}

/* The text is compared by its address, as a function that is evaluated may plan others. */
static PlannedStmt *
plan_query(Query *query, const char *text, int cursor_options, ParamListInfo params)
{
	if (params == NULL && planned != NULL && text == planned)
		params = without_constants(values);
	return next_planner != NULL ? next_planner(query, text, cursor_options, params) :
		standard_planner(query, text, cursor_options, params);
}

void
crm_estimates_install_hook(void)
{
	next_planner = planner_hook;
	planner_hook = plan_query;
}

CachedPlan *
crm_plan_for(CachedPlanSource *source, ParamListInfo params)
{
	const char *outer_planned = planned;
	ParamListInfo outer_values = values;
	CachedPlan *plan = NULL;

	PG_TRY();
	{
		planned = source->query_string;
		values = params;
		plan = crm_plan_on_shards(source, params);
	}
	PG_FINALLY();
	{
		planned = outer_planned;
		values = outer_values;
	}
	PG_END_TRY();
	return plan;
}
