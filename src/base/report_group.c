/*
 * base/report_group.c
 *		What the deals of a report are grouped by.
 *
 * A dimension is a word ("owner"), a column of deals, or a column, a point and a
 * part of the column: a key of a JSON object ("metadata.region") or a period of a
 * time ("created_at.month").  It never becomes part of a query's text: the column is
 * looked up in the catalog, and the expression is made of parse nodes while the query
 * is analyzed.  So the plan is that of a query that names the column, and the caller
 * needs the right to read that column only.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_expr.h"
#include "parser/parse_func.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/argument_errors.h"
#include "base/report_group.h"

/* Short names of columns, and of parts of them. */
static const char *const words[][2] = {
	{"deal", "id"},
	{"owner", "owner_id"},
	{"organization", "organization_id"},
	{"pipeline", "pipeline_id"},
	{"stage", "stage_id"},
	{"created_month", "created_at.month"},
};

/* Dimensions that are not columns; %1$s is the schema, %2$s the alias. */
static const char *const queries[][2] = {
	{"tag", "SELECT ARRAY(SELECT t.tag_id FROM %1$s.deal_tags AS t"
		" WHERE t.deal_id OPERATOR(pg_catalog.=) %2$s.id"
	" AND t.tenant_id OPERATOR(pg_catalog.=) %2$s.tenant_id ORDER BY t.tag_id)"},
	/* a deal without a currency is of its pipeline's, as everywhere */
	{"currency", "SELECT coalesce(%2$s.currency, (SELECT p.currency FROM %1$s.pipelines AS p"
	" WHERE p.id OPERATOR(pg_catalog.=) %2$s.pipeline_id))"},
};

static const char *const periods[] = {"day", "week", "month", "quarter", "year"};

char *
crm_group_dimension(const char *dimension)
{
	for (int i = 0; i < lengthof(words); i++)
	{
		if (strcmp(dimension, words[i][0]) == 0)
			return pstrdup(words[i][1]);
	}
	return pstrdup(dimension);
}

static void
refuse_dimension(const char *dimension)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("deals cannot be grouped by \"%s\"", crm_shown_value(dimension)),
			 errhint("Group them by owner, organization, pipeline, stage, tag, currency, created_month, a column of deals, "
					 "a key such as metadata.region, or a period such as won_at.quarter (day, week, month, quarter, year).")));
}

/* The type of a column of deals; InvalidOid if there is none of that name. */
static Oid
column_type(Oid schema, const char *column)
{
	Oid			deals = get_relname_relid("deals", schema);
	HeapTuple	tuple = OidIsValid(deals) ? SearchSysCacheAttName(deals, column) : NULL;
	Oid			type = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	if (((Form_pg_attribute) GETSTRUCT(tuple))->attnum > 0)
		type = getBaseType(((Form_pg_attribute) GETSTRUCT(tuple))->atttypid);
	ReleaseSysCache(tuple);
	return type;
}

static Node *
make_column(const char *alias, const char *column)
{
	ColumnRef  *ref = makeNode(ColumnRef);

	ref->fields = list_make2(makeString(pstrdup(alias)), makeString(pstrdup(column)));
	ref->location = -1;
	return (Node *) ref;
}

static Node *
make_text(const char *text)
{
	A_Const    *constant = makeNode(A_Const);

	constant->val.sval.type = T_String;
	constant->val.sval.sval = pstrdup(text);
	constant->location = -1;
	return (Node *) constant;
}

static Node *
make_cast(Node *expression, char *type)
{
	TypeCast   *cast = makeNode(TypeCast);

	cast->arg = expression;
	cast->typeName = SystemTypeName(type);
	cast->location = -1;
	return (Node *) cast;
}

/* The expression, parsed. */
static Node *
make_of_query(const char *query, Oid schema, const char *alias)
{
	char	   *text = psprintf(query, quote_identifier(get_namespace_name(schema)), alias);
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(text, RAW_PARSE_DEFAULT));

	return linitial_node(ResTarget, castNode(SelectStmt, raw->stmt)->targetList)->val;
}

/* The first day of the period that a time is in. */
static Node *
make_period(Oid extension, Node *time, const char *period)
{
	return (Node *) makeFuncCall(list_make2(makeString(get_namespace_name(extension)),
											makeString("crm_period_start")),
								 list_make2(make_text(period), make_cast(time, "date")),
								 COERCE_EXPLICIT_CALL, -1);
}

/* A column that is JSON or an array, as jsonb. */
static Node *
make_value(const CrmGroupSource *source, const char *alias, const char *column)
{
	return (Node *) makeFuncCall(list_make2(makeString(get_namespace_name(source->extension)),
											makeString("crm_group_value")),
								 list_make2(make_column(alias, column), make_text(column)),
								 COERCE_EXPLICIT_CALL, -1);
}

static Node *
make_key(Node *object, const char *key)
{
	return (Node *) makeA_Expr(AEXPR_OP, list_make2(makeString("pg_catalog"), makeString("->")),
							   object, make_cast(make_text(key), "text"), -1);
}

