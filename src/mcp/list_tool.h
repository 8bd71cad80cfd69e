/*
 * mcp/list_tool.h
 *		The tool that lists rows of a table, a page at a time.
 */
#ifndef CRM_MCP_LIST_TOOL_H
#define CRM_MCP_LIST_TOOL_H

#include "mcp/tool.h"

extern const McpToolKind crm_mcp_list_kind;

#endif							/* CRM_MCP_LIST_TOOL_H */
