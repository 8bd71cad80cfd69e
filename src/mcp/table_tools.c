/*
 * mcp/table_tools.c
 *		The tools that list, get, create, update and delete rows of a table.
 *
 * Their arguments are the table's columns, including those that the user added,
 * as far as the caller may read or write them.  The key is the column id.  Row
 * security, triggers and constraints apply as to any other statement.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "mcp/list_tool.h"
#include "mcp/row_tools.h"
#include "mcp/table.h"
#include "mcp/table_tools.h"
#include "mcp/text.h"

static const McpTable tables[] = {
	{"pipelines", "pipeline", "name"},
	{"stages", "stage", "name", {"pipeline_id", "position"}},
	{"deals", "deal", "title",.wide = true},
	{"tags", "tag", "name"},
};

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
	McpColumn  *key = crm_mcp_find_column(columns, MCP_KEY);
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
		rights.update |= rights.read && crm_mcp_can_change(column);
	}
	rights.delete = rights.read &&
		pg_class_aclcheck(table, GetUserId(), ACL_DELETE) == ACLCHECK_OK;
	return rights;
}

/* The description is a format for the name. */
static McpTool *
make_tool(const McpTable *table, Oid relid, List *columns, const McpToolKind *kind,
		  const char *verb, const char *title, const char *description)
{
	McpTool    *tool = palloc0(sizeof(McpTool));
	char	   *comment = NULL;
	bool		many = kind == &crm_mcp_list_kind;

	if (kind == &crm_mcp_create_kind)
		comment = GetComment(relid, RelationRelationId, 0);
	tool->name = psprintf("%s_%s", table->name, verb);
	tool->title = psprintf("%s %s", title, many ? table->name : table->singular);
	tool->description = psprintf(description, many ? table->name : table->singular);
	if (comment != NULL)
		tool->description = psprintf("%s %s.", tool->description, crm_mcp_first_clause(comment));
	tool->kind = kind;
	tool->schema = get_rel_namespace(relid);
	tool->object = relid;
	tool->columns = columns;
	tool->table = table;
	tool->read_only = kind == &crm_mcp_list_kind || kind == &crm_mcp_get_kind;
	tool->destructive = kind == &crm_mcp_update_kind || kind == &crm_mcp_delete_kind;
	tool->idempotent = kind == &crm_mcp_update_kind || kind == &crm_mcp_delete_kind;
	return tool;
}

/* The tools of a table that the caller may use. */
static List *
tools_of(const McpTable *table, Oid relid)
{
	List	   *columns = crm_mcp_columns(relid);
	Rights		rights = rights_on(relid, columns);
	const struct
	{
		bool		permitted;
		const McpToolKind *kind;
		const char *verb;
		const char *title;
		const char *description;
	}			kinds[] = {
		{rights.read, &crm_mcp_list_kind, "list", "List",
			table->order[0] ? "In the order of each pipeline, a page at a time: items, total and, if there are more, next to pass as cursor." :
		"A page at a time: items, total and, if there are more, next to pass as cursor; arguments choose %s."},
		{rights.read, &crm_mcp_get_kind, "get", "Get a",
		"All columns of one %s."},
		{rights.create, &crm_mcp_create_kind, "create", "Create a",
		"Returns the new %s. If you choose its id, a repeated call cannot create a second one."},
		{rights.update, &crm_mcp_update_kind, "update", "Update a",
		"Changes what is given, null clears it; returns the %s."},
		{rights.delete, &crm_mcp_delete_kind, "delete", "Delete a",
		"Returns the %s that was deleted, as it was."},
	};
	List	   *tools = NIL;

	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (kinds[i].permitted)
			tools = lappend(tools, make_tool(table, relid, columns, kinds[i].kind, kinds[i].verb,
											 kinds[i].title, kinds[i].description));
	}
	return tools;
}

List *
crm_mcp_table_tools(Oid schema, const char *name)
{
	List	   *tools = NIL;

	for (int i = 0; i < lengthof(tables); i++)
	{
		Oid			relid;

		/* The names of tools begin with their table's. */
		if (name != NULL && strncmp(name, tables[i].name, strlen(tables[i].name)) != 0)
			continue;
		relid = get_relname_relid(tables[i].name, schema);
		if (OidIsValid(relid))
			tools = list_concat(tools, tools_of(&tables[i], relid));
	}
	return tools;
}