static bool
is_period(Oid type, const char *name)
{
	if (type != DATEOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID)
		return false;
	for (int i = 0; i < lengthof(periods); i++)
	{
		if (strcmp(name, periods[i]) == 0)
			return true;
	}
	return false;
}

/* The expression for COLUMN.PART; NULL if there is no such column or part. */
static Node *
make_part(const CrmGroupSource *source, const char *alias)
{
	const char *point = strchr(source->dimension, '.');
	char	   *column = point == NULL ? NULL :
	pnstrdup(source->dimension, point - source->dimension);
	Oid			type = column == NULL ? InvalidOid : column_type(source->schema, column);

	if (type == JSONBOID)
		return make_key(make_column(alias, column), point + 1);
	if (type == JSONOID)
		return make_key(make_value(source, alias, column), point + 1);
	if (OidIsValid(type) && is_period(type, point + 1))
		return make_period(source->extension, make_column(alias, column), point + 1);
	return NULL;
}

/* The expression of a dimension; NULL if there is no such dimension. */
static Node *
make_expression(const CrmGroupSource *source, const char *alias)
{
	Oid			type;

	for (int i = 0; i < lengthof(queries); i++)
	{
		if (strcmp(source->dimension, queries[i][0]) == 0)
			return make_of_query(queries[i][1], source->schema, alias);
	}
	type = column_type(source->schema, source->dimension);
	if (type == JSONOID || OidIsValid(get_element_type(type)))
		return make_value(source, alias, source->dimension);
	if (OidIsValid(type))
		return make_column(alias, source->dimension);
	return make_part(source, alias);
}

static Node *
coerce(ParseState *pstate, Node *expression, Oid type)
{
	return coerce_to_target_type(pstate, expression, exprType(expression), type, -1,
								 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
}

/* Whether equal values of the expression are also the same, unlike 'a' and 'A' of citext. */
static bool
is_same_if_equal(Node *expression)
{
	Oid			type = exprType(expression);
	Oid			collation = IsA(expression, Var) ? exprCollation(expression) :
	get_typcollation(type);
	Oid			element = get_element_type(type);
	TypeCacheEntry *entry = lookup_type_cache(OidIsValid(element) ? element : type,
											  TYPECACHE_BTREE_OPFAMILY);
	Oid			function = OidIsValid(entry->btree_opf) ?
	get_opfamily_proc(entry->btree_opf, entry->btree_opintype, entry->btree_opintype,
					  BTEQUALIMAGE_PROC) : InvalidOid;

	return OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1Coll(function, collation,
										  ObjectIdGetDatum(entry->btree_opintype)));
}

static Node *
make_json(ParseState *pstate, Node *expression)
{
	FuncCall   *call = makeFuncCall(list_make2(makeString("pg_catalog"), makeString("to_jsonb")),
									list_make1(expression), COERCE_EXPLICIT_CALL, -1);

	return ParseFuncOrColumn(pstate, call->funcname, call->args, NULL, call, false, -1);
}

/*
 * Groups need equality: types without it become text.  Values are to be equal only if they
 * are the same, as groups of several parts of the deals are put together by what is told
 * of their keys: so others become jsonb, as their keys do later on.
 */
static Node *
make_comparable(ParseState *pstate, Node *expression)
{
	Oid			type = exprType(expression);

	if (!OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr))
		return coerce(pstate, expression, TEXTOID);
	if (type == JSONBOID || is_same_if_equal(expression))
		return expression;
	return make_json(pstate, expression);
}

/* ERROR 22023 if there is no such dimension. */
static Node *
find_expression(const CrmGroupSource *source, const char *alias)
{
	Node	   *expression = make_expression(source, alias);

	if (expression == NULL)
		refuse_dimension(source->dimension);
	return expression;
}

void
crm_group_check(const CrmGroupSource *source)
{
	if (source->dimension != NULL)
		(void) find_expression(source, "d");
}

void
crm_group_check_rights(const CrmGroupSource *source)
{
	Oid			deals = get_relname_relid("deals", source->schema);
	char	   *column = source->dimension == NULL ? NULL : pstrdup(source->dimension);
	AttrNumber	number;

	if (column == NULL || !OidIsValid(deals))
		return;
	if (!OidIsValid(column_type(source->schema, column)))
		column[strcspn(column, ".")] = '\0';
	number = get_attnum(deals, column);
	if (number <= 0 || pg_class_aclcheck(deals, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(deals, number, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for column \"%s\" of table \"%s\"", column, "deals"),
			 errhint("Group by another one, or grant the right to read it: GRANT SELECT (%s) ON deals.",
					 quote_identifier(column))));
}

Node *
crm_group_expression(ParseState *pstate, const CrmGroupSource *source, const char *alias)
{
	if (source->dimension == NULL)
		return (Node *) makeNullConst(TEXTOID, -1, DEFAULT_COLLATION_OID);
	return make_comparable(pstate, transformExpr(pstate, find_expression(source, alias),
												 pstate->p_expr_kind));
}
