/*
 * mcp/renaming.h
 *		Names that a tool has for what its function calls otherwise.
 */
#ifndef CRM_MCP_RENAMING_H
#define CRM_MCP_RENAMING_H

#include "mcp/tool.h"

typedef struct McpRenaming
{
	const char *own;			/* the function's word */
	const char *here;			/* the tool's */
} McpRenaming;

/* The list with a further renaming. */
extern List *crm_mcp_add_renaming(List *renamings, const char *own, const char *here);

/* The text with the tool's words, in quotes. */
extern char *crm_mcp_rename(const char *text, List *renamings);

/* Calls the tool by the function given; errors have the tool's words. */
extern char *crm_mcp_call_renamed(char *(*call) (McpTool *, Jsonb *, List *), McpTool *tool,
								  Jsonb *arguments, List *properties, List *renamings);

#endif							/* CRM_MCP_RENAMING_H */
