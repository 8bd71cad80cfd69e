/*
 * mcp/table_tools.c
 *		The tools that list, get, create, update and delete rows of a table.
 *
 * A table's tools have the table's columns as arguments, those of the user's
 * own too, as far as the caller may read or write them.  Its key is the column
 * id.  Row security, triggers and constraints do the rest.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "common/base64.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "base/errors.h"
#include "mcp/mcp.h"

#define KEY				"id"
#define DEFAULT_LIMIT	20
#define MAX_LIMIT		100

typedef struct McpTable
{
	const char *name;
	const char *singular;
	const char *label;			/* the column that says what a row is called */
} McpTable;

static const McpTable tables[] = {
	{"pipelines", "pipeline", "name"},
	{"stages", "stage", "name"},
	{"deals", "deal", "title"},
	{"tags", "tag", "name"},
};

/* What triggers keep, and what says when a row came to be. */
static const char *const kept_columns[] = {"version", "move_no", "updated_at"};
static const char *const fixed_columns[] = {KEY, "created_at"};

static const McpTable *
table_of(McpTool *tool)
{
	const char *name = get_rel_name(tool->object);

	for (int i = 0; i < lengthof(tables); i++)
	{
		if (name != NULL && strcmp(tables[i].name, name) == 0)
			return &tables[i];
	}
	elog(ERROR, "tool %s has lost its table", tool->name);
}

static bool
is_one_of(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static McpProperty *
key_property(McpTool *tool)
{
	McpProperty *property = crm_mcp_make_property(KEY, UUIDOID,
												  psprintf("The %s", table_of(tool)->singular));

	property->required = true;
	return property;
}

/*
 * Whether a list can be narrowed to a value of the column: it is cheap to look
 * up, or has few values.  Their "=" is the one of pg_catalog.
 */
static bool
is_filter(McpColumn *column)
{
	McpProperty *property = &column->property;
	Oid			type = getBaseType(property->type);

	if (!column->can_select || strcmp(property->name, KEY) == 0)
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
	const McpTable *table = table_of(tool);
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
												   psprintf("Only those whose %s contains this, in any case", table->label)));
	if (archived != NULL && archived->can_select)
	{
		property = crm_mcp_make_property("archived", BOOLOID,
										 "Whether to list the archived ones, instead of those that are not");
		property->fallback = "false";
		properties = lappend(properties, property);
	}
	property = crm_mcp_make_property("limit", INT4OID, "How many to list at most");
	property->fallback = CppAsString2(DEFAULT_LIMIT);
	property->limits = "\"minimum\":1,\"maximum\":" CppAsString2(MAX_LIMIT);
	properties = lappend(properties, property);
	return lappend(properties,
				   crm_mcp_make_property("cursor", TEXTOID, "The next_cursor of the page before"));
}

/* A cursor is the id of the last row of a page. */
static char *
cursor_after(Datum id)
{
	int			size = pg_b64_enc_len(UUID_LEN) + 1;
	char	   *cursor = palloc(size);
	int			length = pg_b64_encode((const void *) DatumGetPointer(id), UUID_LEN, cursor, size);

	if (length < 0)
		elog(ERROR, "could not encode a cursor");
	cursor[length] = '\0';
	return cursor;
}

static Datum
read_cursor(const char *cursor)
{
	int			size = pg_b64_dec_len(strlen(cursor)) + 1;
	char	   *id = palloc(Max(size, UUID_LEN));

	if (pg_b64_decode(cursor, strlen(cursor), (void *) id, size) != UUID_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cursor"),
				 errhint("Pass the next_cursor of the page before, or none for the first page.")));
	return PointerGetDatum(id);
}

/* The argument limit, which must be within its bounds. */
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

/* Appends the conditions that the arguments name. */
static void
append_filters(StringInfo query, McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = crm_mcp_given(arguments, properties, false);
	const char *label = quote_identifier(table_of(tool)->label);
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

		/* The sub-select makes it a constant, which an index can use. */
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
	char	   *cursor = crm_mcp_argument(arguments, "cursor");
	Oid			types[] = {JSONBOID, UUIDOID};
	Datum		args[] = {JsonbPGetDatum(arguments), (Datum) 0};
	char	   *nulls = cursor ? "  " : " n";
	StringInfoData query;
	StringInfoData out;
	uint64		rows;

	if (cursor != NULL)
		args[1] = read_cursor(cursor);
	initStringInfo(&query);
	appendStringInfo(&query, "SELECT t.%s, (SELECT pg_catalog.row_to_json(r) FROM (SELECT %s) AS r) FROM %s AS t WHERE %s",
					 KEY, crm_mcp_readable(tool->columns),
					 crm_mcp_table_name(tool->object),
					 cursor ? "t." KEY " OPERATOR(pg_catalog.>) $2" : "true");
	append_filters(&query, tool, arguments, properties);
	appendStringInfo(&query, " ORDER BY t.%s LIMIT %d", KEY, limit + 1);
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

		if (isnull)				/* the user may have dropped the constraint */
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("null value in column \"%s\"", KEY)));
		appendStringInfoString(&out, ",\"next_cursor\":");
		escape_json(&out, cursor_after(id));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

