/*
 * base/report_query.c
 *		Parsing the text of a report's query.
 *
 * Every name that is not qualified is pg_catalog's: the text is analyzed and
 * planned with a search_path that holds nothing else, so that what anybody
 * created elsewhere is never seen.  NAME.argument is the argument of crm_NAME.
 *
 * NAME.group_of.ALIAS is what a row of deals has in the dimension that the query was
 * prepared for (base/report_group.c), and NAME.group_by is that dimension, a constant.
 * NAME.few_deals is whether the pipeline has few deals (base/report_shape.h).
 *
 * A query has a plan for each shape of its arguments (base/report_shape.c): what reads
 * tables itself is to know how large the pipeline is.  With ONE_PLAN the shape is only
 * which of them are given.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/report_query.h"
#include "base/report_shape.h"

#define ONE_PLAN	"/* one plan */"
#define FEW_DEALS	"few_deals"

/* Whose query is being analyzed. */
static Oid	caller;
static int	caller_context;
static post_parse_analyze_hook_type next_hook = NULL;

/*
 * jit is off, as compiling takes longer than these queries run.
 */
int
crm_report_pin_settings(void)
{
	static const char *const settings[][2] = {{"search_path", "pg_catalog, pg_temp"}, {"jit", "off"}};
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static Node *
make_dimension(const char *dimension)
{
	if (dimension == NULL)
		return (Node *) makeNullConst(TEXTOID, -1, DEFAULT_COLLATION_OID);
	return (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
							  CStringGetTextDatum(dimension), false, false);
}

static Node *
make_parameter(const CrmQueryNames *names, int argument, int location)
{
	const CrmDeclaration *declaration = &names->declaration;
	Node	   *constant = names->shape == NULL ? NULL :
	crm_shape_constant(names->shape, declaration, argument);
	Param	   *param;

	if (constant != NULL)
		return constant;
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = argument + 1;
	param->paramtype = declaration->args[argument].type;
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(param->paramtype);
	param->location = location;
	return (Node *) param;
}

/* Without a shape, nothing is known of the pipeline: it is read by its deals. */
static Node *
make_few_deals(const CrmQueryNames *names)
{
	return makeBoolConst(names->shape == NULL ||
						 crm_shape_has_few_deals(names->shape, &names->declaration), false);
}

/* The name at that place; NULL if it is not one. */
static const char *
field(const ColumnRef *cref, int n)
{
	if (n >= list_length(cref->fields) || !IsA(list_nth(cref->fields, n), String))
		return NULL;
	return strVal(list_nth(cref->fields, n));
}

/* NAME.argument is a parameter, whatever a table may have of that name. */
static Node *
resolve_name(ParseState *pstate, ColumnRef *cref)
{
	const CrmQueryNames *names = pstate->p_ref_hook_state;
	const CrmDeclaration *declaration = &names->declaration;
	const char *first = field(cref, 0);
	const char *second = field(cref, 1);
	int			argument;

	if (first == NULL || second == NULL || strcmp(first, declaration->name) != 0)
		return NULL;
	if (list_length(cref->fields) == 3 && strcmp(second, "group_of") == 0)
		return crm_group_expression(pstate, &names->group, field(cref, 2));
	if (list_length(cref->fields) == 2 && strcmp(second, FEW_DEALS) == 0)
		return make_few_deals(names);
	argument = list_length(cref->fields) == 2 ? crm_find_argument(declaration, second) : -1;
	if (argument < 0)
		return NULL;
	if (strcmp(second, CRM_GROUP_ARGUMENT) == 0)
		return make_dimension(names->group.dimension);
	return make_parameter(names, argument, cref->location);
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
	const CrmQueryNames *names = arg;

	pstate->p_pre_columnref_hook = resolve_name;
	pstate->p_ref_hook_state = arg;
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(names->declaration.owner, caller_context | SECURITY_LOCAL_USERID_CHANGE);
}

static void
end_analysis(ParseState *pstate, Query *query, JumbleState *jumble)
{
	if (pstate->p_pre_columnref_hook == resolve_name)
	{
		SetUserIdAndSecContext(caller, caller_context);
		if (((const CrmQueryNames *) pstate->p_ref_hook_state)->shape != NULL)
			crm_shape_fold_null_tests(query);
	}
	if (next_hook != NULL)
		next_hook(pstate, query, jumble);
}

void
crm_report_install_hook(void)
{
	next_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = end_analysis;
}

void
crm_report_check_user(Oid user)
{
	if (GetUserId() != user)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a query was analyzed without calling post_parse_analyze_hook of \"%s\"", "crm"),
				 errhint("A library that was loaded after it does not call the hooks of others.")));
}

bool
crm_has_one_plan(const char *query, const char *dimension)
{
	return dimension == NULL && strstr(query, ONE_PLAN) != NULL;
}

/* Texts are split at semicolons at the ends of lines (base/report_plan.c). */
static void
require_one(int statements, const CrmQueryNames *names)
{
	if (statements != 1)
		elog(ERROR, "a query of %s is not one statement", names->declaration.name);
}

SPIPlanPtr
crm_report_prepare(const char *query, CrmQueryNames *names, bool generic)
{
	Oid			user = GetUserId();
	int			options = names->declaration.read_only ? CURSOR_OPT_PARALLEL_OK : 0;
	SPIPlanPtr	plan;

	if (generic)
		options |= CURSOR_OPT_GENERIC_PLAN;
	plan = SPI_prepare_params(query, set_up_parser, names, options);
	crm_report_check_user(user);
	if (plan == NULL)
		elog(ERROR, "could not prepare a query of %s: %s", names->declaration.name,
			 SPI_result_code_string(SPI_result));
	require_one(list_length(SPI_plan_get_plan_sources(plan)), names);
	return plan;
}

TupleDesc
crm_report_columns(const char *query, CrmQueryNames *names)
{
	Oid			user = GetUserId();
	List	   *statements = pg_parse_query(query);
	List	   *rewritten;
	ListCell   *cell;

	require_one(list_length(statements), names);
	rewritten = pg_analyze_and_rewrite_withcb(linitial_node(RawStmt, statements), query,
											  set_up_parser, names, NULL);
	crm_report_check_user(user);
	foreach(cell, rewritten)
	{
		const Query *statement = lfirst_node(Query, cell);

		if (statement->canSetTag)
			return ExecCleanTypeFromTL(statement->commandType == CMD_SELECT ?
									   statement->targetList : statement->returningList);
	}
	return NULL;
}
