/*
 * mcp/function_tools.c
 *		Functions of the CRM's schema that are marked as tools.
 *
 * The mark is a line of the function's COMMENT that begins with @mcp, followed
 * by words in any order:
 *
 *		name=NAME		the tool's name; default: the function's
 *		additive		the tool destroys nothing (destructiveHint false)
 *		destructive		the tool may destroy data (the default, as in MCP)
 *		idempotent		a second call has no further effect
 *		report=GROUP	it is no tool itself, but a report of the tool report_GROUP
 *
 * A line "@param NAME TEXT" describes an argument.  The first of the other lines is
 * the tool's title, and its description is a line "@tool TEXT" or, if there is none,
 * the lines after the title.  White space before a line does not count, so that a
 * comment may be indented as the statement is.  A function that is STABLE or IMMUTABLE
 * is read-only.  Arguments are passed by name, so each must have one.
 *
 * A read-only function that returns a set is a list with pages.  They are parts of what
 * it returns, by number; but if it makes pages itself, by the arguments max_rows and
 * after_cursor and the column next_cursor, they are these, and those names are only
 * between us and the function.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "mcp/arguments.h"
#include "mcp/columns.h"
#include "mcp/cursor.h"
#include "mcp/function_tools.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/renaming.h"

/* The names by which a function makes pages itself. */
#define MAX_ROWS	"max_rows"
#define AFTER		"after_cursor"
#define NEXT		"next_cursor"

#define MARK		"@mcp"
#define PARAM		"@param "
#define TOOL		"@tool "
#define MAX_NAME	128

static const char functions_query[] =
"SELECT p.oid FROM pg_proc AS p JOIN pg_description AS d"
" ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass AND d.objsubid = 0"
" WHERE p.pronamespace = $1 AND p.prokind = 'f'"
" AND p.provariadic = 0 AND strpos(d.description, '" MARK "') > 0"
" AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY p.proname, p.oid";

/* Whether the line begins with the word. */
static bool
begins_with(const char *line, const char *word)
{
	int			length = strlen(word);

	return strncmp(line, word, length) == 0 &&
		(word[length - 1] == ' ' || line[length] == '\0' || line[length] == ' ');
}

/* Whether all clients accept the name: they allow these characters only. */
static bool
is_tool_name(const char *name)
{
	int			length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	return length > 0 && length <= MAX_NAME && name[length] == '\0';
}

static void
read_mark(McpTool *tool, char *words)
{
	for (char *word = strtok(words, " \t\r"); word; word = strtok(NULL, " \t\r"))
	{
		if (strncmp(word, "name=", 5) == 0)
			tool->name = pstrdup(word + 5);
		else if (strncmp(word, "report=", 7) == 0)
			tool->report = pstrdup(word + 7);
		else if (strcmp(word, "additive") == 0)
			tool->destructive = false;
		else if (strcmp(word, "destructive") == 0)
			tool->destructive = true;
		else if (strcmp(word, "idempotent") == 0)
			tool->idempotent = true;
	}
}

/* The lines of a comment, a list of strings without the white space before them. */
static List *
lines_of(const char *comment)
{
	List	   *lines = NIL;

	for (;;)
	{
		int			length;

		comment += strspn(comment, " \t");
		length = strcspn(comment, "\n");
		lines = lappend(lines, pnstrdup(comment, length));
		if (comment[length] == '\0')
			return lines;
		comment += length + 1;
	}
}

/* Reads the tool's description and properties from the comment; false if it has no mark. */
static bool
read_comment(McpTool *tool, const char *comment)
{
	StringInfoData description;
	bool		marked = false;
	const char *told = NULL;
	ListCell   *cell;

	initStringInfo(&description);
	foreach(cell, lines_of(comment))
	{
		char	   *line = lfirst(cell);

		if (begins_with(line, MARK))
		{
			marked = true;
			read_mark(tool, line + strlen(MARK));
		}
		else if (begins_with(line, TOOL))
			told = line + strlen(TOOL);
		else if (begins_with(line, PARAM))
			tool->words = lappend(tool->words, line + strlen(PARAM));
		else if (description.len > 0 || line[strspn(line, "\r")] != '\0')
			appendStringInfo(&description, "%s\n", line);
	}
	while (description.len > 0 && strchr(" \r\n", description.data[description.len - 1]))
		description.data[--description.len] = '\0';
	if (description.len > 0)
	{
		tool->title = linitial(lines_of(description.data));
		tool->comment = description.data;
		tool->description = description.data + strlen(tool->title);
		tool->description += strspn(tool->description, " \r\n");
	}
	if (told != NULL || tool->description[0] == '\0')
		tool->description = told ? told : tool->title;
	return marked;
}

