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
 * The arguments, an object, with ids in place of names.  ERROR 22023 for a name that
 * no row or several rows have, and PT404 for an id that no row has, as far as the
 * caller may read the relation; the detail lists candidates, the hint names the tool
 * that finds rows.  If exact is false, a part of a name is enough if just one row has
 * it.
 */
extern Jsonb *crm_mcp_resolve(Oid schema, Jsonb *arguments, List *properties, bool exact);

#endif							/* CRM_MCP_RESOLVE_H */
