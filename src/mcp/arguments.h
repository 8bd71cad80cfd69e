/*
 * mcp/arguments.h
 *		The arguments of a call: checked, and put into the form that SQL reads.
 */
#ifndef CRM_MCP_ARGUMENTS_H
#define CRM_MCP_ARGUMENTS_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/compat.h"

#define MCP_DEFAULT_LIMIT	20
#define MCP_MAX_LIMIT		100

/* What is called. */
typedef struct McpCallee
{
	const char *name;
	bool		is_report;		/* of the tool for reports; else a tool */
	bool		of_reports;		/* a tool for reports: the report that is
								 * asked for checks their values */
	bool		writes;
	Oid			schema;			/* of the CRM */
} McpCallee;

/*
 * The arguments with integers for 2.0 and "2", an array in place of a single value where
 * an array is expected, and ids in place of names (crm_mcp_resolve(); exact if it
 * writes).  ERROR 22023 for an argument that it does not have, for one that is
 * missing, and for a value that is not of its type.
 */
extern Jsonb *crm_mcp_check_arguments(const McpCallee *callee, Jsonb *arguments,
									  List *properties);

/* The properties limit and cursor. */
extern List *crm_mcp_page_properties(List *properties);

/* The argument limit; ERROR 22023 if it is out of bounds. */
extern int	crm_mcp_limit(Jsonb *arguments);

/* A boolean argument; false if it is not given. */
extern bool crm_mcp_is_true(Jsonb *arguments, const char *name);

/* ERROR 22023: the cursor is not valid. */
pg_noreturn extern void crm_mcp_invalid_cursor(void);

#endif							/* CRM_MCP_ARGUMENTS_H */
