/*
 * base/context.c
 *		The session's context on the other nodes of a Citus cluster.
 *
 * The rules of a CRM run on the node that has its shards, in a session that Citus opens
 * there.  Who writes, and as of when, is told by settings of the session that the user
 * is connected to.  Citus takes SET LOCAL along: to the nodes that take part in the
 * transaction and to those that join it later.  So the settings are set again before
 * a statement that writes.  A statement outside a transaction block takes nothing
 * along; it is refused if there is something to take.
 *
 * For this, the library has to be loaded when the session begins, on each node that
 * users connect to: crm_distribute() checks it.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/context.h"
#include "base/query.h"
#include "base/session.h"
#include "base/shard.h"

static ExecutorStart_hook_type next_start = NULL;
static ExecutorRun_hook_type next_run = NULL;
static ProcessUtility_hook_type next_utility = NULL;

/* Whether the library was loaded when the session began, not by a statement. */
static bool is_preloaded = false;

/* How many queries, DOs and CALLs are running that may run statements. */
static int	depth = 0;

/* What was taken along in this transaction; an aborted subtransaction takes it back. */
static struct
{
	char	   *statements;		/* in TopTransactionContext; NULL: nothing */
	SubTransactionId subxact;
}			taken;

static void
forget_taken(void *arg)
{
	taken.statements = NULL;
}

/* ---- taking it along ---- */

/* crm.effective_at without the settings that its text depends on; empty if unset. */
static char *
effective_at(void)
{
	TimestampTz at;
	char		buffer[MAXDATELEN + 1];
	int			zone = 0;

	if (!crm_session_effective_at(&at))
		return pstrdup("");
	JsonEncodeDateTime(buffer, TimestampTzGetDatum(at), TIMESTAMPTZOID, &zone);
	return pstrdup(buffer);
}

/* What reports depend on. */
static const char *const read_settings[] = {
	"TimeZone", "crm.fiscal_year_start", "crm.week_start"
};

/* The SET LOCALs, a list of text. */
static List *
statements(void)
{
	const char *const values[][2] = {
		{"crm.actor", crm_session_actor()},
		{"crm.effective_at", effective_at()},
		{"crm.reason", crm_setting("crm.reason")},
		{"crm.restoring", crm_setting("crm.restoring")},
		{"crm.clock_tolerance", crm_setting("crm.clock_tolerance")},
		{"request.jwt.claims", crm_setting("request.jwt.claims")},
		{"crm.transaction_start", psprintf(INT64_FORMAT, crm_session_transaction_start())},
	};
	List	   *result = NIL;

	for (int i = 0; i < lengthof(values); i++)
		result = lappend(result, psprintf("SET LOCAL %s TO %s;", values[i][0],
										  quote_literal_cstr(values[i][1])));
	for (int i = 0; i < lengthof(read_settings); i++)
		result = lappend(result, psprintf("SET LOCAL %s TO %s;", read_settings[i],
										  quote_literal_cstr(crm_setting(read_settings[i]))));
	return result;
}

static void
run_utility(const char *text)
{
	PlannedStmt *planned = makeNode(PlannedStmt);

	planned->commandType = CMD_UTILITY;
	planned->utilityStmt = linitial_node(RawStmt, pg_parse_query(text))->stmt;
	planned->stmt_len = strlen(text);
	ProcessUtility(planned, text, false, PROCESS_UTILITY_QUERY, NULL, NULL, None_Receiver, NULL);
}

static void
remember(const char *text)
{
	if (taken.statements == NULL)
	{
		MemoryContextCallback *ended = MemoryContextAllocZero(TopTransactionContext,
															  sizeof(MemoryContextCallback));

		ended->func = forget_taken;
		MemoryContextRegisterResetCallback(TopTransactionContext, ended);
	}
	taken.statements = MemoryContextStrdup(TopTransactionContext, text);
	taken.subxact = GetCurrentSubTransactionId();
}