/* The description of an argument: from the comment, or the usual one of its name. */
static const char *
describe_argument(McpTool *tool, const char *name)
{
	static const char *const usual[][2] = {
		{"pipeline_id", "Id or name"},
		{"stage_id", "Id or name"},
		{"deal_id", "Id or title"},
		{"tag_id", "Id or name"},
		{"contact_id", "Id or name"},
		{"person_id", "Id or name"},
		{"owner_id", "Only their deals"},
		{"currency", "Only amounts in this currency"},
		{"in_currency", "Convert all amounts to this currency"},
		{"at", "The moment"},
		{"value_period", "Only amounts per one_time, monthly, quarterly or annual"},
		{"group_by", "Rows for each owner, organization, pipeline, tag, lost_reason, other column, metadata.key or won_at.quarter"},
		{"time_zone", "Whose days count"},
		{"max_rate_age", "How many days old a rate may be"},
		{"by_stage", "Rows for each stage"},
	};
	int			length = strlen(name);
	ListCell   *cell;

	foreach(cell, tool->words)
	{
		char	   *line = lfirst(cell);

		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return line + length + 1;
	}
	for (int i = 0; i < lengthof(usual); i++)
	{
		if (strcmp(usual[i][0], name) == 0)
			return usual[i][1];
	}
	return NULL;
}

/* The default of an argument as JSON.  The list of defaults is for the last arguments. */
static char *
default_of(HeapTuple tuple, int argument, int nargs)
{
	bool		isnull;
	Datum		stored = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &isnull);
	List	   *defaults;

	if (isnull)
		return NULL;
	defaults = stringToNode(TextDatumGetCString(stored));
	return crm_mcp_constant(list_nth(defaults, argument - nargs + list_length(defaults)));
}

static McpProperty *
make_argument(HeapTuple tuple, McpTool *tool, char *name, Oid type, int number)
{
	Form_pg_proc function = (Form_pg_proc) GETSTRUCT(tuple);
	McpProperty *property = crm_mcp_make_property(name, type, describe_argument(tool, name));

	property->choices = crm_mcp_choices_of_type(type);
	property->required = number < function->pronargs - function->pronargdefaults;
	if (!property->required)
		property->fallback = default_of(tuple, number, function->pronargs);
	return property;
}

static HeapTuple
function_of(McpTool *tool)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(tool->object));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", tool->object);
	return tuple;
}

/* Whether the result is a list that is shown a page at a time. */
static bool
has_pages(McpTool *tool)
{
	return tool->read_only && get_func_retset(tool->object);
}

/* Whether it is one of the names by which the function makes pages itself. */
static bool
is_of_pages(McpTool *tool, const char *name)
{
	return tool->own_pages &&
		(strcmp(name, MAX_ROWS) == 0 || strcmp(name, AFTER) == 0 || strcmp(name, NEXT) == 0);
}

static List *
function_properties(McpTool *tool)
{
	HeapTuple	tuple = function_of(tool);
	List	   *properties = NIL;
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			count = get_func_arg_info(tuple, &types, &names, &modes);
	int			number = 0;

	for (int i = 0; i < count; i++)
	{
		if (modes != NULL && modes[i] != PROARGMODE_IN && modes[i] != PROARGMODE_INOUT)
			continue;
		if (!is_of_pages(tool, names[i]))
			properties = lappend(properties,
								 make_argument(tuple, tool, names[i], types[i], number));
		number++;
	}
	ReleaseSysCache(tuple);
	return has_pages(tool) ? crm_mcp_page_properties(properties) : properties;
}

/* Whether each argument has a name, and none has a pseudo-type. */
static bool
is_callable(HeapTuple tuple)
{
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			count = get_func_arg_info(tuple, &types, &names, &modes);

	for (int i = 0; i < count; i++)
	{
		if (modes != NULL && modes[i] != PROARGMODE_IN && modes[i] != PROARGMODE_INOUT)
			continue;
		if (names == NULL || names[i][0] == '\0' || get_typtype(types[i]) == TYPTYPE_PSEUDO)
			return false;
	}
	return true;
}

/* Whether the function makes pages itself. */
static bool
makes_pages(HeapTuple tuple)
{
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			count = get_func_arg_info(tuple, &types, &names, &modes);
	int			found = 0;

	for (int i = 0; names != NULL && modes != NULL && i < count; i++)
	{
		bool		result = modes[i] == PROARGMODE_TABLE || modes[i] == PROARGMODE_OUT;

		found += result ? strcmp(names[i], NEXT) == 0 && types[i] == TEXTOID :
			(strcmp(names[i], MAX_ROWS) == 0 && types[i] == INT4OID) ||
			(strcmp(names[i], AFTER) == 0 && types[i] == TEXTOID);
	}
	return found == 3;
}

