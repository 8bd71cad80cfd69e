/*
 * base/report_plan.c
 *		The queries of sql/queries, planned for a CRM.
 *
 * A query's text is in the extension, as what crm_query_NAME() returns.  It
 * names tables as @crm@.deals, functions of ours as @extension@.crm_raise and
 * the arguments of crm_NAME as NAME.argument.  Every other name is
 * pg_catalog's: text is analyzed and planned with a search_path that holds
 * nothing else, so that what anybody created elsewhere is never seen.  It runs
 * with the caller's search_path, as triggers and views of the user's may need
 * that; by then all names are bound.
 *
 * Plans are kept by function and schema, until any function or the name of a
 * schema changes; the least recently used ones go first.  PostgreSQL itself
 * plans anew when tables change.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "parser/scansup.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/namesakes.h"
#include "base/report_plan.h"
#include "base/uuid.h"

#define QUERY_PREFIX	CRM_PREFIX "query_"

/*
 * A query with this in a comment is planned once for all calls that leave out
 * every optional argument: for one that is short, whose plan does not depend on
 * the others.  PostgreSQL would plan it anew each time, as it takes the parts that
 * such a call never runs for costs that constants save.
 */
#define PLANNED_ONCE	"@planned-once"

/* At most so many are kept: more than the functions of one CRM. */
#define MAX_REPORTS		40

/* Arguments that are the id of a row, and what the row is. */
static const struct
{
	const char *argument;
	const char *what;
	const char *table;
}			ids[] = {
	{"pipeline_id", "pipeline", "pipelines"},
	{"stage_id", "stage", "stages"},
	{"deal_id", "deal", "deals"},
};

typedef struct Statement
{
	SPIPlanPtr	plan;
	int			id;				/* in ids[]; -1: a statement of the query's */
	int			argument;		/* which one is the id */
} Statement;

struct CrmReport
{
	dlist_node	node;			/* in reports, the last used one first */
	MemoryContext context;
	Oid			schema;
	bool		stale;
	bool		removed;		/* from reports, but in use */
	int			users;
	bool		planned_once;
	CrmDeclaration declaration;
	int			nstatements;
	Statement  *statements;
};

/* Whose query is being analyzed. */
static Oid	caller;
static int	caller_context;
static post_parse_analyze_hook_type next_hook = NULL;

static dlist_head reports = DLIST_STATIC_INIT(reports);
static int	nreports = 0;
static uint64 nchanges = 0;		/* of the catalogs that they are made of */

/* ---- text ---- */

char *
crm_fill_in_schemas(const char *text, Oid crm, Oid extension)
{
	struct
	{
		const char *placeholder;
		const char *name;
	}			fill[] = {{"@crm@", get_namespace_name(crm)}, {"@extension@", get_namespace_name(extension)}};
	StringInfoData filled;

	initStringInfo(&filled);
	for (int i = 0; i < lengthof(fill); i++)
	{
		if (fill[i].name == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_SCHEMA),
					 errmsg("schema with OID %u does not exist", i == 0 ? crm : extension)));
		fill[i].name = quote_identifier(fill[i].name);
	}
	while (*text !='\0')
	{
		int			i;

		for (i = 0; i < lengthof(fill); i++)
		{
			if (strncmp(text, fill[i].placeholder, strlen(fill[i].placeholder)) == 0)
				break;
		}
		if (i == lengthof(fill))
		{
			appendStringInfoChar(&filled, *text ++);
			continue;
		}
		appendStringInfoString(&filled, fill[i].name);
		text	  +=strlen(fill[i].placeholder);
	}
	return filled.data;
}

char *
crm_packed_text(Oid extension, const char *function)
{
	return TextDatumGetCString(OidFunctionCall0(crm_find_function(extension, function)));
}

/* ---- preparing ---- */

/*
 * Pins what gives a query its meaning, and jit, as compiling takes longer than
 * these queries run; until AtEOXact_GUC() of the level returned.
 */
