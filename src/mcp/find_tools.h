/*
 * mcp/find_tools.h
 *		The tools that find rows by words: find, and contacts_search.
 */
#ifndef CRM_MCP_FIND_TOOLS_H
#define CRM_MCP_FIND_TOOLS_H

#include "mcp/tool.h"

/* All of them or, given a name, at least the one of that name. */
extern List *crm_mcp_find_tools(Oid schema, const char *name);

#endif							/* CRM_MCP_FIND_TOOLS_H */
