/*
 * base/query.c
 *		Running SQL through SPI.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "executor/spi.h"
#include "nodes/params.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "base/query.h"
#include "base/shard.h"

char *
crm_qualified_name(Oid schema, const char *name)
{
	return quote_qualified_identifier(get_namespace_name(schema), name);
}

char *
crm_relation_name(Oid relid)
{
	return crm_qualified_name(get_rel_namespace(relid), get_rel_name(relid));
}

/* An error code of SPI is a mistake in our code. */
static int
check_result(int result, const char *query)
{
	if (result < 0)
		elog(ERROR, "could not run: %s: %s", query, SPI_result_code_string(result));
	return result;
}

/* Citus refuses triggers on distributed tables unless the user knows that they fit. */
void
crm_run(const char *query)
{
	int			level = NewGUCNestLevel();

	if (crm_has_citus())
		(void) set_config_option("citus.enable_unsafe_triggers", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	(void) check_result(SPI_execute(query, false, 0), query);
	AtEOXact_GUC(true, level);
}

int
crm_run_once(const char *query, int nargs, const Oid *types, const Datum *args, const char *nulls)
{
	return check_result(SPI_execute_with_args(query, nargs, unconstify(Oid *, types),
											  unconstify(Datum *, args), nulls, false, 0), query);
}

uint64
crm_select_once(const char *query, int nargs, const Oid *types, const Datum *args,
				const char *nulls, bool read_only)
{
	int			result = SPI_execute_with_args(query, nargs, unconstify(Oid *, types),
											   unconstify(Datum *, args), nulls, read_only, 0);

	if (check_result(result, query) != SPI_OK_SELECT)
		elog(ERROR, "query is no SELECT: %s", query);
	return SPI_processed;
}

typedef struct KeptRun
{
	const Datum *values;
	const char *nulls;
	bool		read_only;
	long		max_rows;
} KeptRun;

static int
execute_plan(SPIPlanPtr plan, void *arg)
{
	const KeptRun *run = arg;

	return SPI_execute_plan(plan, unconstify(Datum *, run->values), run->nulls, run->read_only,
							run->max_rows);
}

int
crm_run_kept(const CrmStatement *statement, const Datum *values, const char *nulls,
			 bool read_only, long max_rows)
{
	KeptRun		run = {values, nulls, read_only, max_rows};

	return check_result(crm_use_plan(statement, execute_plan, &run), statement->text);
}

void
crm_select_kept(const CrmStatement *statement, const Datum *values, long max_rows)
{
	if (crm_run_kept(statement, values, NULL, false, max_rows) != SPI_OK_SELECT)
		elog(ERROR, "query is no SELECT: %s", statement->text);
}

Datum
crm_result_value(uint64 row, int column, Oid type, bool *isnull)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Datum		value;
	bool		none;

	if (SPI_gettypeid(desc, column) != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is of type %s, but the CRM needs %s", SPI_fname(desc, column),
						format_type_be(SPI_gettypeid(desc, column)), format_type_be(type))));
	value = SPI_getbinval(SPI_tuptable->vals[row], desc, column, &none);
	if (isnull != NULL)
		*isnull = none;
	else if (none)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("null value in column \"%s\"", SPI_fname(desc, column))));
	return value;
}

void
crm_refuse_rule(const char *table, const char *command)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("a rule of table \"%s\" replaces the extension's %s", table, command),
			 errhint("Drop the rule.")));
}

void
crm_insert_kept(const CrmStatement *statement, const Datum *values, const char *table)
{
	if (crm_run_kept(statement, values, NULL, false, 0) == SPI_OK_INSERT)
		return;
	/* A plan that does nothing depends on nothing: it would stay so. */
	crm_forget_plan(statement);
	crm_refuse_rule(table, "INSERT");
}

