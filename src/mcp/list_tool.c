/*
 * mcp/list_tool.c
 *		The tool that lists rows of a table, a page at a time.
 *
 * A page begins after the row in the cursor, which holds that row's values of the
 * columns of the order, including the id.  So rows that are added meanwhile do not
 * shift the pages, and a page in the order of the ids is an index scan.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "base/argument_errors.h"
#include "base/query.h"
#include "mcp/arguments.h"
#include "mcp/columns.h"
#include "mcp/cursor.h"
#include "mcp/linked.h"
#include "mcp/list_filters.h"
#include "mcp/list_tool.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/reference.h"
#include "mcp/table.h"
#include "mcp/values.h"

/* Counting stops here, as it reads every row. */
#define MAX_COUNTED		10000

/* Fields that can be shown beside the columns: names of rows that a deal refers to. */
typedef struct NamedField
{
	const char *name;
	const char *column;			/* the id, or NULL: */
	const char *linking;		/* the table that has the ids */
	const char *relation;		/* the relation that has the names */
	const char *key;			/* of the linking table */
} NamedField;

static const NamedField named_fields[] = {
	{"pipeline", "pipeline_id", NULL, "pipelines", NULL},
	{"stage", "stage_id", NULL, "stages", NULL},
	{"owner", "owner_id", NULL, "owners", NULL},
	{"organization", "organization_id", NULL, "organizations", NULL},
	{"tags", NULL, "deal_tags", "tags", "tag_id"},
	{"contacts", NULL, "deal_contacts", "contacts", "contact_id"},
};

/* The fields that a list of deals shows by default. */
static const char *const usual_fields[] = {
	"id", "title", "status", "pipeline", "stage", "amount", "currency", "value_period", "probability",
	"expected_close_date", "forecast_category", "owner_id", "owner", "organization_id", "organization",
	"won_at", "lost_at", "lost_reason", "version"
};

/* The columns that deals can be ordered by. */
static const char *const orders[] = {
	"amount", "expected_close_date", "created_at", "updated_at", "stage_entered_at", "won_at", "lost_at", "title"
};

/* The subquery that gives a name or names; NULL if the caller may not read them. */
static char *
named_field(McpTool *tool, const NamedField *field)
{
	McpNamed	named;
	McpColumn  *column = field->column ? crm_mcp_find_column(tool->columns, field->column) : NULL;
	Oid			linking;
	McpColumn  *key;

	if ((field->column != NULL && (column == NULL || !column->can_select)) ||
		!crm_mcp_named(tool->schema, field->relation, &named))
		return NULL;
	if (field->column != NULL)
		return psprintf("(SELECT %s FROM %s AS t WHERE t.id OPERATOR(pg_catalog.=) r.%s)",
						named.label, named.relation, field->column);
	linking = get_relname_relid(field->linking, tool->schema);
	key = OidIsValid(linking) ? crm_mcp_find_column(crm_mcp_columns(linking), field->key) : NULL;
	if (key == NULL || !key->can_select)
		return NULL;
	return psprintf("(SELECT pg_catalog.json_agg(n.name) FROM (SELECT %s AS name FROM %s AS t JOIN"
					" %s AS l ON l.%s OPERATOR(pg_catalog.=) t.id"
					" WHERE l.deal_id OPERATOR(pg_catalog.=) r.id LIMIT %d) AS n)",
					named.label, named.relation, crm_mcp_table_name(linking), field->key,
					MCP_MAX_LIMIT);
}

/* The expression over r of a field by its name; NULL if there is none for the caller. */
static char *
field_expression(McpTool *tool, const char *name)
{
	McpColumn  *column = crm_mcp_find_column(tool->columns, name);

	if (column != NULL)
		return column->can_select ? psprintf("r.%s", quote_identifier(name)) : NULL;
	for (int i = 0; i < lengthof(named_fields); i++)
	{
		if (strcmp(named_fields[i].name, name) == 0)
			return named_field(tool, &named_fields[i]);
	}
	return NULL;
}

