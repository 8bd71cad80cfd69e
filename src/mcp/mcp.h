/*
 * mcp/mcp.h
 *		The Model Context Protocol: JSON-RPC messages in, replies out.
 *
 * Data flows one way: a message is parsed (mcp/message.c), the method answers
 * (mcp/protocol.c), looking tools up in the catalogs (mcp/catalog.c), describing
 * (mcp/schema.c) or calling them (mcp/table_tools.c, mcp/link_tools.c,
 * mcp/function_tools.c); mcp/mcp.c guards all that with a subtransaction, and
 * mcp/http.c tells what the HTTP request was and sets the response's status.
 */
#ifndef CRM_MCP_MCP_H
#define CRM_MCP_MCP_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* The error codes of JSON-RPC and of MCP. */
#define MCP_PARSE_ERROR				(-32700)
#define MCP_INVALID_REQUEST			(-32600)
#define MCP_METHOD_NOT_FOUND		(-32601)
#define MCP_INVALID_PARAMS			(-32602)
#define MCP_INTERNAL_ERROR			(-32603)
#define MCP_HEADER_MISMATCH			(-32020)
#define MCP_UNSUPPORTED_VERSION		(-32022)

/* ---- messages: mcp/message.c ---- */

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

/* ---- HTTP: mcp/http.c ---- */

extern void crm_mcp_define_settings(void);
extern bool crm_mcp_over_http(void);

/* A header of the request (its name in lower case), NULL if there is none. */
extern char *crm_mcp_header(const char *name);
extern bool crm_mcp_origin_allowed(void);

/* Whether the header's value, which may be encoded, is the given one. */
extern bool crm_mcp_header_is(const char *header, const char *value);
extern void crm_mcp_set_status(int status);
extern void crm_mcp_add_response_header(const char *name, const char *value);
extern void crm_mcp_set_content_type(void);

/* ---- methods: mcp/protocol.c ---- */

/* Answers a request.  May fail: then reply->calling says whose fault it is. */
extern void crm_mcp_answer(Oid schema, McpMessage *message, McpReply *reply);

/* Whether the protocol's revision, by the request's header, has batches. */
extern bool crm_mcp_batches_allowed(void);

/* A failed tool's result. */
extern char *crm_mcp_failure(ErrorData *error, bool modern);

/* ---- tools: mcp/catalog.c ---- */

/* A member of a tool's arguments. */
typedef struct McpProperty
{
	const char *name;
	Oid			type;
	int32		typmod;
	const char *description;	/* NULL if there is none */
	List	   *choices;		/* of strings; NIL: anything */
	const char *fallback;		/* its default as JSON, NULL if there is none */
	const char *limits;			/* further members of its schema, or NULL */
	bool		required;
	bool		nullable;
	bool		is_object;
	bool		column;			/* of the tool's table, else of the tool
								 * itself */
} McpProperty;

typedef struct McpTool McpTool;

/* What the tools of a kind have in common. */
typedef struct McpToolKind
{
	/* the arguments: a list of McpProperty */
	List	   *(*properties) (McpTool *tool);
	/* calls it with checked arguments; returns JSON */
	char	   *(*call) (McpTool *tool, Jsonb *arguments, List *properties);
} McpToolKind;

struct McpTool
{
	const char *name;
	const char *title;
	const char *description;
	const McpToolKind *kind;
	Oid			object;			/* the table or the function */
	List	   *columns;		/* of the table */
	const struct McpLink *link; /* of a tool that links and unlinks */
	bool		read_only;
	bool		destructive;
	bool		idempotent;
};

/* An argument of a tool's own, that is no column. */
extern McpProperty *crm_mcp_make_property(const char *name, Oid type, const char *description);

/* The tools that the caller may use, by name. */
extern List *crm_mcp_tools(Oid schema);
extern McpTool *crm_mcp_find_tool(Oid schema, const char *name);
extern void crm_mcp_describe_tool(StringInfo out, McpTool *tool);

/* Calls a tool with an object of arguments; returns JSON, an object. */
extern char *crm_mcp_call_tool(McpTool *tool, Jsonb *arguments);

/* A query of ours on the catalogs; needs a connection to SPI. */
extern void crm_mcp_catalog_query(const char *query, int nargs, Oid *types, Datum *args);

/* A field of the row of the last query as text, NULL if it is null. */
extern char *crm_mcp_field(uint64 row, int column);
extern bool crm_mcp_flag(uint64 row, int column);
extern Oid	crm_mcp_oid(uint64 row, int column);

/* ---- JSON Schema: mcp/schema.c ---- */

extern void crm_mcp_append_schema(StringInfo out, McpProperty *property);

/* The strings that a CHECK's expression, or an enum, allows; else NIL. */
extern List *crm_mcp_choices_of_check(const char *expression);
extern bool crm_mcp_check_wants_object(const char *expression);
extern List *crm_mcp_choices_of_type(Oid type);

/* A constant expression as JSON; NULL if it is none, or null. */
extern char *crm_mcp_constant(Node *node);
extern const char *crm_mcp_type_name(Oid type, int32 typmod);

/* ---- tables: mcp/columns.c ---- */

typedef struct McpColumn
{
	McpProperty property;
	bool		not_null;
	bool		has_default;
	bool		generated;
	bool		indexed;
	bool		can_select;
	bool		can_insert;
	bool		can_update;
} McpColumn;

/* The columns of a table, a list of McpColumn, without tenant_id. */
extern List *crm_mcp_columns(Oid table);
extern McpColumn *crm_mcp_find_column(List *columns, const char *name);

/* "t.a, t.b": what the caller may read; NULL if that is nothing. */
extern char *crm_mcp_readable(List *columns);

/* jsonb_to_record($1) AS f(...) of the properties; empty without any. */
extern char *crm_mcp_record(List *properties);

/* The properties that the arguments hold. */
extern List *crm_mcp_given(Jsonb *arguments, List *properties, bool nulls);
extern char *crm_mcp_table_name(Oid table);

/* Runs a statement whose $1 is the arguments; the first field of its row. */
extern char *crm_mcp_run(const char *statement, Jsonb *arguments);

/* The argument, a string; NULL if it is not given. */
extern char *crm_mcp_argument(Jsonb *arguments, const char *name);

/* A property like the column's, for the caller to change. */
extern McpProperty *crm_mcp_copy_property(McpColumn *column);

/*
 * ---- kinds of tools: mcp/table_tools.c, mcp/link_tools.c,
 * mcp/function_tools.c ----
 *
 * All of them or, given a name, at least the one called that.
 */

extern List *crm_mcp_table_tools(Oid schema, const char *name);
extern List *crm_mcp_link_tools(Oid schema, const char *name);
extern List *crm_mcp_function_tools(Oid schema);

#endif							/* CRM_MCP_MCP_H */
