/*
 * mcp/protocol.h
 *		The methods of MCP.
 */
#ifndef CRM_MCP_PROTOCOL_H
#define CRM_MCP_PROTOCOL_H

#include "mcp/message.h"

/* Answers a request.  May fail: then reply->calling says whose fault it is. */
extern void crm_mcp_answer(Oid schema, McpMessage *message, McpReply *reply);

/* Whether the protocol's revision, by the request's header, has batches. */
extern bool crm_mcp_batches_allowed(void);

/* A failed tool's result. */
extern char *crm_mcp_failure(ErrorData *error, bool modern);

#endif							/* CRM_MCP_PROTOCOL_H */