/* The same message as the functions of the CRM have. */
static void
report_not_found(McpTool *tool, Jsonb *arguments)
{
	ereport(ERROR,
			(errcode(ERRCODE_CRM_NOT_FOUND),
			 errmsg("%s %s does not exist", table_of(tool)->singular,
					crm_mcp_argument(arguments, KEY))));
}

/* Condition on the key, the argument id. */
static char *
by_key(void)
{
	return "t." KEY " OPERATOR(pg_catalog.=) (SELECT k.id FROM pg_catalog.jsonb_to_record($1) AS k(id pg_catalog.uuid))";
}

static List *
key_properties(McpTool *tool)
{
	return list_make1(key_property(tool));
}

static char *
call_get(McpTool *tool, Jsonb *arguments, List *properties)
{
	char	   *row = crm_mcp_run(psprintf("SELECT (SELECT pg_catalog.row_to_json(r) FROM (SELECT %s) AS r) FROM %s AS t WHERE %s",
										   crm_mcp_readable(tool->columns),
										   crm_mcp_table_name(tool->object), by_key()),
								  arguments);

	if (row == NULL)
		report_not_found(tool, arguments);
	return row;
}

static List *
create_properties(McpTool *tool)
{
	List	   *properties = NIL;
	ListCell   *cell;

	foreach(cell, tool->columns)
	{
		McpColumn  *column = lfirst(cell);
		McpProperty *property;

		if (!column->can_insert || column->generated ||
			is_one_of(column->property.name, kept_columns, lengthof(kept_columns)))
			continue;
		property = crm_mcp_copy_property(column);
		property->required = column->not_null && !column->has_default;
		properties = lappend(properties, property);
	}
	return properties;
}

/* "a, b", or with a prefix "f.a, f.b". */
static char *
names_of(List *properties, const char *prefix)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, properties)
		appendStringInfo(&names, "%s%s%s", names.len > 0 ? ", " : "", prefix,
						 quote_identifier(((McpProperty *) lfirst(cell))->name));
	return names.data;
}

/*
 * The row that a statement returns, as JSON.  Who may write but not read gets
 * an empty object.
 */
static char *
run_returning(McpTool *tool, const char *statement, Jsonb *arguments)
{
	char	   *readable = crm_mcp_readable(tool->columns);

	return crm_mcp_run(psprintf("WITH r AS (%s RETURNING %s) SELECT %s FROM r",
								statement, readable ? readable : "1",
								readable ? "pg_catalog.row_to_json(r)" : "'{}'"),
					   arguments);
}

/* Reports a write that a policy or a trigger swallowed. */
static void
report_suppressed(McpTool *tool)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the %s could not be written", table_of(tool)->singular),
			 errdetail("The write was suppressed by a policy or a trigger.")));
}

static char *
call_create(McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = crm_mcp_given(arguments, properties, true);
	char	   *table = crm_mcp_table_name(tool->object);
	char	   *row;

	row = run_returning(tool,
						given == NIL ? psprintf("INSERT INTO %s AS t DEFAULT VALUES", table) :
						psprintf("INSERT INTO %s AS t (%s) SELECT %s FROM %s",
								 table, names_of(given, ""), names_of(given, "f."),
								 crm_mcp_record(given)),
						arguments);
	if (row == NULL)
		report_suppressed(tool);
	return row;
}

static List *
update_properties(McpTool *tool)
{
	List	   *properties = list_make1(key_property(tool));
	McpColumn  *version = crm_mcp_find_column(tool->columns, "version");
	ListCell   *cell;

	foreach(cell, tool->columns)
	{
		McpColumn  *column = lfirst(cell);
		McpProperty *property;

		if (!column->can_update || column->generated ||
			is_one_of(column->property.name, fixed_columns, lengthof(fixed_columns)) ||
			is_one_of(column->property.name, kept_columns, lengthof(kept_columns)))
			continue;
		property = crm_mcp_copy_property(column);
		property->fallback = NULL;
		properties = lappend(properties, property);
	}
	if (version != NULL && version->can_select && version->property.type == INT4OID)
		properties = lappend(properties,
							 crm_mcp_make_property("expected_version", INT4OID,
												   "The version that the change is meant for; if the row has another one by now, nothing changes"));
	return properties;
}

static char *
call_update(McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = NIL;
	bool		versioned = false;
	char	   *table = crm_mcp_table_name(tool->object);
	char	   *row;
	ListCell   *cell;

	foreach(cell, crm_mcp_given(arguments, properties, true))
	{
		McpProperty *property = lfirst(cell);

		if (property->column)
			given = lappend(given, property);
		else if (strcmp(property->name, "expected_version") == 0)
			versioned = true;
	}
	if (given == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to update"),
				 errhint("Give the columns to change beside id.")));
	row = run_returning(tool,
						psprintf("UPDATE %s AS t SET (%s) = (SELECT %s FROM %s) WHERE %s%s",
								 table, names_of(given, ""), names_of(given, "f."),
								 crm_mcp_record(given), by_key(),
								 versioned ? " AND t.version OPERATOR(pg_catalog.=) (SELECT k.expected_version FROM pg_catalog.jsonb_to_record($1) AS k(expected_version pg_catalog.int4))" : ""),
						arguments);
	if (row != NULL)
		return row;
	if (crm_mcp_run(psprintf("SELECT t." KEY " FROM %s AS t WHERE %s", table, by_key()), arguments) == NULL)
		report_not_found(tool, arguments);
	if (!versioned)
		report_suppressed(tool);
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("%s %s is not of the expected version", table_of(tool)->singular,
					crm_mcp_argument(arguments, KEY)),
			 errhint("Somebody changed it: get it again.")));
}