static int
pin_settings(void)
{
	static const char *const settings[][2] = {{"search_path", "pg_catalog, pg_temp"}, {"jit", "off"}};
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* NAME.argument is a parameter, whatever a table may have of that name. */
static Node *
resolve_argument(ParseState *pstate, ColumnRef *cref)
{
	const CrmDeclaration *declaration = pstate->p_ref_hook_state;
	Param	   *param;
	int			argument;

	if (list_length(cref->fields) != 2 || !IsA(lsecond(cref->fields), String) ||
		strcmp(strVal(linitial(cref->fields)), declaration->name) != 0)
		return NULL;
	argument = crm_find_argument(declaration, strVal(lsecond(cref->fields)));
	if (argument < 0)
		return NULL;
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = argument + 1;
	param->paramtype = declaration->args[argument].type;
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(param->paramtype);
	param->location = cref->location;
	return (Node *) param;
}

/*
 * Names are looked up with the rights of the function's owner, so that nobody
 * needs any on the extension's schema: from when the parser is set up until
 * analysis is done.  Nothing but pg_catalog's input functions runs in between;
 * the rules of rewriting, row security among them, are the caller's again.
 */
static void
set_up_parser(ParseState *pstate, void *arg)
{
	const CrmDeclaration *declaration = arg;

	pstate->p_pre_columnref_hook = resolve_argument;
	pstate->p_ref_hook_state = arg;
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(declaration->owner, caller_context | SECURITY_LOCAL_USERID_CHANGE);
}

static void
end_analysis(ParseState *pstate, Query *query, JumbleState *jumble)
{
	if (pstate->p_pre_columnref_hook == resolve_argument)
		SetUserIdAndSecContext(caller, caller_context);
	if (next_hook != NULL)
		next_hook(pstate, query, jumble);
}

void
crm_report_install_hook(void)
{
	next_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = end_analysis;
}

static void
prepare(CrmReport *report, const char *query, int id, int argument)
{
	Statement  *statement = &report->statements[report->nstatements++];

	statement->id = id;
	statement->argument = argument;
	statement->plan = SPI_prepare_params(query, set_up_parser, &report->declaration,
										 report->declaration.read_only ? CURSOR_OPT_PARALLEL_OK : 0);
	if (statement->plan == NULL)
		elog(ERROR, "could not prepare a query of %s: %s", report->declaration.name,
			 SPI_result_code_string(SPI_result));
}

/* One look-up for each argument that is an id. */
static void
prepare_lookups(CrmReport *report)
{
	for (int i = 0; i < lengthof(ids); i++)
	{
		int			argument = crm_find_argument(&report->declaration, ids[i].argument);

		if (argument < 0)
			continue;
		prepare(report, psprintf("SELECT FROM %s AS t WHERE t.id = %s.%s",
								 quote_qualified_identifier(get_namespace_name(report->schema), ids[i].table),
								 quote_identifier(report->declaration.name), ids[i].argument), i, argument);
	}
}

static void
prepare_query(CrmReport *report, const char *text)
{
	List	   *parsed = pg_parse_query(text);
	ListCell   *cell;

	foreach(cell, parsed)
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);

		prepare(report, raw->stmt_len == 0 ? text +raw->stmt_location :
				pnstrdup(text +raw->stmt_location, raw->stmt_len), -1, -1);
	}
}

static CachedPlanSource *
source_of(const Statement *statement)
{
	return linitial(SPI_plan_get_plan_sources(statement->plan));
}

/* What the last statement returns has to be what is declared. */
static void
check_result(const CrmReport *report)
{
	const CrmDeclaration *declaration = &report->declaration;
	TupleDesc	desc = source_of(&report->statements[report->nstatements - 1])->resultDesc;
	int			natts = declaration->row != NULL ? declaration->row->natts : 1;

	if (desc == NULL || desc->natts != natts)
		elog(ERROR, "the query of %s does not return %d columns", declaration->name, natts);
	for (int i = 0; i < natts; i++)
	{
		Oid			declared = declaration->row != NULL ?
		TupleDescAttr(declaration->row, i)->atttypid : declaration->result;

		if (TupleDescAttr(desc, i)->atttypid != declared)
			elog(ERROR, "column %d of the query of %s is of type %s, not %s", i + 1, declaration->name,
				 format_type_be(TupleDescAttr(desc, i)->atttypid), format_type_be(declared));
	}
}

