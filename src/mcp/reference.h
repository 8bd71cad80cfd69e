/*
 * mcp/reference.h
 *		Arguments that are ids of rows, for which names may be given.
 *
 * Needs a connection to SPI.
 */
#ifndef CRM_MCP_REFERENCE_H
#define CRM_MCP_REFERENCE_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

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

/*
 * The arguments, an object, with the ids in place of names.  ERROR 22023 for a
 * name that is not that of one row, and PT404 for an id that is no row's, as far
 * as the caller may read the relation; the detail names candidates, the hint the
 * tool that lists them.  A name that is part of just one row's is enough if exact
 * is false.
 */
extern Jsonb *crm_mcp_resolve(Oid schema, Jsonb *arguments, List *properties, bool exact);

#endif							/* CRM_MCP_REFERENCE_H */
