/*
 * mcp/resolve.h
 *		Names in place of ids: finding the rows that have them.
 *
 * Needs a connection to SPI.
 */
#ifndef CRM_MCP_RESOLVE_H
#define CRM_MCP_RESOLVE_H

#include "utils/jsonb.h"

#include "mcp/reference.h"
#include "mcp/schema.h"

/*
 * The arguments, an object, with the ids in place of names.  ERROR 22023 for a
 * name that is not that of one row, and PT404 for an id that is no row's, as far
 * as the caller may read the relation; the detail names candidates, the hint the
 * tool that lists them.  A name that is part of just one row's is enough if exact
 * is false.
 */
extern Jsonb *crm_mcp_resolve(Oid schema, Jsonb *arguments, List *properties, bool exact);

#endif							/* CRM_MCP_RESOLVE_H */
