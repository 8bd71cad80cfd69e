/*
 * mcp/message.h
 *		JSON-RPC 2.0: messages that are read and replies that are written.
 */
#ifndef CRM_MCP_MESSAGE_H
#define CRM_MCP_MESSAGE_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* The error codes of JSON-RPC and of MCP. */
#define MCP_PARSE_ERROR				(-32700)
#define MCP_INVALID_REQUEST			(-32600)
#define MCP_METHOD_NOT_FOUND		(-32601)
#define MCP_INVALID_PARAMS			(-32602)
#define MCP_INTERNAL_ERROR			(-32603)
#define MCP_RESOURCE_NOT_FOUND		(-32002)
#define MCP_HEADER_MISMATCH			(-32020)
#define MCP_UNSUPPORTED_VERSION		(-32022)

typedef enum McpMessageKind
{
	MCP_REQUEST,
	MCP_NO_REPLY,				/* a notification, or a response */
	MCP_INVALID
} McpMessageKind;

typedef struct McpMessage
{
	McpMessageKind kind;
	char	   *id;				/* as JSON; "null" if there is none */
	char	   *method;
	JsonbContainer *params;		/* NULL if there are none */
	const char *problem;		/* why a message is MCP_INVALID */
} McpMessage;

/*
 * The reply: a result or an error.  Both are kept in a memory context that
 * outlives an error in the request.
 */
typedef struct McpReply
{
	MemoryContext context;
	char	   *result;			/* NULL: an error */
	int			code;			/* of the error */
	char	   *message;
	char	   *data;			/* JSON, or NULL */
	int			status;			/* HTTP status */
	bool		modern;			/* the request is of the stateless revision */
	bool		calling;		/* a tool is running: errors are the tool's */
} McpReply;

/* Parses a json; NULL, with *problem and *id set, if jsonb cannot hold it. */
extern Jsonb *crm_mcp_parse(const char *json, const char **problem, char **id);
extern void crm_mcp_read_message(JsonbContainer *container, McpMessage *message);

/* Whether the object has that member; sets *value. */
extern bool crm_mcp_member(JsonbContainer *object, const char *name, JsonbValue *value);

/* The member as text, NULL if it is missing or not a string. */
extern char *crm_mcp_string(JsonbContainer *object, const char *name);

/* The member as an object, NULL if it is missing or not an object. */
extern JsonbContainer *crm_mcp_object(JsonbContainer *object, const char *name);

/* Appends "name": "value" to an object that is being written. */
extern void crm_mcp_append_member(StringInfo out, const char *name, const char *value);

/* Makes the result, which is JSON, the reply. */
extern void crm_mcp_result(McpReply *reply, const char *result);

/* Makes an error the reply, without data: the caller may set reply->data. */
extern void crm_mcp_error(McpReply *reply, int code, int status,
						  const char *format,...) pg_attribute_printf(4, 5);

/* Appends the reply as a JSON-RPC response; id is JSON. */
extern void crm_mcp_append_reply(StringInfo out, const char *id, McpReply *reply);

#endif							/* CRM_MCP_MESSAGE_H */