/* The statements of a report; kept beyond this transaction, or not. */
static void
prepare_all(CrmReport *report, const char *text, bool keep)
{
	int			level = pin_settings();

	SPI_connect();
	report->statements = MemoryContextAlloc(report->context, sizeof(Statement) *
											(lengthof(ids) + list_length(pg_parse_query(text))));
	prepare_lookups(report);
	prepare_query(report, text);
	check_result(report);
	for (int i = 0; keep && i < report->nstatements; i++)
		SPI_keepplan(report->statements[i].plan);
	SPI_finish();
	AtEOXact_GUC(true, level);
}

/* ---- what is kept ---- */

static void
free_report(CrmReport *report)
{
	for (int i = 0; i < report->nstatements; i++)
		SPI_freeplan(report->statements[i].plan);
	MemoryContextDelete(report->context);
}

static void
remove_report(CrmReport *report)
{
	dlist_delete(&report->node);
	nreports--;
	report->removed = true;
	if (report->users == 0)
		free_report(report);
}

/*
 * A function changed or came, or a schema has got another name: the text, what
 * it names, or whether all that is ours, may be something else.
 */
static void
catalog_changed(Datum arg, int cacheid, uint32 hash)
{
	dlist_iter	iter;

	nchanges++;
	dlist_foreach(iter, &reports)
		dlist_container(CrmReport, node, iter.cur)->stale = true;
}

static void
watch_catalogs(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterSyscacheCallback(PROCOID, catalog_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, catalog_changed, (Datum) 0);
	watching = true;
}

/* Removes those that may not be used any more, and one if there are many. */
static void
make_room(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &reports)
	{
		CrmReport  *report = dlist_container(CrmReport, node, iter.cur);

		if (report->stale)
			remove_report(report);
	}
	if (nreports >= MAX_REPORTS)
		remove_report(dlist_tail_element(CrmReport, node, &reports));
}

static CrmReport *
find_report(Oid function, Oid schema)
{
	dlist_iter	iter;

	dlist_foreach(iter, &reports)
	{
		CrmReport  *report = dlist_container(CrmReport, node, iter.cur);

		if (report->declaration.function == function && report->schema == schema && !report->stale)
			return report;
	}
	return NULL;
}

/* Once for all functions, as long as they stay as they are, and a user. */
static void
check_extension(Oid extension)
{
	static uint64 checked_at = 0;
	static Oid	checked = InvalidOid;
	static Oid	user = InvalidOid;

	if (checked == extension && checked_at == nchanges && user == GetUserId())
		return;
	crm_check_planted(extension);
	checked = extension;
	checked_at = nchanges;
	user = GetUserId();
}

/* If it is not to be kept, its statements go with the caller's connection to SPI. */
static CrmReport *
make_report(Oid function, Oid schema, bool keep)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm report", ALLOCSET_SMALL_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	CrmReport  *report = palloc0(sizeof(CrmReport));
	Oid			extension = get_func_namespace(function);
	uint64		changes = nchanges;
	char	   *text;

	report->context = context;
	report->schema = schema;
	crm_read_declaration(function, &report->declaration);
	MemoryContextSwitchTo(outer);

	check_extension(extension);
	text = crm_packed_text(extension, psprintf(QUERY_PREFIX "%s", report->declaration.name));

	prepare_all(report, crm_fill_in_schemas(text, schema, extension), keep);
	if (keep)
		MemoryContextSetParent(context, CacheMemoryContext);
	report->planned_once = strstr(text, PLANNED_ONCE) != NULL;
	report->stale = changes != nchanges;
	return report;
}

CrmReport *
crm_report_open(Oid function, Oid schema)
{
	CrmReport  *report;

	watch_catalogs();
	report = find_report(function, schema);
	if (report == NULL)
	{
		make_room();
		report = make_report(function, schema, true);
		dlist_push_head(&reports, &report->node);
		nreports++;
	}
	else
		dlist_move_head(&reports, &report->node);
	report->users++;
	return report;
}

