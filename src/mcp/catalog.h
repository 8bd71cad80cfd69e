/*
 * mcp/catalog.h
 *		The tools that a CRM has for the caller.
 *
 * Needs a connection to SPI.
 */
#ifndef CRM_MCP_CATALOG_H
#define CRM_MCP_CATALOG_H

#include "mcp/tool.h"

/* The tools that the caller may use, in the order of their names. */
extern List *crm_mcp_tools(Oid schema);

/* The tool of that name; NULL if there is none that the caller may use. */
extern McpTool *crm_mcp_find_tool(Oid schema, const char *name);

#endif							/* CRM_MCP_CATALOG_H */
