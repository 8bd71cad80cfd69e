/*
 * mcp/protocol.h
 *		The methods of MCP.
 */
#ifndef CRM_MCP_PROTOCOL_H
#define CRM_MCP_PROTOCOL_H

#include "mcp/message.h"

/* Answers a request.  If it raises an error, reply->calling says whether a tool did. */
extern void crm_mcp_answer(Oid schema, McpMessage *message, McpReply *reply);

/* Whether the protocol's revision, which the request's header names, has batches. */
extern bool crm_mcp_batches_allowed(void);

/* The result of a failed tool. */
extern char *crm_mcp_failure(ErrorData *error, bool modern);

#endif							/* CRM_MCP_PROTOCOL_H */