static void
append_field(StringInfo fields, McpTool *tool, const char *name, bool required)
{
	char	   *expression = field_expression(tool, name);

	if (expression != NULL)
		appendStringInfo(fields, "%s%s AS %s", fields->len > 0 ? ", " : "", expression,
						 quote_identifier(name));
	else if (required)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s have no field \"%s\"", tool->table->name, name),
				 errhint("Fields are the columns, and where they can be read, pipeline, stage, owner, organization, tags and contacts.")));
}

/* The select list over r: what each item has. */
static char *
fields_of(McpTool *tool, Jsonb *arguments)
{
	StringInfoData fields;
	JsonbValue	value;
	ListCell   *cell;

	initStringInfo(&fields);
	if (tool->table->wide && crm_mcp_member(&arguments->root, "fields", &value) &&
		value.type == jbvBinary && JsonContainerSize(value.val.binary.data) > 0)
	{
		append_field(&fields, tool, MCP_KEY, true);
		for (uint32 i = 0; i < JsonContainerSize(value.val.binary.data); i++)
		{
			JsonbValue *field = getIthJsonbValueFromContainer(value.val.binary.data, i);
			char	   *name = "";

			if (field->type == jbvString)
				name = pnstrdup(field->val.string.val, field->val.string.len);
			if (strcmp(name, MCP_KEY) != 0)
				append_field(&fields, tool, name, true);
		}
	}
	else if (tool->table->wide)
	{
		for (int i = 0; i < lengthof(usual_fields); i++)
			append_field(&fields, tool, usual_fields[i], false);
	}
	else
	{
		foreach(cell, tool->columns)
			append_field(&fields, tool, ((McpColumn *) lfirst(cell))->property.name, false);
	}
	return fields.data;
}

static List *
list_properties(McpTool *tool)
{
	List	   *properties = crm_mcp_filter_properties(tool);
	McpProperty *order;

	if (tool->table->wide)
	{
		order = crm_mcp_make_property("order", TEXTOID, "Default: as created");
		for (int i = 0; i < lengthof(orders); i++)
		{
			McpColumn  *column = crm_mcp_find_column(tool->columns, orders[i]);

			if (column != NULL && column->can_select)
				order->choices = lappend(order->choices, pstrdup(orders[i]));
		}
		properties = lappend(properties, order);
		properties = lappend(properties, crm_mcp_make_property("descending", BOOLOID, "The other way round; without a value comes last"));
		properties = lappend(properties, crm_mcp_make_property("fields", TEXTARRAYOID,
															   "What to show instead of the usual: columns, stage, pipeline, owner, organization, tags, contacts"));
	}
	return crm_mcp_page_properties(properties);
}

/* The columns that make the order, a list of McpColumn. */
static List *
order_of(McpTool *tool, Jsonb *arguments)
{
	char	   *order = crm_mcp_string(&arguments->root, "order");
	McpColumn  *key = crm_mcp_find_column(tool->columns, MCP_KEY);
	List	   *columns = NIL;

	for (int i = 0; order != NULL && i < lengthof(orders); i++)
	{
		if (strcmp(orders[i], order) == 0)
			columns = list_make1(crm_mcp_find_column(tool->columns, order));
	}
	if (order != NULL && (columns == NIL || linitial(columns) == NULL))
	{
		McpProperty *property = crm_mcp_find_property(tool->kind->properties(tool), "order");

		crm_refuse_value(property->name, order, crm_mcp_values_hint(property));
	}
	for (int i = 0; order == NULL && i < lengthof(tool->table->order) && tool->table->order[i]; i++)
	{
		McpColumn  *column = crm_mcp_find_column(tool->columns, tool->table->order[i]);

		if (column != NULL && column->can_select)
			columns = lappend(columns, column);
	}
	return lappend(columns, key);
}

