/*
 * mcp/resources.h
 *		What clients can read without a tool: the pipelines and a data dictionary.
 *
 * Needs a connection to SPI.
 */
#ifndef CRM_MCP_RESOURCES_H
#define CRM_MCP_RESOURCES_H

#include "lib/stringinfo.h"

/* Appends the resources that the caller may read, an array. */
extern void crm_mcp_append_resources(StringInfo out, Oid schema);

/* Appends the contents of a resource, an array; false if there is none of that URI. */
extern bool crm_mcp_append_contents(StringInfo out, Oid schema, const char *uri);

#endif							/* CRM_MCP_RESOURCES_H */
