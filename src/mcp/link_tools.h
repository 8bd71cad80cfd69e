/*
 * mcp/link_tools.h
 *		The tools that link a deal to something, and unlink it.
 */
#ifndef CRM_MCP_LINK_TOOLS_H
#define CRM_MCP_LINK_TOOLS_H

#include "mcp/tool.h"

/* All of them or, given a name, at least the one of that name; needs a connection to SPI. */
extern List *crm_mcp_link_tools(Oid schema, const char *name);

#endif							/* CRM_MCP_LINK_TOOLS_H */
