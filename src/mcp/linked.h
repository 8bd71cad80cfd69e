/*
 * mcp/linked.h
 *		Relations whose rows have names: tables of the CRM, and views of tables
 *		that are linked to it.
 */
#ifndef CRM_MCP_LINKED_H
#define CRM_MCP_LINKED_H

typedef struct McpNamed
{
	Oid			relid;
	char	   *relation;		/* its name, quoted and qualified */
	char	   *label;			/* an expression over t: the row's name */
	char	   *text;			/* an expression over t: what a search looks
								 * in */
	bool		has_archived;
	bool		has_pipeline;
} McpNamed;

/*
 * The relation of that name in the CRM's schema: a table, or the view of a linked
 * one.  False if it is not there, the caller may not read it, or it has no column
 * that could be a name.
 */
extern bool crm_mcp_named(Oid schema, const char *relation, McpNamed *named);

#endif							/* CRM_MCP_LINKED_H */
