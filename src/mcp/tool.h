/*
 * mcp/tool.h
 *		Describing a tool to a client, and calling it.
 */
#ifndef CRM_MCP_TOOL_H
#define CRM_MCP_TOOL_H

#include "mcp/schema.h"
#include "utils/jsonb.h"

/* The schemas of what tools return. */
#define MCP_OBJECT_OUTPUT	"{\"type\":\"object\"}"
#define MCP_LIST_OUTPUT		"{\"type\":\"object\",\"properties\":{" \
	"\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"

typedef struct McpTool McpTool;

/* What the tools of a kind have in common. */
typedef struct McpToolKind
{
	/* the arguments: a list of McpProperty */
	List	   *(*properties) (McpTool *tool);
	/* calls it with checked arguments; returns JSON */
	char	   *(*call) (McpTool *tool, Jsonb *arguments, List *properties);

	/*
	 * the schema of what it returns, without required members: an error has
	 * none of them
	 */
	char	   *(*output) (McpTool *tool);
} McpToolKind;

struct McpTool
{
	const char *name;
	const char *title;
	const char *description;
	const McpToolKind *kind;
	Oid			schema;			/* of the CRM */
	Oid			object;			/* the table or the function */
	List	   *columns;		/* of the table */
	const struct McpTable *table;	/* of a tool for its rows, else NULL */
	const struct McpLink *link; /* of a tool that links or unlinks, else NULL */
	List	   *reports;		/* of a tool for reports: its functions, tools
								 * themselves */
	const char *report;			/* what a function is marked as a report of,
								 * or NULL */
	List	   *others;			/* of a tool for reports: all tools of
								 * functions */
	bool		own_pages;		/* of a function: it makes the pages itself */
	List	   *words;			/* of a function: the lines @param of its
								 * comment */
	const char *comment;		/* and the rest of it */
	bool		read_only;
	bool		destructive;
	bool		idempotent;
};

/* Appends the tool as tools/list shows it. */
extern void crm_mcp_describe_tool(StringInfo out, McpTool *tool);

/*
 * Checks the arguments, an object, and calls the tool with them; returns JSON,
 * an object.  Deferred constraints are checked too.
 */
extern char *crm_mcp_call_tool(McpTool *tool, Jsonb *arguments);

#endif							/* CRM_MCP_TOOL_H */
