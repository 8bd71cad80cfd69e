/*
 * mcp/reference.h
 *		Which arguments are ids of rows, and of which relation.
 */
#ifndef CRM_MCP_REFERENCE_H
#define CRM_MCP_REFERENCE_H

/* A kind of rows that arguments refer to. */
typedef struct McpReference
{
	const char *what;			/* one row */
	const char *relation;		/* of the CRM's schema */
	const char *tool;			/* that lists them */
} McpReference;

/* By the name of an argument and its type, uuid or an array of it; else NULL. */
extern const McpReference *crm_mcp_reference_of(const char *argument, Oid type);

/* By the relation; NULL if none. */
extern const McpReference *crm_mcp_reference_to(const char *relation);

/* Each kind, in the order in which their names are to be looked up; NULL after the last. */
extern const McpReference *crm_mcp_reference(int number);

#endif							/* CRM_MCP_REFERENCE_H */