/* f(a => f.a, b => f.b, more), with the function's name qualified. */
static char *
call_expression(Oid function, List *given, const char *more)
{
	StringInfoData call;
	ListCell   *cell;
	const char *separator = "";

	initStringInfo(&call);
	appendStringInfo(&call, "%s(",
					 quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
												get_func_name(function)));
	foreach(cell, given)
	{
		const char *name = quote_identifier(((McpProperty *) lfirst(cell))->name);

		appendStringInfo(&call, "%s%s => f.%s", separator, name, name);
		separator = ", ";
	}
	if (more != NULL)
		appendStringInfo(&call, "%s%s", separator, more);
	appendStringInfoChar(&call, ')');
	return call.data;
}

/* The value r as JSON; a row of a table without the tenant, as in other tools. */
static char *
as_json(Oid type, const char *value)
{
	if (get_typtype(type) == TYPTYPE_COMPOSITE)
		return psprintf("pg_catalog.to_jsonb(%s) OPERATOR(pg_catalog.-) 'tenant_id'::pg_catalog.text", value);
	return psprintf("pg_catalog.to_json(%s)", value);
}

/* The number of rows before the page. */
static int
read_offset(Jsonb *arguments)
{
	char	   *cursor = crm_mcp_string(&arguments->root, "cursor");
	int			length;
	char	   *offset = cursor ? crm_mcp_decode_cursor(cursor, &length) : "0";

	if (offset == NULL || offset[0] == '\0' || strspn(offset, "0123456789") != strlen(offset) ||
		strlen(offset) > 9)
		crm_mcp_invalid_cursor();
	return atoi(offset);
}

