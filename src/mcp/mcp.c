/*
 * mcp/mcp.c
 *		The entry points of MCP (Model Context Protocol): a JSON-RPC message
 *		in, a reply out.
 *
 * mcp/message.c parses a message, and mcp/protocol.c answers its method.  It finds
 * tools in mcp/catalog.c, which collects them from table_tools, link_tools,
 * function_tools, report_tools and find_tools.  mcp/arguments.c and mcp/resolve.c
 * read the arguments of a tool, and mcp/text.c makes the text of its result.  Only
 * mcp/http.c knows of HTTP.
 *
 * A message is input from outside, so the answer to any message is a JSON-RPC reply.
 * Each request runs in a subtransaction, so that a failed one leaves nothing behind.
 * Only these are raised as errors: a cancelled query, the end of the session, lack
 * of memory.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "base/subtransaction.h"
#include "mcp/http.h"
#include "mcp/message.h"
#include "mcp/protocol.h"

/* Whether an error is raised instead of turned into a reply. */
static bool
is_fatal(ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_OUT_OF_MEMORY:
			return true;
		default:
			return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
				ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_CONNECTION_EXCEPTION;
	}
}

/* The reply to a failed request; if a tool failed, it is a result with isError. */
static void
reply_to_failure(McpReply *reply, ErrorData *error)
{
	bool		internal = ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTERNAL_ERROR;

	if (reply->calling && !internal)
	{
		crm_mcp_result(reply, crm_mcp_failure(error, reply->modern));
		reply->status = 200;
		return;
	}
	crm_mcp_error(reply, MCP_INTERNAL_ERROR, 200, "Internal error: %s", error->message);
	reply->data = MemoryContextStrdup(reply->context,
									  psprintf("{\"code\":\"%s\"}",
											   unpack_sql_state(error->sqlerrcode)));
}

/* A request, and where its reply goes. */
typedef struct Request
{
	Oid			schema;
	McpMessage *message;
	McpReply   *reply;
} Request;

static void
answer(void *arg)
{
	const Request *request = arg;

	SPI_connect();
	crm_mcp_answer(request->schema, request->message, request->reply);
	SPI_finish();
}

/* Answers a request in a subtransaction of its own. */
static void
answer_safely(Oid schema, McpMessage *message, McpReply *reply)
{
	Request		request = {schema, message, reply};
	ErrorData  *error = crm_try(answer, &request, true);

	if (error == NULL)
		return;
	if (is_fatal(error))
		ReThrowError(error);
	reply_to_failure(reply, error);
}

/*
 * Appends the reply to one message, nothing if it is a notification; returns the
 * HTTP status.
 */
static int
handle(Oid schema, JsonbContainer *container, bool in_batch, StringInfo out)
{
	McpMessage	message;
	McpReply	reply = {.context = CurrentMemoryContext,.status = 200};

	crm_mcp_read_message(container, &message);
	switch (message.kind)
	{
		case MCP_NO_REPLY:
			return 202;
		case MCP_INVALID:
			crm_mcp_error(&reply, MCP_INVALID_REQUEST, 400, "Invalid request: %s", message.problem);
			break;
		case MCP_REQUEST:
			if (in_batch && strcmp(message.method, "initialize") == 0)
				crm_mcp_error(&reply, MCP_INVALID_REQUEST, 400,
							  "Invalid request: initialize must not be in a batch");
			else
				answer_safely(schema, &message, &reply);
			break;
	}
	crm_mcp_append_reply(out, message.id, &reply);
	return reply.status;
}

/* Appends an error as the reply to a message that is not a valid request. */
static int
refuse(StringInfo out, const char *id, int code, int status, const char *message)
{
	McpReply	reply = {.context = CurrentMemoryContext};

	crm_mcp_error(&reply, code, status, "%s", message);
	crm_mcp_append_reply(out, id, &reply);
	return status;
}

/* Appends the replies to the messages of an array, as an array. */
static int
handle_batch(Oid schema, JsonbContainer *batch, StringInfo out)
{
	uint32		count = JsonContainerSize(batch);

	if (!crm_mcp_batches_allowed())
		return refuse(out, "null", MCP_INVALID_REQUEST, 400,
					  "Invalid request: this revision of MCP has no batches");
	if (count == 0)
		return refuse(out, "null", MCP_INVALID_REQUEST, 400,
					  "Invalid request: the batch is empty");
	for (uint32 i = 0; i < count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(batch, i);
		StringInfoData reply;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&reply);
		(void) handle(schema, &JsonbValueToJsonb(element)->root, true, &reply);
		if (reply.len > 0)
			appendStringInfo(out, "%s%s", out->len > 0 ? "," : "[", reply.data);
		pfree(reply.data);
	}
	if (out->len == 0)
		return 202;
	appendStringInfoChar(out, ']');
	return 200;
}

/*
 * crm_mcp(crm regnamespace, message json) -> json
 *		Answers a message of MCP for the CRM in that schema; NULL if the message
 *		needs no answer.
 */
PG_FUNCTION_INFO_V1(crm_mcp);
Datum
crm_mcp(PG_FUNCTION_ARGS)
{
	Oid			schema = PG_GETARG_OID(0);
	char	   *json = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *problem;
	char	   *id;
	Jsonb	   *message;
	StringInfoData out;
	int			status;

	initStringInfo(&out);
	if (!crm_mcp_origin_allowed())
		status = refuse(&out, "null", MCP_INVALID_REQUEST, 403, "Origin is not allowed");
	else if ((message = crm_mcp_parse(json, &problem, &id)) == NULL)
		status = refuse(&out, id, MCP_PARSE_ERROR, 400, psprintf("Parse error: %s", problem));
	else if (JB_ROOT_IS_ARRAY(message) && !JB_ROOT_IS_SCALAR(message))
		status = handle_batch(schema, &message->root, &out);
	else
		status = handle(schema, &message->root, false, &out);

	crm_mcp_set_status(status);
	if (out.len == 0)
		PG_RETURN_NULL();
	crm_mcp_set_content_type(false);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * crm_mcp_no_message() -> json
 *		Answers an HTTP request without a message: a GET, which asks for a
 *		stream that we do not offer, or a POST in which PostgREST found no
 *		message.
 */
PG_FUNCTION_INFO_V1(crm_mcp_no_message);
Datum
crm_mcp_no_message(PG_FUNCTION_ARGS)
{
	const char *method = GetConfigOption("request.method", true, false);
	bool		post = method != NULL && strcmp(method, "POST") == 0;
	StringInfoData out;

	initStringInfo(&out);
	if (!crm_mcp_origin_allowed())
		crm_mcp_set_status(refuse(&out, "null", MCP_INVALID_REQUEST, 403, "Origin is not allowed"));
	else if (post)
		crm_mcp_set_status(refuse(&out, "null", MCP_INVALID_REQUEST, 400,
								  "Invalid request: a message must be an object"));
	else
	{
		crm_mcp_set_status(refuse(&out, "null", MCP_INVALID_REQUEST, 405,
								  "Method not allowed: send messages by POST"));
		crm_mcp_add_response_header("Allow", "POST");
	}
	crm_mcp_set_content_type(crm_mcp_over_http());
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}