int
crm_run_snapshot(const CrmStatement *statement, const Datum *values, Snapshot snapshot)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(statement->text, statement->nargs,
										  unconstify(Oid *, statement->argtypes),
										  statement->cursor_options);

	if (plan == NULL)
		check_result(SPI_result, statement->text);
	return check_result(SPI_execute_snapshot(plan, unconstify(Datum *, values), NULL, snapshot,
											 InvalidSnapshot, false, true, 0),
						statement->text);
}

/* Passes the rows of a query on. */
typedef struct Receiver
{
	DestReceiver dest;			/* must be first */
	CrmRowReceiver receive;
	void	   *arg;
} Receiver;

static bool
receive_slot(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;

	receiver->receive(slot, receiver->arg);
	return true;
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
shut_down(DestReceiver *self)
{
}

static void
destroy(DestReceiver *self)
{
	pfree(self);
}

DestReceiver *
crm_row_receiver(CrmRowReceiver receive, void *arg)
{
	Receiver   *receiver = palloc(sizeof(Receiver));

	*receiver = (Receiver)
	{
		/* Any kind but DestNone and DestSPI, which SPI treats specially. */
		.dest =
		{
			receive_slot, start_up, shut_down, destroy, DestTuplestore
		},
			.receive = receive,
			.arg = arg
	};
	return &receiver->dest;
}

static int
execute_extended(SPIPlanPtr plan, void *arg)
{
	return SPI_execute_plan_extended(plan, arg);
}

static ParamListInfo
make_params(const CrmStatement *statement, const Datum *values, const char *nulls)
{
	ParamListInfo params = makeParamList(statement->nargs);

	for (int i = 0; i < statement->nargs; i++)
		params->params[i] = (ParamExternData)
	{
		.value = values[i],.isnull = nulls != NULL && nulls[i] == 'n',
			.pflags = PARAM_FLAG_CONST,.ptype = statement->argtypes[i]
	};
	return params;
}

void
crm_receive_rows(const CrmStatement *statement, const Datum *values, const char *nulls,
				 bool read_only, CrmRowReceiver receive, void *arg)
{
	SPIExecuteOptions options = {.read_only = read_only,.dest = crm_row_receiver(receive, arg)};
	int			level = NewGUCNestLevel();

	/*
	 * Compiling takes longer than it saves where a row costs as little as
	 * here.
	 */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (statement->nargs > 0)
		options.params = make_params(statement, values, nulls);
	if (crm_use_plan(statement, execute_extended, &options) != SPI_OK_SELECT)
		elog(ERROR, "query returned no rows: %s", statement->text);
	AtEOXact_GUC(true, level);
	options.dest->rDestroy(options.dest);
}

/* What is asked of a plan, and the answer. */
typedef struct PlanQuestion
{
	ParamListInfo params;
	CrmPlanned	planned;
} PlanQuestion;

static int
look_at_plan(SPIPlanPtr plan, void *arg)
{
	PlanQuestion *question = arg;
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	CachedPlan *cached = GetCachedPlan(source, question->params, CurrentResourceOwner, NULL);
	const Plan *top = linitial_node(PlannedStmt, cached->stmt_list)->planTree;

	question->planned.reads_all = IsA(top, SeqScan);
	question->planned.cost = top->total_cost;
	question->planned.rows = top->plan_rows;
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return SPI_OK_SELECT;
}

CrmPlanned
crm_look_at_plan(const CrmStatement *statement, const Datum *values, const char *nulls)
{
	PlanQuestion question = {.params = make_params(statement, values, nulls)};

	(void) crm_use_plan(statement, look_at_plan, &question);
	return question.planned;
}

bool
crm_may_run(SPIPlanPtr plan)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	bool		result;

	if (cached == NULL)
		elog(ERROR, "could not plan a query");
	result = crm_may_execute(linitial_node(PlannedStmt, cached->stmt_list));
	/* Not registered with a resource owner, as the plan is not saved yet. */
	ReleaseCachedPlan(cached, NULL);
	return result;
}