/* "r.a DESC NULLS LAST, r.id" over the given alias. */
static char *
order_by(List *order, const char *alias, bool descending)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, order)
		appendStringInfo(&list, "%s%s.%s%s NULLS LAST", list.len > 0 ? ", " : "", alias,
						 quote_identifier(((McpColumn *) lfirst(cell))->property.name),
						 descending ? " DESC" : "");
	return list.data;
}

/*
 * The condition that a row comes after the one in the cursor, $2, whose columns k has, by
 * the columns of the order from the one of that number.
 */
static char *
comes_after(List *order, int first, bool descending)
{
	McpColumn  *column = list_nth(order, first);
	const char *name = quote_identifier(column->property.name);
	char	   *further = psprintf("t.%s OPERATOR(pg_catalog.%s) k.%s", name,
								   descending ? "<" : ">", name);
	char	   *same = psprintf("t.%s OPERATOR(pg_catalog.=) k.%s", name, name);

	if (first + 1 == list_length(order))
		return further;
	if (!column->not_null)
	{
		further = psprintf("(%s OR (t.%s IS NULL AND k.%s IS NOT NULL))", further, name, name);
		same = psprintf("(%s OR (t.%s IS NULL AND k.%s IS NULL))", same, name, name);
	}
	return psprintf("(%s OR (%s AND %s))", further, same,
					comes_after(order, first + 1, descending));
}

/* The columns of the order as properties. */
static List *
order_properties(List *order)
{
	List	   *properties = NIL;
	ListCell   *cell;

	foreach(cell, order)
		properties = lappend(properties, &((McpColumn *) lfirst(cell))->property);
	return properties;
}

/* " AND" the condition that a row comes after the one in the cursor. */
static char *
begin_after(List *order, bool descending)
{
	List	   *properties = order_properties(order);

	/* Evaluated once, so that the primary key's index can be used. */
	if (list_length(order) == 1)
		return psprintf(" AND t." MCP_KEY " OPERATOR(pg_catalog.%s) (SELECT f." MCP_KEY
						" FROM pg_catalog.jsonb_to_record($2) AS f(" MCP_KEY " pg_catalog.uuid))",
						descending ? "<" : ">");
	return psprintf(" AND (SELECT %s FROM (SELECT %s FROM pg_catalog.jsonb_to_record($2) AS f(%s))"
					" AS k)",
					comes_after(order, 0, descending),
					crm_mcp_names(properties, "f."), crm_mcp_record_columns(properties));
}

/* {"a": r.a, "id": r.id}: what a cursor holds. */
static char *
cursor_expression(List *order)
{
	return psprintf("(SELECT pg_catalog.row_to_json(k) FROM (SELECT %s) AS k)",
					crm_mcp_names(order_properties(order), "r."));
}

/* The values in a cursor; ERROR 22023 unless it is of this order. */
static Jsonb *
read_cursor(const char *cursor, List *order)
{
	int			length;
	char	   *text = crm_mcp_decode_cursor(cursor, &length);
	Jsonb	   *values = NULL;
	ListCell   *cell;
	JsonbValue	value;
	const char *problem;
	char	   *id;

	if (text !=NULL && pg_verifymbstr(text, length, true) && text[0] == '{')
		values = crm_mcp_parse(text, &problem, &id);
	if (values == NULL || JB_ROOT_COUNT(values) != list_length(order))
		crm_mcp_invalid_cursor();
	foreach(cell, order)
	{
		if (!crm_mcp_member(&values->root, ((McpColumn *) lfirst(cell))->property.name, &value))
			crm_mcp_invalid_cursor();
	}
	return values;
}

static void
run(const char *query, Jsonb *arguments, Jsonb *cursor)
{
	Oid			types[] = {JSONBOID, JSONBOID};
	Datum		args[] = {JsonbPGetDatum(arguments), cursor ? JsonbPGetDatum(cursor) : (Datum) 0};

	(void) crm_select_once(query, lengthof(types), types, args, cursor ? NULL : " n", false);
}

