/*
 * mcp/row_tools.h
 *		The tools that get, create, update and delete a row of a table.
 */
#ifndef CRM_MCP_ROW_TOOLS_H
#define CRM_MCP_ROW_TOOLS_H

#include "mcp/columns.h"
#include "mcp/tool.h"

extern const McpToolKind crm_mcp_get_kind;
extern const McpToolKind crm_mcp_create_kind;
extern const McpToolKind crm_mcp_update_kind;
extern const McpToolKind crm_mcp_delete_kind;

/* Whether the update tool has the column as an argument. */
extern bool crm_mcp_can_change(McpColumn *column);

#endif							/* CRM_MCP_ROW_TOOLS_H */
