/*
 * mcp/table.h
 *		A table whose rows have tools of their own.
 */
#ifndef CRM_MCP_TABLE_H
#define CRM_MCP_TABLE_H

#include "mcp/tool.h"

/* The primary key of these tables. */
#define MCP_KEY			"id"

typedef struct McpTable
{
	const char *name;
	const char *singular;
	const char *label;			/* the column that holds a row's name */
	const char *order[2];		/* of lists, before the id; the columns are
								 * never null */
	bool		wide;			/* of many columns: its list has ranges,
								 * orders and fields */
} McpTable;

#endif							/* CRM_MCP_TABLE_H */
