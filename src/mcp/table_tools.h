/*
 * mcp/table_tools.h
 *		The tools that list, get, create, update and delete rows of a table.
 */
#ifndef CRM_MCP_TABLE_TOOLS_H
#define CRM_MCP_TABLE_TOOLS_H

#include "mcp/tool.h"

/* All of them or, given a name, at least the one of that name; needs a connection to SPI. */
extern List *crm_mcp_table_tools(Oid schema, const char *name);

#endif							/* CRM_MCP_TABLE_TOOLS_H */
