/*
 * mcp/query.h
 *		Statements that the tools run, and the rows that they return.
 *
 * All of it needs a connection to SPI.
 */
#ifndef CRM_MCP_QUERY_H
#define CRM_MCP_QUERY_H

#include "utils/jsonb.h"

/* Runs a query of ours on the catalogs: the caller's search_path cannot change its meaning. */
extern void crm_mcp_catalog_query(const char *query, int nargs, Oid *types, Datum *args);

/* A field of a row of the last query, as text; NULL if it is null. */
extern char *crm_mcp_field(uint64 row, int column);
extern bool crm_mcp_flag(uint64 row, int column);
extern Oid	crm_mcp_oid(uint64 row, int column);

/*
 * Runs a statement whose $1 is the arguments, with the caller's rights and
 * search_path.  Returns the first field of its first row; NULL if there is no
 * row, or the field is null.
 */
extern char *crm_mcp_run(const char *statement, Jsonb *arguments);

#endif							/* CRM_MCP_QUERY_H */
