/*
 * mcp/list_tool.c
 *		The tool that lists rows of a table, a page at a time.
 *
 * Rows come in the order of their ids.  So a page is an index scan that begins
 * after the id in the cursor, and rows that are added meanwhile shift no page.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "mcp/columns.h"
#include "mcp/cursor.h"
#include "mcp/list_tool.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/table.h"

#define DEFAULT_LIMIT	20
#define MAX_LIMIT		100

/*
 * Whether a list can be filtered by the column: it has an index or few values, and
 * its type's "=" is in pg_catalog.
 */
static bool
is_filter(McpColumn *column)
{
	McpProperty *property = &column->property;
	Oid			type = getBaseType(property->type);

	if (!column->can_select || strcmp(property->name, MCP_KEY) == 0)
		return false;
	if (type == UUIDOID || type == BOOLOID || get_typtype(type) == TYPTYPE_ENUM)
		return true;
	if (type == JSONBOID || type == JSONOID || type >= FirstNormalObjectId ||
		OidIsValid(get_element_type(type)))
		return false;
	return property->choices != NIL || column->indexed;
}

static List *
list_properties(McpTool *tool)
{
	List	   *columns = tool->columns;
	const McpTable *table = tool->table;
	McpColumn  *label = crm_mcp_find_column(columns, table->label);
	McpColumn  *archived = crm_mcp_find_column(columns, "archived_at");
	List	   *properties = NIL;
	McpProperty *property;
	ListCell   *cell;

	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);

		if (!is_filter(column))
			continue;
		property = crm_mcp_copy_property(column);
		property->fallback = NULL;
		property->nullable = false;
		property->description = psprintf("Only those with this %s", property->name);
		properties = lappend(properties, property);
	}
	if (label != NULL && label->can_select)
		properties = lappend(properties,
							 crm_mcp_make_property("search", TEXTOID,
												   psprintf("Only those whose %s contains this text, ignoring case", table->label)));
	if (archived != NULL && archived->can_select)
	{
		property = crm_mcp_make_property("archived", BOOLOID,
										 "true: only archived ones; false: only those that are not archived");
		property->fallback = "false";
		properties = lappend(properties, property);
	}
	property = crm_mcp_make_property("limit", INT4OID, "How many to list at most");
	property->fallback = CppAsString2(DEFAULT_LIMIT);
	property->limits = "\"minimum\":1,\"maximum\":" CppAsString2(MAX_LIMIT);
	properties = lappend(properties, property);
	return lappend(properties,
				   crm_mcp_make_property("cursor", TEXTOID, "The next_cursor of the previous page"));
}

/* A cursor is the id of the last row of a page. */
static Datum
read_cursor(const char *cursor)
{
	int			length;
	char	   *id = crm_mcp_decode_cursor(cursor, &length);

	if (id == NULL || length != UUID_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cursor"),
				 errhint("Pass the next_cursor of the previous page, or no cursor for the first page.")));
	return PointerGetDatum(id);
}

/* The argument limit; ERROR 22023 if it is out of bounds. */
static int
read_limit(Jsonb *arguments)
{
	JsonbValue	value;
	Datum		limit;

	if (!crm_mcp_member(&arguments->root, "limit", &value) || value.type == jbvNull)
		return DEFAULT_LIMIT;
	if (value.type == jbvNumeric)
	{
		limit = DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric));
		for (int i = 1; i <= MAX_LIMIT; i++)
		{
			if (strcmp(DatumGetCString(limit), psprintf("%d", i)) == 0)
				return i;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("limit must be a whole number from 1 to %d", MAX_LIMIT)));
}

/* Appends the conditions that the arguments ask for. */
static void
append_filters(StringInfo query, McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = crm_mcp_given(arguments, properties, false);
	const char *label = quote_identifier(tool->table->label);
	ListCell   *cell;
	bool		has_archived = false;
	JsonbValue	value;

	foreach(cell, properties)
		has_archived |= strcmp(((McpProperty *) lfirst(cell))->name, "archived") == 0 &&
		!((McpProperty *) lfirst(cell))->column;
	foreach(cell, given)
	{
		McpProperty *property = lfirst(cell);
		const char *column = quote_identifier(property->name);

		/* The sub-select is evaluated once, so that an index can be used. */
		if (property->column)
			appendStringInfo(query, " AND t.%s OPERATOR(pg_catalog.=) (SELECT f.%s FROM %s)",
							 column, column, crm_mcp_record(list_make1(property)));
		else if (strcmp(property->name, "search") == 0)
			appendStringInfo(query, " AND pg_catalog.strpos(pg_catalog.lower(t.%s),"
							 " pg_catalog.lower(pg_catalog.jsonb_extract_path_text($1, 'search')))"
							 " OPERATOR(pg_catalog.>) 0", label);
	}
	if (has_archived)
	{
		bool		archived = crm_mcp_member(&arguments->root, "archived", &value) &&
		value.type != jbvNull;

		if (archived && value.type != jbvBool)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("archived must be true or false")));
		appendStringInfo(query, " AND t.archived_at IS %s NULL",
						 archived && value.val.boolean ? "NOT" : "");
	}
}

static char *
call_list(McpTool *tool, Jsonb *arguments, List *properties)
{
	int			limit = read_limit(arguments);
	char	   *cursor = crm_mcp_string(&arguments->root, "cursor");
	Oid			types[] = {JSONBOID, UUIDOID};
	Datum		args[] = {JsonbPGetDatum(arguments), (Datum) 0};
	char	   *nulls = cursor ? "  " : " n";
	StringInfoData query;
	StringInfoData out;
	uint64		rows;

	if (cursor != NULL)
		args[1] = read_cursor(cursor);
	initStringInfo(&query);
	appendStringInfo(&query, "SELECT t.%s, %s FROM %s AS t WHERE %s",
					 MCP_KEY, crm_mcp_row_as_json(tool->columns),
					 crm_mcp_table_name(tool->object),
					 cursor ? "t." MCP_KEY " OPERATOR(pg_catalog.>) $2" : "true");
	append_filters(&query, tool, arguments, properties);
	appendStringInfo(&query, " ORDER BY t.%s LIMIT %d", MCP_KEY, limit + 1);
	if (SPI_execute_with_args(query.data, 2, types, args, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query.data);

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"items\":[");
	rows = SPI_processed;
	for (uint64 row = 0; row < Min(rows, limit); row++)
		appendStringInfo(&out, "%s%s", row > 0 ? "," : "", crm_mcp_field(row, 2));
	appendStringInfoChar(&out, ']');
	if (rows > limit)
	{
		bool		isnull;
		Datum		id = SPI_getbinval(SPI_tuptable->vals[limit - 1], SPI_tuptable->tupdesc, 1,
									   &isnull);

		if (isnull)				/* the user may have dropped NOT NULL */
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("null value in column \"%s\"", MCP_KEY)));
		appendStringInfoString(&out, ",\"next_cursor\":");
		escape_json(&out, crm_mcp_encode_cursor(DatumGetPointer(id), UUID_LEN));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

const McpToolKind crm_mcp_list_kind = {list_properties, call_list};