static char *
call_delete(McpTool *tool, Jsonb *arguments, List *properties)
{
	char	   *row = run_returning(tool,
									psprintf("DELETE FROM %s AS t WHERE %s",
											 crm_mcp_table_name(tool->object), by_key()),
									arguments);

	if (row == NULL)
		report_not_found(tool, arguments);
	return row;
}

static const McpToolKind list_kind = {list_properties, call_list};
static const McpToolKind get_kind = {key_properties, call_get};
static const McpToolKind create_kind = {create_properties, call_create};
static const McpToolKind update_kind = {update_properties, call_update};
static const McpToolKind delete_kind = {key_properties, call_delete};

/* What the caller may do with a table. */
typedef struct Rights
{
	bool		read;
	bool		create;
	bool		update;
	bool		delete;
} Rights;

static Rights
rights_on(Oid table, List *columns)
{
	McpColumn  *key = crm_mcp_find_column(columns, KEY);
	Rights		rights = {0};
	ListCell   *cell;

	if (key == NULL || key->property.type != UUIDOID)
		return rights;
	rights.read = key->can_select;
	rights.create = true;
	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);

		if (column->not_null && !column->has_default && !column->can_insert)
			rights.create = false;
		rights.update |= rights.read && column->can_update &&
			!is_one_of(column->property.name, fixed_columns, lengthof(fixed_columns));
	}
	rights.delete = rights.read &&
		pg_class_aclcheck(table, GetUserId(), ACL_DELETE) == ACLCHECK_OK;
	return rights;
}

static McpTool *
make_tool(Oid relid, List *columns, const McpToolKind *kind, char *name, char *title,
		  char *description)
{
	McpTool    *tool = palloc0(sizeof(McpTool));
	char	   *comment = GetComment(relid, RelationRelationId, 0);

	tool->name = name;
	tool->title = title;
	tool->description = comment ? psprintf("%s\n\n%s", description, comment) : description;
	tool->kind = kind;
	tool->object = relid;
	tool->columns = columns;
	tool->read_only = kind == &list_kind || kind == &get_kind;
	tool->destructive = kind == &update_kind || kind == &delete_kind;
	tool->idempotent = kind == &update_kind || kind == &delete_kind;
	return tool;
}

/* The tools of a table that the caller may use. */
static List *
tools_of(const McpTable *table, Oid relid)
{
	const char *name = table->name;
	const char *one = table->singular;
	List	   *columns = crm_mcp_columns(relid);
	Rights		rights = rights_on(relid, columns);
	List	   *tools = NIL;

	if (rights.read)
	{
		tools = lappend(tools, make_tool(relid, columns, &list_kind,
										 psprintf("%s_list", name),
										 psprintf("List %s", name),
										 psprintf("Lists %s in the order of their ids, which is that of their creation, a page at a time: items and, if there are more, next_cursor.", name)));
		tools = lappend(tools, make_tool(relid, columns, &get_kind,
										 psprintf("%s_get", name),
										 psprintf("Get a %s", one),
										 psprintf("Returns the %s of that id.", one)));
	}
	if (rights.create)
		tools = lappend(tools, make_tool(relid, columns, &create_kind,
										 psprintf("%s_create", name),
										 psprintf("Create a %s", one),
										 psprintf("Creates a %s and returns it. With an id of your own choice it can be tried again without making a second one.", one)));
	if (rights.update)
		tools = lappend(tools, make_tool(relid, columns, &update_kind,
										 psprintf("%s_update", name),
										 psprintf("Update a %s", one),
										 psprintf("Changes what is given of the %s of that id, leaves the rest, and returns it.", one)));
	if (rights.delete)
		tools = lappend(tools, make_tool(relid, columns, &delete_kind,
										 psprintf("%s_delete", name),
										 psprintf("Delete a %s", one),
										 psprintf("Deletes the %s of that id and returns what it was.", one)));
	return tools;
}

/* The tools of the tables; SPI must be connected. */
List *
crm_mcp_table_tools(Oid schema, const char *name)
{
	List	   *tools = NIL;

	for (int i = 0; i < lengthof(tables); i++)
	{
		Oid			relid;

		/* They are called after their tables. */
		if (name != NULL && strncmp(name, tables[i].name, strlen(tables[i].name)) != 0)
			continue;
		relid = get_relname_relid(tables[i].name, schema);
		if (OidIsValid(relid))
			tools = list_concat(tools, tools_of(&tables[i], relid));
	}
	return tools;
}