/* Appends the number of all rows, and for deals the sums of their amounts. */
static void
append_totals(StringInfo out, McpTool *tool, const char *from, Jsonb *arguments)
{
	McpColumn  *amount = crm_mcp_find_column(tool->columns, "amount");
	McpColumn  *currency = crm_mcp_find_column(tool->columns, "currency");
	bool		exact;

	run(psprintf("SELECT pg_catalog.count(*), pg_catalog.count(*) OPERATOR(pg_catalog.<=) %d FROM"
				 " (SELECT %s LIMIT %d) AS c",
				 MAX_COUNTED, from, MAX_COUNTED + 1), arguments, NULL);
	exact = crm_mcp_flag(0, 2);
	if (!exact)
	{
		appendStringInfo(out, ",\"total_at_least\":%d", MAX_COUNTED);
		return;
	}
	appendStringInfo(out, ",\"total\":%s", crm_mcp_field(0, 1));
	if (!tool->table->wide || amount == NULL || !amount->can_select ||
		currency == NULL || !currency->can_select)
		return;
	run(psprintf("SELECT pg_catalog.json_agg(pg_catalog.json_build_object('currency', s.currency,"
				 " 'deals', s.deals, 'amount', s.amount))"
				 " FROM (SELECT t.currency, pg_catalog.count(*) AS deals, pg_catalog.sum(t.amount)"
				 " AS amount %s"
				 " AND t.amount IS NOT NULL GROUP BY 1 ORDER BY 3 DESC) AS s", from),
		arguments, NULL);
	if (crm_mcp_field(0, 1) != NULL)
		appendStringInfo(out, ",\"totals\":%s", crm_mcp_field(0, 1));
}

static char *
call_list(McpTool *tool, Jsonb *arguments, List *properties)
{
	int			limit = crm_mcp_limit(arguments);
	char	   *cursor = crm_mcp_string(&arguments->root, "cursor");
	bool		descending = tool->table->wide && crm_mcp_is_true(arguments, "descending");
	List	   *order = order_of(tool, arguments);
	Jsonb	   *after = cursor ? read_cursor(cursor, order) : NULL;
	StringInfoData from;
	StringInfoData out;
	uint64		rows;

	initStringInfo(&from);
	appendStringInfo(&from, "FROM %s AS t WHERE true", crm_mcp_table_name(tool->object));
	crm_mcp_append_filters(&from, tool, arguments, properties);
	run(psprintf("SELECT COALESCE((SELECT pg_catalog.json_object_agg(e.key, e.value) FROM (SELECT"
				 " %s) AS i,"
				 " pg_catalog.json_each(pg_catalog.row_to_json(i)) AS e"
				 " WHERE pg_catalog.json_typeof(e.value) OPERATOR(pg_catalog.<>) 'null'),"
				 " '{}'::pg_catalog.json), %s"
				 " FROM (SELECT %s %s%s ORDER BY %s LIMIT %d) AS r ORDER BY %s",
				 fields_of(tool, arguments), cursor_expression(order),
				 crm_mcp_readable(tool->columns), from.data,
				 after ? begin_after(order, descending) : "",
				 order_by(order, "t", descending), limit + 1, order_by(order, "r", descending)),
		arguments, after);

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"items\":[");
	rows = SPI_processed;
	for (uint64 row = 0; row < Min(rows, limit); row++)
		appendStringInfo(&out, "%s%s", row > 0 ? "," : "", crm_mcp_field(row, 1));
	appendStringInfoChar(&out, ']');
	if (rows > limit)
	{
		char	   *last = crm_mcp_field(limit - 1, 2);

		appendStringInfoString(&out, ",\"next\":");
		escape_json(&out, crm_mcp_encode_cursor(last, strlen(last)));
	}
	append_totals(&out, tool, from.data, arguments);
	appendStringInfoChar(&out, '}');
	return out.data;
}

static char *
list_output(McpTool *tool)
{
	return MCP_LIST_OUTPUT;
}

const McpToolKind crm_mcp_list_kind = {list_properties, call_list, list_output};
