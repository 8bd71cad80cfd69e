/*
 * mcp/list_filters.h
 *		What the lists of rows can be filtered by.
 */
#ifndef CRM_MCP_LIST_FILTERS_H
#define CRM_MCP_LIST_FILTERS_H

#include "mcp/tool.h"

/* The arguments that choose rows of the tool's table. */
extern List *crm_mcp_filter_properties(McpTool *tool);

/* Appends " AND condition" for each that is given; SQL over t, and $1, the arguments. */
extern void crm_mcp_append_filters(StringInfo query, McpTool *tool, Jsonb *arguments,
								   List *properties);

#endif							/* CRM_MCP_LIST_FILTERS_H */
