/*
 * mcp/message.c
 *		JSON-RPC 2.0: reading messages and writing replies.
 *
 * Reading a message raises no error, whatever it contains, except those of the
 * server itself (out of memory, cancelled).
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "mcp/message.h"

/* Whether the message caused the error, which then becomes a reply. */
static bool
is_fault_of_message(ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_DATA_EXCEPTION ||
		category == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/*
 * json as jsonb; NULL, with *problem set, if jsonb cannot hold it.  jsonb_in()
 * has no side effects, so that this needs no subtransaction.
 */
static Jsonb *
try_jsonb(const char *json, char **problem)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile jsonb = NULL;

	PG_TRY();
	{
		jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (!is_fault_of_message(error))
			ReThrowError(error);
		*problem = error->message;
	}
	PG_END_TRY();
	return jsonb;
}

/* A copy of a json in which each \uXXXX is replaced by \ufffd, which jsonb can hold. */
static char *
without_escapes(const char *json)
{
	char	   *copy = pstrdup(json);

	for (char *c = copy; *c; c++)
	{
		if (*c != '\\')
			continue;
		c++;
		if (*c == 'u' && strlen(c) > 4)
			memcpy(c + 1, "fffd", 4);
	}
	return copy;
}

/*
 * The argument is valid JSON, but jsonb accepts no \u0000, no half of a surrogate
 * pair and no number beyond numeric.  The id is then read from a copy without
 * such escapes, if possible, so that the client knows which request was refused.
 */
Jsonb *
crm_mcp_parse(const char *json, const char **problem, char **id)
{
	char	   *message = NULL;
	Jsonb	   *jsonb = try_jsonb(json, &message);
	McpMessage	salvaged;

	if (jsonb != NULL)
		return jsonb;
	*problem = message;
	*id = pstrdup("null");
	jsonb = try_jsonb(without_escapes(json), &message);
	if (jsonb != NULL)
	{
		crm_mcp_read_message(&jsonb->root, &salvaged);
		*id = salvaged.id;
	}
	return NULL;
}

bool
crm_mcp_member(JsonbContainer *object, const char *name, JsonbValue *value)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return false;
	return getKeyJsonValueFromContainer(object, name, strlen(name), value) != NULL;
}

char *
crm_mcp_string(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (!crm_mcp_member(object, name, &value) || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

void
crm_mcp_append_member(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
	escape_json(out, value);
}

JsonbContainer *
crm_mcp_object(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (!crm_mcp_member(object, name, &value) || value.type != jbvBinary ||
		!JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

/* The id as JSON; NULL if it is neither a string nor an integer. */
static char *
read_id(JsonbValue *value)
{
	StringInfoData json;

	initStringInfo(&json);
	if (value->type == jbvString)
		escape_json(&json, pnstrdup(value->val.string.val, value->val.string.len));
	else if (value->type == jbvNumeric)
	{
		Datum		whole = DirectFunctionCall2(numeric_trunc,
												NumericGetDatum(value->val.numeric),
												Int32GetDatum(0));

		if (!DatumGetBool(DirectFunctionCall2(numeric_eq, whole,
											  NumericGetDatum(value->val.numeric))))
			return NULL;
		appendStringInfoString(&json, DatumGetCString(DirectFunctionCall1(numeric_out, whole)));
	}
	else
		return NULL;
	return json.data;
}

static void
invalid(McpMessage *message, const char *problem)
{
	message->kind = MCP_INVALID;
	message->problem = problem;
}

void
crm_mcp_read_message(JsonbContainer *container, McpMessage *message)
{
	JsonbValue	value;
	bool		has_id;
	char	   *version;

	memset(message, 0, sizeof(*message));
	message->id = pstrdup("null");
	if (!JsonContainerIsObject(container))
	{
		invalid(message, "a message must be an object");
		return;
	}
	has_id = crm_mcp_member(container, "id", &value);
	if (has_id)
	{
		char	   *id = read_id(&value);

		if (id == NULL)
			invalid(message, "id must be a string or a whole number");
		else
			message->id = id;
	}
	version = crm_mcp_string(container, "jsonrpc");
	if (version == NULL || strcmp(version, "2.0") != 0)
		invalid(message, "jsonrpc must be \"2.0\"");
	if (message->kind == MCP_INVALID)
		return;

	message->method = crm_mcp_string(container, "method");
	if (message->method == NULL)
	{
		if (!crm_mcp_member(container, "method", &value) &&
			(crm_mcp_member(container, "result", &value) ||
			 crm_mcp_member(container, "error", &value)))
			message->kind = MCP_NO_REPLY;
		else
			invalid(message, "method must be a string");
		return;
	}
	message->kind = has_id ? MCP_REQUEST : MCP_NO_REPLY;
	message->params = crm_mcp_object(container, "params");
	if (has_id && message->params == NULL && crm_mcp_member(container, "params", &value))
		invalid(message, "params must be an object");
}

void
crm_mcp_result(McpReply *reply, const char *result)
{
	reply->result = MemoryContextStrdup(reply->context, result);
}

void
crm_mcp_error(McpReply *reply, int code, int status, const char *format,...)
{
	StringInfoData message;
	va_list		args;
	int			needed;

	initStringInfo(&message);
	for (;;)
	{
		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	reply->result = NULL;
	reply->code = code;
	reply->status = status;
	reply->message = MemoryContextStrdup(reply->context, message.data);
	reply->data = NULL;
}

void
crm_mcp_append_reply(StringInfo out, const char *id, McpReply *reply)
{
	appendStringInfo(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,", id);
	if (reply->result != NULL)
		appendStringInfo(out, "\"result\":%s}", reply->result);
	else
	{
		appendStringInfo(out, "\"error\":{\"code\":%d,\"message\":", reply->code);
		escape_json(out, reply->message);
		if (reply->data != NULL)
			appendStringInfo(out, ",\"data\":%s", reply->data);
		appendStringInfoString(out, "}}");
	}
}