void
crm_report_try(Oid function, Oid schema)
{
	MemoryContextDelete(make_report(function, schema, false)->context);
}

void
crm_report_close(CrmReport *report)
{
	report->users--;
	if (report->removed && report->users == 0)
		free_report(report);
}

const CrmDeclaration *
crm_report_declaration(const CrmReport *report)
{
	return &report->declaration;
}

/* ---- running ---- */

/* The position of an error in a query of ours is none in the caller's. */
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

/*
 * As SPI does it, but planned with one search_path and run with another.
 * Returns how many rows there were.
 */
static uint64
run_plan(PlannedStmt *plan, const char *text, ParamListInfo params, DestReceiver *dest)
{
	QueryDesc  *desc = CreateQueryDesc(plan, text, GetActiveSnapshot(), InvalidSnapshot, dest, params, NULL, 0);
	uint64		rows;

	ExecutorStart(desc, 0);
	crm_executor_run(desc);
	rows = desc->estate->es_processed;
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	return rows;
}

/* Whether the plan for any arguments is to be used. */
static bool
wants_generic_plan(const CrmReport *report, const Statement *statement, ParamListInfo params)
{
	if (statement->id >= 0)
		return true;
	for (int i = 0; i < params->numParams; i++)
	{
		if (!report->declaration.args[i].required && !params->params[i].isnull)
			return false;
	}
	return report->planned_once;
}

/*
 * Read-only functions have the snapshot of the query that calls them; others
 * a new one for each statement, as the isolation level has it.
 */
static uint64
run_statement(CrmReport *report, const Statement *statement, ParamListInfo params, DestReceiver *dest)
{
	CachedPlanSource *source = source_of(statement);
	ErrorContextCallback context = {.previous = error_context_stack,.callback = tell_query,.arg = source};
	int			level;
	CachedPlan *plan;
	ListCell   *cell;
	uint64		rows = 0;

	error_context_stack = &context;
	if (!report->declaration.read_only)
		PushActiveSnapshot(GetTransactionSnapshot());
	level = pin_settings();
	source->cursor_options &= ~CURSOR_OPT_GENERIC_PLAN;
	if (wants_generic_plan(report, statement, params))
		source->cursor_options |= CURSOR_OPT_GENERIC_PLAN;
	plan = GetCachedPlan(source, params, CurrentResourceOwner, NULL);
	AtEOXact_GUC(true, level);
	if (!report->declaration.read_only)
	{
		CommandCounterIncrement();
		UpdateActiveSnapshotCommandId();
	}
	foreach(cell, plan->stmt_list)
	{
		PlannedStmt *planned = lfirst_node(PlannedStmt, cell);

		/* A rule of the user's may add others. */
		if (planned->canSetTag)
			rows = run_plan(planned, source->query_string, params, dest);
		else
			(void) run_plan(planned, source->query_string, params, None_Receiver);
	}
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	if (!report->declaration.read_only)
	{
		CommandCounterIncrement();
		PopActiveSnapshot();
	}
	error_context_stack = context.previous;
	return rows;
}

void
crm_report_check_ids(CrmReport *report, ParamListInfo params)
{
	for (int i = 0; i < report->nstatements; i++)
	{
		const Statement *statement = &report->statements[i];

		if (statement->id < 0 || params->params[statement->argument].isnull)
			continue;
		if (run_statement(report, statement, params, None_Receiver) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_CRM_NOT_FOUND),
					 errmsg("%s %s does not exist", ids[statement->id].what,
							crm_uuid_text(DatumGetUUIDP(params->params[statement->argument].value)))));
	}
}

void
crm_report_run(CrmReport *report, ParamListInfo params, DestReceiver *dest)
{
	for (int i = 0; i < report->nstatements; i++)
	{
		const Statement *statement = &report->statements[i];

		if (statement->id < 0)
			(void) run_statement(report, statement, params,
								 i == report->nstatements - 1 ? dest : None_Receiver);
	}
}
