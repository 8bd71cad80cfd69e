/*
 * base/report_run.c
 *		Running the queries of a report.
 *
 * They run with the caller's search_path, as triggers and views of the user's may
 * need that; all names were bound when they were analyzed (base/report_query.c).
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/estimates.h"
#include "base/report_query.h"
#include "base/report_run.h"
#include "base/row_messages.h"
#include "base/uuid.h"

/* Removes the position of an error, which is in our query, not in the caller's. */
static void
tell_query(void *arg)
{
	const CachedPlanSource *source = arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(source->query_string);
	}
}

/* Returns how many rows there were. */
static uint64
run_planned(PlannedStmt *planned, const char *text, ParamListInfo params, DestReceiver *dest)
{
	QueryDesc  *desc = CreateQueryDesc(planned, text, GetActiveSnapshot(), InvalidSnapshot,
									   dest, params, NULL, 0);
	uint64		rows;

	ExecutorStart(desc, 0);
	crm_executor_run(desc);
	rows = desc->estate->es_processed;
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	return rows;
}

/* As SPI does it, but planned with one search_path and run with another. */
static uint64
run_source(const CrmReport *report, CachedPlanSource *source, ParamListInfo params,
		   DestReceiver *dest)
{
	Oid			user = GetUserId();
	int			level = crm_report_pin_settings();
	CachedPlan *plan = crm_plan_for(source, params);
	ListCell   *cell;
	uint64		rows = 0;

	crm_report_check_user(user);
	if (report->query == NULL)
		crm_report_check_result(report);
	AtEOXact_GUC(true, level);
	if (!report->names.declaration.read_only)
	{
		CommandCounterIncrement();
		UpdateActiveSnapshotCommandId();
	}
	foreach(cell, plan->stmt_list)
	{
		PlannedStmt *planned = lfirst_node(PlannedStmt, cell);

		/* A rule of the user's may add others. */
		if (planned->canSetTag)
			rows = run_planned(planned, source->query_string, params, dest);
		else
			(void) run_planned(planned, source->query_string, params, None_Receiver);
	}
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	return rows;
}

/*
 * Read-only functions have the snapshot of the query that calls them; others
 * a new one for each statement, as the isolation level has it.
 */
static uint64
run_statement(const CrmReport *report, SPIPlanPtr plan, ParamListInfo params, DestReceiver *dest)
{
	CachedPlanSource *source = crm_report_source(plan);
	ErrorContextCallback context = {
		.previous = error_context_stack,.callback = tell_query,.arg = source
	};
	bool		read_only = report->names.declaration.read_only;
	uint64		rows;

	error_context_stack = &context;
	if (!read_only)
		PushActiveSnapshot(GetTransactionSnapshot());
	rows = run_source(report, source, params, dest);
	if (!read_only)
	{
		CommandCounterIncrement();
		PopActiveSnapshot();
	}
	error_context_stack = context.previous;
	return rows;
}

/* The look-up of the first id whose row the caller does not see; NULL if there is none. */
static const CrmLookup *
find_missing(const CrmReport *report, ParamListInfo params)
{
	for (int i = 0; i < report->nlookups; i++)
	{
		const CrmLookup *lookup = &report->lookups[i];

		if (!params->params[lookup->argument].isnull &&
			run_statement(report, lookup->plan, params, None_Receiver) == 0)
			return lookup;
	}
	return NULL;
}

/*
 * Makes a snapshot the active one that also shows what the running statement
 * itself has done so far, as for INSERT ... RETURNING summary(pipelines).
 */
static void
push_own_snapshot(void)
{
	PushCopiedSnapshot(IsolationUsesXactSnapshot() ? GetActiveSnapshot() : GetLatestSnapshot());
	GetActiveSnapshot()->curcid = GetCurrentCommandId(false) + 1;
}

static pg_noinline void
report_missing(const CrmLookup *missing, ParamListInfo params)
{
	const pg_uuid_t *id = DatumGetUUIDP(params->params[missing->argument].value);

	ereport(ERROR,
			(errcode(ERRCODE_CRM_NOT_FOUND),
			 crm_errmsg_missing(missing->id->what, crm_uuid_text(id)),
			 crm_errhint_missing(missing->id->what)));
}

bool
crm_report_check_ids(const CrmReport *report, ParamListInfo params)
{
	const CrmLookup *missing = find_missing(report, params);
	bool		pushed = false;

	if (missing != NULL && report->names.declaration.read_only && !IsInParallelMode())
	{
		push_own_snapshot();
		pushed = true;
		missing = find_missing(report, params);
	}
	if (missing != NULL)
		report_missing(missing, params);
	return pushed;
}

static void
run_statements(const CrmReport *report, ParamListInfo params, DestReceiver *dest)
{
	ListCell   *cell;

	foreach(cell, report->statements)
		(void) run_statement(report, lfirst(cell), params, dest);
}

void
crm_report_run(const CrmReport *report, const char *dimension, ParamListInfo params,
			   DestReceiver *dest)
{
	CrmReport  *query;

	run_statements(report, params, None_Receiver);
	query = crm_report_open_query(report, dimension, params);
	PG_TRY();
	{
		run_statements(query, params, dest);
	}
	PG_FINALLY();
	{
		crm_report_close(query);
	}
	PG_END_TRY();
}