/* Citus sends what is set; here it stays as it was. */
static void
take_along(void)
{
	List	   *sets = statements();
	StringInfoData all;
	ListCell   *cell;
	int			level;

	initStringInfo(&all);
	foreach(cell, sets)
		appendStringInfoString(&all, lfirst(cell));
	if (taken.statements != NULL && strcmp(taken.statements, all.data) == 0 &&
		taken.subxact == GetCurrentSubTransactionId())
		return;
	level = NewGUCNestLevel();
	(void) set_config_option("citus.propagate_set_commands", "local", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	foreach(cell, sets)
		run_utility(lfirst(cell));
	AtEOXact_GUC(false, level);
	remember(all.data);
}

/*
 * For a statement that a function runs: by a query, so that Citus notices the function.
 * A result that Citus keeps for the transaction makes it open one on other nodes for
 * reading as well.
 */
static void
take_along_by_query(Oid extension)
{
	SPI_connect();
	(void) crm_select_once(psprintf("SELECT %s(), pg_catalog.create_intermediate_result('crm_context', 'SELECT')",
									crm_qualified_name(extension, "crm_propagate_context")),
						   0, NULL, NULL, NULL, false);
	SPI_finish();
}

/* ---- when ---- */

/* Whether there is anything that the other node would not find out itself. */
static bool
has_context(void)
{
	return crm_setting("crm.actor")[0] != '\0' || crm_setting("crm.effective_at")[0] != '\0' ||
		crm_setting("crm.reason")[0] != '\0' || crm_setting("request.jwt.claims")[0] != '\0' ||
		strcmp(crm_setting("crm.restoring"), "on") == 0 || GetUserId() != GetSessionUserId();
}

/* The schema of the extension, whose trigger a table of a CRM has; InvalidOid for others. */
static Oid
extension_of(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	Oid			extension = InvalidOid;
	int			ntriggers = rel->trigdesc != NULL ? rel->trigdesc->numtriggers : 0;

	for (int i = 0; i < ntriggers && !OidIsValid(extension); i++)
	{
		Oid			function = rel->trigdesc->triggers[i].tgfoid;

		if (crm_is_own_function(function))
			extension = get_func_namespace(function);
	}
	table_close(rel, NoLock);
	return extension;
}

/* Whether a report would tell something else on the other node. */
static bool
is_set(const char *name)
{
	const char *reset = GetConfigOptionResetString(name);

	return strcmp(crm_setting(name), reset != NULL ? reset : "") != 0;
}

void
crm_context_before_read(Oid relid, Oid extension)
{
	if (!crm_is_distributed(relid) || crm_table_to_read(relid) != relid ||
		crm_session_is_of_citus())
		return;
	for (int i = 0; i < lengthof(read_settings); i++)
	{
		/* What an earlier report took along may no longer be so. */
		if (taken.statements == NULL && !is_set(read_settings[i]))
			continue;
		take_along_by_query(extension);
		return;
	}
}

void
crm_context_before_write(Oid relid)
{
	Oid			extension;

	if (!crm_is_distributed(relid))
		return;
	extension = extension_of(relid);
	if (!OidIsValid(extension))
		return;
	/* Also if the shard is here: it may be moved before Citus has locked it. */
	if (IsTransactionBlock())
		take_along();
	else if (depth > 0)
		take_along_by_query(extension);
	else if (has_context() && crm_table_to_read(relid) == relid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the settings of this session do not reach table \"%s\" on another node",
						get_rel_name(relid)),
				 errdetail("Citus takes them along in a transaction block only."),
				 errhint("Write it between BEGIN and COMMIT, or RESET crm.actor, crm.effective_at and request.jwt.claims.")));
}

/* ---- hooks ---- */

/*
 * Whether the statement may write the table.  Of one that Citus has planned, the lock alone
 * tells that a CTE writes.
 */
static bool
writes(const QueryDesc *desc, const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION &&
		(desc->operation != CMD_SELECT || desc->plannedstmt->hasModifyingCTE ||
		 rte->rellockmode == RowExclusiveLock);
}

static void
start_executor(QueryDesc *desc, int eflags)
{
	bool		is_user = !crm_session_is_of_citus();
	ListCell   *cell;

	foreach(cell, desc->plannedstmt->rtable)
	{
		if (is_user && writes(desc, lfirst_node(RangeTblEntry, cell)))
			crm_context_before_write(lfirst_node(RangeTblEntry, cell)->relid);
	}
	if (next_start != NULL)
		next_start(desc, eflags);
	else
		standard_ExecutorStart(desc, eflags);
}

static void
run_executor(CRM_RUN_PARAMETERS)
{
	depth++;
	PG_TRY();
	{
		if (next_run != NULL)
			next_run(CRM_RUN_ARGUMENTS);
		else
			standard_ExecutorRun(CRM_RUN_ARGUMENTS);
	}
	PG_FINALLY();
	{
		depth--;
	}
	PG_END_TRY();
}

/* COPY is no query. */
static void
before_copy(const CopyStmt *copy)
{
	if (copy->is_from && !crm_session_is_of_citus())
		crm_context_before_write(RangeVarGetRelid(copy->relation, RowExclusiveLock, false));
}

/* What DO and CALL run is in a transaction for Citus. */
static void
run_utility_statement(PlannedStmt *planned, const char *text, bool read_only,
					  ProcessUtilityContext context, ParamListInfo params,
					  QueryEnvironment *environment, DestReceiver *dest,
					  QueryCompletion *completion)
{
	Node	   *statement = planned->utilityStmt;
	int			inner = IsA(statement, DoStmt) || IsA(statement, CallStmt);

	if (IsA(statement, CopyStmt))
		before_copy((const CopyStmt *) statement);
	depth += inner;
	PG_TRY();
	{
		if (next_utility != NULL)
			next_utility(planned, text, read_only, context, params, environment, dest, completion);
		else
			standard_ProcessUtility(planned, text, read_only, context, params, environment, dest,
									completion);
	}
	PG_FINALLY();
	{
		depth -= inner;
	}
	PG_END_TRY();
}

void
crm_context_install_hooks(void)
{
	if (GetConfigOption("citus.propagate_set_commands", true, false) == NULL)
		return;
	is_preloaded = process_shared_preload_libraries_in_progress || IsInitProcessingMode();
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start_executor;
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = run_executor;
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = run_utility_statement;
}

/*
 * crm_propagate_context() -> void
 *		Takes the settings of the session to the nodes that take part in the
 *		transaction, or will.
 */
PG_FUNCTION_INFO_V1(crm_propagate_context);
Datum
crm_propagate_context(PG_FUNCTION_ARGS)
{
	take_along();
	PG_RETURN_VOID();
}

/*
 * crm_propagates_context() -> boolean
 *		Whether the server loads this library for each session, and so takes the
 *		settings along by itself.
 */
PG_FUNCTION_INFO_V1(crm_propagates_context);
Datum
crm_propagates_context(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_preloaded);
}
