/*
 * base/report_shape.c
 *		What the plan of a report's query depends on, of a call's arguments.
 *
 * To plan a report takes longer than to run it, if the pipeline is small.  But one plan
 * does not serve all: whether an index is worth while depends on how many deals the
 * pipeline has, and whether it can be used at all, on which arguments are given.  So a
 * plan is kept for each shape of the arguments, which has a character for each:
 *
 *		'='			has its default.  The query is planned for that.
 *		'+', '-'	is true, is false.  The query is planned for that.
 *		'A' to 'Z'	else a magnitude, by powers of four: of a column of deals, how
 *					many deals have the value, by the statistics; of a time, how long
 *					ago it is.
 *
 * and one for the size of the table.  Within a shape, rows that are estimated differ by
 * less than an index scan and a sequential scan do.  Without a table, all magnitudes are 'A'.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/plancat.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/report_shape.h"

#define DEFAULT		'='
#define IS_TRUE		'+'
#define IS_FALSE	'-'
#define LEAST		'A'
#define GREATEST	'Z'

/* Fewer rows are read in no time, whatever the plan. */
#define FEW_ROWS	64

/* As many are few in any case, more of them if they are less than one deal in 64. */
#define FEW_IN_ANY_CASE	1000
#define FEW_OF_ALL		64

/* Magnitudes: fewer than 1,024 deals; less than one deal in 16 to 256. */
#define FEW_DEALS	2
#define SMALL_SHARE	2

/* ---- magnitudes ---- */

static char
magnitude(double number)
{
	char		result = LEAST;

	while (number >= 4 && result < GREATEST)
	{
		number /= 4;
		result++;
	}
	return result;
}

/* A plan for the last day, for the last four days, and so on; all of the future is one. */
static char
age_magnitude(Oid type, Datum value)
{
	double		now = (double) GetCurrentTransactionStartTimestamp() / USECS_PER_DAY;

	return magnitude(now - (type == DATEOID ? (double) DatumGetDateADT(value) :
							(double) DatumGetTimestampTz(value) / USECS_PER_DAY));
}

/* The share of the table's rows that have the value in that column, as the planner estimates it. */
static double
share_of_rows(Relation deals, RelOptInfo *rel, AttrNumber column, Oid type, Datum value)
{
	bool		inherited = deals->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	VariableStatData data = {
		.rel = rel,.vartype = type,.atttype = type,.atttypmod = -1,.acl_ok = true,
		.statsTuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(RelationGetRelid(deals)),
									  Int16GetDatum(column), BoolGetDatum(inherited)),
		.freefunc = ReleaseSysCache
	};
	double		share = var_eq_const(&data, lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr,
									 get_typcollation(type), value, false, true, false);

	ReleaseVariableStats(data);
	return share;
}

/* How many rows have the value in that column; 0 if it has no such values. */
static double
rows_with_value(Relation deals, RelOptInfo *rel, const char *name, Oid type, Datum value)
{
	AttrNumber	column = get_attnum(RelationGetRelid(deals), name);

	if (column <= 0 || getBaseType(get_atttype(RelationGetRelid(deals), column)) != type)
		return 0;
	return share_of_rows(deals, rel, column, type, value) * rel->tuples;
}

/* ---- the shape ---- */

static bool
has_default(const CrmArgument *argument, const ParamExternData *param)
{
	int16		length;
	bool		by_value;

	if (argument->required)
		return false;
	if (param->isnull || argument->fallback_is_null)
		return param->isnull && argument->fallback_is_null;
	get_typlenbyval(argument->type, &length, &by_value);
	return datumIsEqual(param->value, argument->fallback, by_value, length);
}

static char
feature(const CrmArgument *argument, const ParamExternData *param, Relation deals, RelOptInfo *rel)
{
	if (has_default(argument, param))
		return DEFAULT;
	if (argument->type == BOOLOID)
		return DatumGetBool(param->value) ? IS_TRUE : IS_FALSE;
	if (deals == NULL)
		return LEAST;
	if (argument->type == DATEOID || argument->type == TIMESTAMPTZOID)
		return age_magnitude(argument->type, param->value);
	return magnitude(rows_with_value(deals, rel, argument->name, argument->type, param->value) /
					 FEW_ROWS);
}

/* What the planner knows of the table, as far as it is asked for here. */
static RelOptInfo *
estimate_size(Relation deals)
{
	RelOptInfo *rel = makeNode(RelOptInfo);
	BlockNumber pages;
	double		visible;

	estimate_rel_size(deals, NULL, &pages, &rel->tuples, &visible);
	return rel;
}

char *
crm_report_shape(const CrmDeclaration *declaration, ParamListInfo params, Oid deals)
{
	Relation	table = OidIsValid(deals) ? relation_open(deals, AccessShareLock) : NULL;
	RelOptInfo *rel = table == NULL ? NULL : estimate_size(table);
	char	   *shape = palloc0(declaration->nargs + 2);

	for (int i = 0; i < declaration->nargs; i++)
		shape[i] = feature(&declaration->args[i], &params->params[i], table, rel);
	shape[declaration->nargs] = table == NULL ? LEAST : magnitude(rel->tuples / FEW_ROWS);
	if (table != NULL)
		relation_close(table, AccessShareLock);
	return shape;
}

Node *
crm_shape_constant(const char *shape, const CrmDeclaration *declaration, int argument)
{
	const CrmArgument *arg = &declaration->args[argument];
	int16		length;
	bool		by_value;

	if (shape[argument] == IS_TRUE || shape[argument] == IS_FALSE)
		return makeBoolConst(shape[argument] == IS_TRUE, false);
	if (shape[argument] != DEFAULT)
		return NULL;
	get_typlenbyval(arg->type, &length, &by_value);
	return (Node *) makeConst(arg->type, -1, get_typcollation(arg->type), length,
							  arg->fallback, arg->fallback_is_null, by_value);
}

bool
crm_shape_has_few_deals(const char *shape, const CrmDeclaration *declaration)
{
	char		of_pipeline = shape[crm_find_argument(declaration, "pipeline_id")];
	char		of_table = shape[declaration->nargs];

	return of_pipeline != DEFAULT &&
		(of_pipeline < LEAST + FEW_DEALS || of_table - of_pipeline > SMALL_SHARE);
}

int
crm_few_deals(Relation deals, const pg_uuid_t *pipeline_id)
{
	RelOptInfo *rel = estimate_size(deals);
	double		few = Min(rel->tuples / FEW_OF_ALL, PG_INT32_MAX / 2);

	/* Of a large pipeline as many are read in vain. */
	if (few <= FEW_IN_ANY_CASE ||
		rows_with_value(deals, rel, "pipeline_id", UUIDOID, UUIDPGetDatum(pipeline_id)) > few)
		return FEW_IN_ANY_CASE;
	return (int) few;
}

static Node *
fold_null_tests(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, fold_null_tests, context, 0);
	if (IsA(node, NullTest))
	{
		NullTest   *test = (NullTest *) node;

		if (IsA(test->arg, Param) && ((Param *) test->arg)->paramkind == PARAM_EXTERN)
			return makeBoolConst(test->nulltesttype == IS_NOT_NULL, false);
	}
	return expression_tree_mutator(node, fold_null_tests, context);
}

void
crm_shape_fold_null_tests(Query *query)
{
	(void) query_tree_mutator(query, fold_null_tests, NULL, QTW_DONT_COPY_QUERY);
}
