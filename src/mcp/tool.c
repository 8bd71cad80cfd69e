/*
 * mcp/tool.c
 *		Describing a tool to a client, and calling it.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/json.h"

#include "base/query.h"
#include "mcp/arguments.h"
#include "mcp/text.h"
#include "mcp/tool.h"

static void
append_input_schema(StringInfo out, List *properties)
{
	StringInfoData required;
	ListCell   *cell;
	const char *separator = "";

	initStringInfo(&required);
	appendStringInfoString(out, "{\"type\":\"object\",\"properties\":{");
	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		appendStringInfoString(out, separator);
		separator = ",";
		escape_json(out, property->name);
		appendStringInfoChar(out, ':');
		crm_mcp_append_schema(out, property);
		if (!property->required)
			continue;
		if (required.len > 0)
			appendStringInfoChar(&required, ',');
		escape_json(&required, property->name);
	}
	appendStringInfoChar(out, '}');
	if (required.len > 0)
		appendStringInfo(out, ",\"required\":[%s]", required.data);
	appendStringInfoChar(out, '}');
}

void
crm_mcp_describe_tool(StringInfo out, McpTool *tool)
{
	appendStringInfoString(out, "{\"name\":");
	escape_json(out, tool->name);
	appendStringInfoString(out, ",\"title\":");
	escape_json(out, tool->title);
	appendStringInfoString(out, ",\"description\":");
	escape_json(out, crm_mcp_clip(tool->description, MCP_MAX_DESCRIPTION));
	appendStringInfoString(out, ",\"inputSchema\":");
	append_input_schema(out, tool->kind->properties(tool));
	appendStringInfo(out, ",\"outputSchema\":%s", tool->kind->output(tool));
	appendStringInfo(out, ",\"annotations\":{\"readOnlyHint\":%s",
					 tool->read_only ? "true" : "false");
	/* what is not said is destructive and not idempotent */
	if (!tool->read_only && !tool->destructive)
		appendStringInfoString(out, ",\"destructiveHint\":false");
	if (!tool->read_only && tool->idempotent)
		appendStringInfoString(out, ",\"idempotentHint\":true");
	appendStringInfoString(out, ",\"openWorldHint\":false}}");
}

char *
crm_mcp_call_tool(McpTool *tool, Jsonb *arguments)
{
	List	   *properties = tool->kind->properties(tool);
	McpCallee	callee = {tool->name, false, tool->reports != NIL, !tool->read_only, tool->schema};
	char	   *result;

	arguments = crm_mcp_check_arguments(&callee, arguments, properties);
	result = tool->kind->call(tool, arguments, properties);
	/* An error at the end of the transaction would come after the reply. */
	if (!tool->read_only)
		crm_run("SET CONSTRAINTS ALL IMMEDIATE");
	return result;
}