/* SQL for a page of the set that the FROM clause "from" gives, whose rows are called r. */
static char *
call_paged(McpTool *tool, const char *from, Jsonb *arguments)
{
	int			limit = crm_mcp_limit(arguments);
	int			offset = read_offset(arguments);
	char	   *item = as_json(get_func_rettype(tool->object), "r");
	StringInfoData out;
	char	   *items = crm_mcp_run(psprintf("WITH r AS MATERIALIZED (SELECT %s AS item FROM %s AS r)"
											 " SELECT (SELECT pg_catalog.json_agg(p.item) FROM (SELECT r.item FROM r OFFSET %d LIMIT %d) AS p),"
											 " (SELECT pg_catalog.count(*) FROM r)",
											 item, from, offset, limit),
									arguments);
	char	   *total = crm_mcp_field(0, 2);

	initStringInfo(&out);
	appendStringInfo(&out, "{\"items\":%s,\"total\":%s", items ? items : "[]", total);
	if (pg_strtoint64(total) > (int64) offset + limit)
	{
		char	   *next = psprintf("%d", offset + limit);

		appendStringInfo(&out, ",\"next\":\"%s\"", crm_mcp_encode_cursor(next, strlen(next)));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

/* The columns of the row r of the function, without the cursor, as JSON. */
static char *
item_of(McpTool *tool)
{
	HeapTuple	tuple = function_of(tool);
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			count = get_func_arg_info(tuple, &types, &names, &modes);
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < count; i++)
	{
		if ((modes[i] == PROARGMODE_TABLE || modes[i] == PROARGMODE_OUT ||
			 modes[i] == PROARGMODE_INOUT) && !is_of_pages(tool, names[i]))
			appendStringInfo(&columns, "%sr.%s", columns.len > 0 ? ", " : "",
							 quote_identifier(names[i]));
	}
	ReleaseSysCache(tuple);
	return psprintf("(SELECT pg_catalog.row_to_json(i) FROM (SELECT %s) AS i)", columns.data);
}

/*
 * A page that the function makes: it is asked for one row more than the page has.  How
 * many rows there are is known only if they are on one page.
 */
static char *
call_own_pages(McpTool *tool, const char *record, List *given, Jsonb *arguments)
{
	int			limit = crm_mcp_limit(arguments);
	char	   *cursor = crm_mcp_string(&arguments->root, "cursor");
	char	   *page = psprintf(MAX_ROWS " => %d%s", limit + 1, cursor == NULL ? "" :
								psprintf(", " AFTER " => %s", quote_literal_cstr(cursor)));
	StringInfoData out;
	char	   *items = crm_mcp_run(psprintf("WITH r AS MATERIALIZED (SELECT %s AS item, r." NEXT " AS next"
											 " FROM %s%s%s AS r)"
											 " SELECT (SELECT pg_catalog.json_agg(p.item) FROM (SELECT r.item FROM r LIMIT %d) AS p),"
											 " (SELECT pg_catalog.count(*) FROM r),"
											 " (SELECT r.next FROM r OFFSET %d LIMIT 1)",
											 item_of(tool), record, record[0] ? ", LATERAL " : "",
											 call_expression(tool->object, given, page),
											 limit, limit - 1),
									arguments);
	int64		count = pg_strtoint64(crm_mcp_field(0, 2));
	char	   *next = crm_mcp_field(0, 3);

	initStringInfo(&out);
	appendStringInfo(&out, "{\"items\":%s", items ? items : "[]");
	if (count > limit && next != NULL)
		crm_mcp_append_member(&out, "next", next);
	else if (cursor == NULL)
		appendStringInfo(&out, ",\"total\":" INT64_FORMAT, count);
	appendStringInfoChar(&out, '}');
	return out.data;
}

List *
crm_mcp_page_renamings(McpTool *tool)
{
	List	   *renamings = NIL;

	if (tool->own_pages)
	{
		renamings = crm_mcp_add_renaming(renamings, MAX_ROWS, "limit");
		renamings = crm_mcp_add_renaming(renamings, AFTER, "cursor");
		renamings = crm_mcp_add_renaming(renamings, NEXT, "next");
	}
	return renamings;
}

/* The arguments that are the function's own. */
static List *
given_to_function(McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = crm_mcp_given(arguments, properties, false);
	ListCell   *cell;

	if (!has_pages(tool))
		return given;
	foreach(cell, given)
	{
		/* limit and cursor, which crm_mcp_page_properties() added */
		if (lfirst(cell) == llast(properties) ||
			lfirst(cell) == list_nth(properties, list_length(properties) - 2))
			given = foreach_delete_current(given, cell);
	}
	return given;
}

/*
 * A set becomes {"items": [...]}, a value that is not an object {"result": ...}.
 * A null argument counts as not given, so that its default applies.
 */
static char *
run_function(McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = given_to_function(tool, arguments, properties);
	char	   *call = call_expression(tool->object, given, NULL);
	char	   *record = crm_mcp_record(given);
	Oid			type = get_func_rettype(tool->object);
	char	   *value;

	if (tool->own_pages)
		return call_own_pages(tool, record, given, arguments);
	if (has_pages(tool))
		return call_paged(tool, psprintf("%s%s%s", record, record[0] ? ", LATERAL " : "", call), arguments);
	if (get_func_retset(tool->object))
	{
		value = crm_mcp_run(psprintf("SELECT pg_catalog.json_agg(%s) FROM %s%s%s AS r",
									 as_json(type, "r"), record, record[0] ? ", LATERAL " : "", call),
							arguments);
		return psprintf("{\"items\":%s}", value ? value : "[]");
	}
	value = crm_mcp_run(psprintf("SELECT %s%s%s",
								 type == VOIDOID ? call : as_json(type, call),
								 record[0] ? " FROM " : "", record),
						arguments);
	if (type == VOIDOID)
		return "{}";
	if (value != NULL && value[0] == '{')
		return value;
	return psprintf("{\"result\":%s}", value ? value : "null");
}

static char *
call_function(McpTool *tool, Jsonb *arguments, List *properties)
{
	return crm_mcp_call_renamed(run_function, tool, arguments, properties,
								crm_mcp_page_renamings(tool));
}

static char *
function_output(McpTool *tool)
{
	return get_func_retset(tool->object) ? MCP_LIST_OUTPUT : MCP_OBJECT_OUTPUT;
}

static const McpToolKind function_kind = {function_properties, call_function, function_output};

/* The function as a tool; NULL if it is not marked as one or cannot be called by name. */
static McpTool *
make_tool(Oid function)
{
	McpTool    *tool = palloc0(sizeof(McpTool));
	char	   *comment = GetComment(function, ProcedureRelationId, 0);
	HeapTuple	tuple;
	bool		callable;

	tool->schema = get_func_namespace(function);
	tool->object = function;
	tool->kind = &function_kind;
	tool->destructive = true;
	tuple = function_of(tool);
	tool->name = pstrdup(NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname));
	tool->title = tool->description = tool->name;
	tool->read_only = ((Form_pg_proc) GETSTRUCT(tuple))->provolatile != PROVOLATILE_VOLATILE;
	callable = is_callable(tuple);
	tool->own_pages = has_pages(tool) && makes_pages(tuple);
	ReleaseSysCache(tuple);
	if (!callable || comment == NULL || !read_comment(tool, comment) || !is_tool_name(tool->name))
		return NULL;
	return tool;
}

List *
crm_mcp_function_tools(Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};
	List	   *tools = NIL;
	List	   *functions = NIL;
	ListCell   *cell;

	crm_mcp_catalog_query(functions_query, 1, types, args);
	for (uint64 row = 0; row < SPI_processed; row++)
		functions = lappend_oid(functions, crm_mcp_oid(row, 1));
	foreach(cell, functions)
	{
		McpTool    *tool = make_tool(lfirst_oid(cell));

		if (tool != NULL)
			tools = lappend(tools, tool);
	}
	return tools;
}
