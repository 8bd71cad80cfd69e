/*
 * mcp/catalog.c
 *		The tools that a CRM has for the caller, read from the system catalogs.
 *
 * Tools stand for tables (mcp/table_tools.c), for links between them
 * (mcp/link_tools.c), for functions that are marked as tools
 * (mcp/function_tools.c) or as reports (mcp/report_tools.c), and for finding rows by
 * words (mcp/find_tools.c).  A tool that the caller has no right to use is not
 * listed, and is unknown when called.
 */
#include "postgres.h"

#include "mcp/catalog.h"
#include "mcp/find_tools.h"
#include "mcp/function_tools.h"
#include "mcp/link_tools.h"
#include "mcp/report_tools.h"
#include "mcp/table_tools.h"

static int
compare_tools(const ListCell *a, const ListCell *b)
{
	return strcmp(((McpTool *) lfirst(a))->name, ((McpTool *) lfirst(b))->name);
}

static McpTool *
find(List *tools, const char *name)
{
	ListCell   *cell;

	foreach(cell, tools)
	{
		McpTool    *tool = lfirst(cell);

		if (strcmp(tool->name, name) == 0)
			return tool;
	}
	return NULL;
}

/*
 * All tools or, given a name, at least the one of that name.  A function takes
 * precedence over a generated tool of the same name.
 */
static List *
collect(Oid schema, const char *name)
{
	List	   *tools = crm_mcp_group_reports(crm_mcp_function_tools(schema));
	List	   *generated = list_concat(crm_mcp_table_tools(schema, name),
										crm_mcp_link_tools(schema, name));
	ListCell   *cell;

	generated = list_concat(generated, crm_mcp_find_tools(schema, name));
	foreach(cell, generated)
	{
		McpTool    *tool = lfirst(cell);

		if (find(tools, tool->name) == NULL)
			tools = lappend(tools, tool);
	}
	return tools;
}

List *
crm_mcp_tools(Oid schema)
{
	List	   *tools = collect(schema, NULL);

	list_sort(tools, compare_tools);
	return tools;
}

McpTool *
crm_mcp_find_tool(Oid schema, const char *name)
{
	return find(collect(schema, name), name);
}
