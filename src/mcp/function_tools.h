/*
 * mcp/function_tools.h
 *		The tools that are functions of the CRM's schema.
 */
#ifndef CRM_MCP_FUNCTION_TOOLS_H
#define CRM_MCP_FUNCTION_TOOLS_H

#include "mcp/tool.h"

/* All of them; needs a connection to SPI. */
extern List *crm_mcp_function_tools(Oid schema);

/* The names that a function which makes pages has for them, a list of McpRenaming. */
extern List *crm_mcp_page_renamings(McpTool *tool);

#endif							/* CRM_MCP_FUNCTION_TOOLS_H */
