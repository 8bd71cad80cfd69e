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
	char	   *id;				/* as JSON; "null" if there is none to repeat */
	char	   *method;
	JsonbContainer *params;		/* NULL if there are none */
	const char *problem;		/* what is wrong with an MCP_INVALID one */
} McpMessage;

/*
 * What is sent back: a result or an error, both JSON in the memory context
 * named here, which outlives an error.
 */
typedef struct McpReply
{
	MemoryContext context;
	char	   *result;			/* NULL: an error */
	int			code;			/* of the error */
	char	   *message;
	char	   *data;			/* JSON, or NULL */
	int			status;			/* of HTTP */
	bool		modern;			/* the request was of the stateless revision */
	bool		calling;		/* a tool runs: errors are the tool's */
} McpReply;

/* The text of a json, as jsonb; NULL, with the problem, if that cannot be. */
extern Jsonb *crm_mcp_parse(const char *json, const char **problem, char **id);
extern void crm_mcp_read_message(JsonbContainer *container, McpMessage *message);

/* Whether there is such a member; its value is then set. */
extern bool crm_mcp_member(JsonbContainer *object, const char *name, JsonbValue *value);

/* The member as text, NULL if it is missing or no string. */
extern char *crm_mcp_string(JsonbContainer *object, const char *name);

/* The member as an object, NULL if it is missing or none. */
extern JsonbContainer *crm_mcp_object(JsonbContainer *object, const char *name);

extern void crm_mcp_result(McpReply *reply, const char *result);
extern void crm_mcp_error(McpReply *reply, int code, int status,
						  const char *format,...) pg_attribute_printf(4, 5);
extern void crm_mcp_append_reply(StringInfo out, const char *id, McpReply *reply);

#endif							/* CRM_MCP_MESSAGE_H */
