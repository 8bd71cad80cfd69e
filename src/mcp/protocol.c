/*
 * mcp/protocol.c
 *		The methods of MCP, in its revisions with a handshake (2025-03-26,
 *		2025-06-18, 2025-11-25) and in the stateless one (2026-07-28).
 *
 * No request depends on an earlier one.  A request whose params._meta names a
 * protocol version is of the stateless revision ("modern"); any other is of an
 * earlier revision: these differ in nothing that we send.  Over HTTP, the headers
 * of a modern request must repeat values of its body.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "mcp/catalog.h"
#include "mcp/cursor.h"
#include "mcp/http.h"
#include "mcp/prompts.h"
#include "mcp/protocol.h"
#include "mcp/resources.h"
#include "mcp/text.h"

#define MODERN_VERSION		"2026-07-28"
#define NEWEST_LEGACY		"2025-11-25"
#define VERSION_WITH_BATCHES "2025-03-26"

/* Reserved keys of _meta. */
#define META_VERSION		"io.modelcontextprotocol/protocolVersion"
#define META_CAPABILITIES	"io.modelcontextprotocol/clientCapabilities"
#define META_SERVER			"io.modelcontextprotocol/serverInfo"

#define SERVER_INFO			"{\"name\":\"crm\",\"title\":\"CRM\",\"version\":\"" CRM_VERSION "\"}"
#define CAPABILITIES		"{\"tools\":{},\"resources\":{},\"prompts\":{}}"

/* How long a client may cache the answers, in milliseconds. */
#define DISCOVER_TTL		3600000
#define TOOLS_TTL			60000
#define CONTENTS_TTL		0

#define TOOLS_PER_PAGE		50

static const char *const legacy_versions[] = {NEWEST_LEGACY, "2025-06-18", VERSION_WITH_BATCHES};

static const char instructions[] =
"A CRM: pipelines have ordered stages, deals stand in one stage of a pipeline. "
"Move a deal with deals_move, which records the move; its status (open, won, lost) follows from the stage. "
"An amount is per value_period and in its currency; do not add amounts in different currencies. "
"Where a tool takes the id of a pipeline, stage, tag, contact or deal, it takes its whole name too; find looks for names. "
"Lists are paged: pass next back as cursor, and null members are left out. "
"Amounts may be given as numbers or strings; one of more than 15 digits comes as a string. "
"Start with find, deals_list, context_for_deal or context_for_person; totals and rates are in the report tools.";

static bool
is_legacy_version(const char *version)
{
	for (int i = 0; i < lengthof(legacy_versions); i++)
	{
		if (strcmp(version, legacy_versions[i]) == 0)
			return true;
	}
	return false;
}

bool
crm_mcp_batches_allowed(void)
{
	char	   *version = crm_mcp_header("mcp-protocol-version");

	return version == NULL || strcmp(version, VERSION_WITH_BATCHES) == 0;
}

/* Appends the versions that we support, as an array. */
static void
append_versions(StringInfo out)
{
	appendStringInfoString(out, "[\"" MODERN_VERSION "\"");
	for (int i = 0; i < lengthof(legacy_versions); i++)
		appendStringInfo(out, ",\"%s\"", legacy_versions[i]);
	appendStringInfoChar(out, ']');
}

static void
refuse_version(McpReply *reply, const char *requested)
{
	StringInfoData data;

	crm_mcp_error(reply, MCP_UNSUPPORTED_VERSION, 400, "Unsupported protocol version");
	initStringInfo(&data);
	appendStringInfoString(&data, "{\"supported\":");
	append_versions(&data);
	appendStringInfoString(&data, ",\"requested\":");
	escape_json(&data, requested);
	appendStringInfoChar(&data, '}');
	reply->data = MemoryContextStrdup(reply->context, data.data);
}

/* Begins a result, with the members that each modern one has. */
static void
begin_result(StringInfo out, bool modern)
{
	initStringInfo(out);
	appendStringInfoChar(out, '{');
	if (modern)
		appendStringInfoString(out, "\"resultType\":\"complete\","
							   "\"_meta\":{\"" META_SERVER "\":" SERVER_INFO "},");
}

static void
append_caching(StringInfo out, int ttl, const char *scope)
{
	appendStringInfo(out, ",\"ttlMs\":%d,\"cacheScope\":\"%s\"", ttl, scope);
}

/* Ends a result that a modern client may cache, and makes it the reply. */
static void
end_cacheable(StringInfo out, McpReply *reply, int ttl)
{
	if (reply->modern)
		append_caching(out, ttl, "private");
	appendStringInfoChar(out, '}');
	crm_mcp_result(reply, out->data);
}

static void
answer_initialize(McpMessage *message, McpReply *reply)
{
	char	   *requested = crm_mcp_string(message->params, "protocolVersion");
	StringInfoData out;

	if (requested == NULL)
	{
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 200,
					  "Invalid params: protocolVersion must be a string");
		return;
	}
	begin_result(&out, false);
	appendStringInfo(&out, "\"protocolVersion\":\"%s\",\"capabilities\":" CAPABILITIES
					 ",\"serverInfo\":" SERVER_INFO ",\"instructions\":",
					 is_legacy_version(requested) ? requested : NEWEST_LEGACY);
	escape_json(&out, instructions);
	appendStringInfoChar(&out, '}');
	crm_mcp_result(reply, out.data);
}

static void
answer_discover(McpReply *reply)
{
	StringInfoData out;

	begin_result(&out, true);
	appendStringInfoString(&out, "\"supportedVersions\":");
	append_versions(&out);
	appendStringInfoString(&out, ",\"capabilities\":" CAPABILITIES ",\"instructions\":");
	escape_json(&out, instructions);
	append_caching(&out, DISCOVER_TTL, "public");
	appendStringInfoChar(&out, '}');
	crm_mcp_result(reply, out.data);
}

static void
answer_list(Oid schema, McpMessage *message, McpReply *reply)
{
	JsonbValue	value;
	char	   *after = "";
	StringInfoData out;
	int			count = 0;
	ListCell   *cell;
	McpTool    *last = NULL;

	if (crm_mcp_member(message->params, "cursor", &value) && value.type != jbvNull)
	{
		char	   *cursor = crm_mcp_string(message->params, "cursor");
		int			length;

		after = cursor ? crm_mcp_decode_cursor(cursor, &length) : NULL;
		if (after == NULL)
		{
			crm_mcp_error(reply, MCP_INVALID_PARAMS, 200, "Invalid params: invalid cursor");
			return;
		}
	}

	begin_result(&out, reply->modern);
	appendStringInfoString(&out, "\"tools\":[");
	foreach(cell, crm_mcp_tools(schema))
	{
		McpTool    *tool = lfirst(cell);

		if (strcmp(tool->name, after) <= 0)
			continue;
		if (count == TOOLS_PER_PAGE)
			break;
		if (count++ > 0)
			appendStringInfoChar(&out, ',');
		crm_mcp_describe_tool(&out, tool);
		last = tool;
	}
	appendStringInfoChar(&out, ']');
	if (cell != NULL)
	{
		appendStringInfoString(&out, ",\"nextCursor\":");
		escape_json(&out, crm_mcp_encode_cursor(last->name, strlen(last->name)));
	}
	end_cacheable(&out, reply, TOOLS_TTL);
}

static void
answer_resources(Oid schema, McpReply *reply)
{
	StringInfoData out;

	begin_result(&out, reply->modern);
	appendStringInfoString(&out, "\"resources\":");
	crm_mcp_append_resources(&out, schema);
	end_cacheable(&out, reply, TOOLS_TTL);
}

/* There are none. */
static void
answer_templates(McpReply *reply)
{
	StringInfoData out;

	begin_result(&out, reply->modern);
	appendStringInfoString(&out, "\"resourceTemplates\":[]");
	end_cacheable(&out, reply, TOOLS_TTL);
}

static void
answer_read(Oid schema, McpMessage *message, McpReply *reply)
{
	char	   *uri = crm_mcp_string(message->params, "uri");
	StringInfoData out;

	begin_result(&out, reply->modern);
	appendStringInfoString(&out, "\"contents\":");
	if (uri == NULL)
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 200, "Invalid params: uri must be a string");
	else if (!crm_mcp_append_contents(&out, schema, uri))
		crm_mcp_error(reply, reply->modern ? MCP_INVALID_PARAMS : MCP_RESOURCE_NOT_FOUND, 200,
					  "Unknown resource: %s", uri);
	else
		end_cacheable(&out, reply, CONTENTS_TTL);
}

static void
answer_prompts(McpReply *reply)
{
	StringInfoData out;

	begin_result(&out, reply->modern);
	appendStringInfoString(&out, "\"prompts\":");
	crm_mcp_append_prompts(&out);
	end_cacheable(&out, reply, TOOLS_TTL);
}

static void
answer_prompt(McpMessage *message, McpReply *reply)
{
	char	   *name = crm_mcp_string(message->params, "name");
	const char *problem = "name must be a string";
	StringInfoData out;

	begin_result(&out, reply->modern);
	if (name != NULL &&
		crm_mcp_append_prompt(&out, name, crm_mcp_object(message->params, "arguments"), &problem))
	{
		appendStringInfoChar(&out, '}');
		crm_mcp_result(reply, out.data);
	}
	else
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 200, "Invalid params: %s", problem);
}

/* A tool's result: structured is JSON, an object. */
static char *
tool_result(const char *structured, const char *text, bool is_error, bool modern)
{
	StringInfoData out;

	begin_result(&out, modern);
	appendStringInfoString(&out, "\"content\":[{\"type\":\"text\",\"text\":");
	escape_json(&out, text);
	appendStringInfo(&out, "}],\"structuredContent\":%s,\"isError\":%s}",
					 structured, is_error ? "true" : "false");
	return out.data;
}

static void
append_field(StringInfo json, StringInfo text, const char *name,
			 const char *label, const char *value)
{
	appendStringInfo(json, ",\"%s\":", name);
	if (value == NULL)
	{
		appendStringInfoString(json, "null");
		return;
	}
	escape_json(json, value);
	appendStringInfo(text, "\n%s: %s", label, value);
}

/* The members are those of PostgREST's error bodies. */
char *
crm_mcp_failure(ErrorData *error, bool modern)
{
	StringInfoData json;
	StringInfoData text;

	initStringInfo(&json);
	initStringInfo(&text);
	appendStringInfoString(&text, error->message);
	appendStringInfo(&json, "{\"code\":\"%s\",\"message\":", unpack_sql_state(error->sqlerrcode));
	escape_json(&json, error->message);
	append_field(&json, &text, "details", "Detail", error->detail);
	append_field(&json, &text, "hint", "Hint", error->hint);
	appendStringInfoChar(&json, '}');
	return tool_result(json.data, text.data, true, modern);
}

/* The arguments of a call, an empty object if not given; NULL if they are not an object. */
static Jsonb *
read_arguments(JsonbContainer *params)
{
	JsonbValue	value;

	if (!crm_mcp_member(params, "arguments", &value) || value.type == jbvNull)
		return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return JsonbValueToJsonb(&value);
}

static void
answer_call(Oid schema, McpMessage *message, McpReply *reply)
{
	char	   *name = crm_mcp_string(message->params, "name");
	Jsonb	   *arguments;
	McpTool    *tool;
	char	   *result;

	if (name == NULL)
	{
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 200, "Invalid params: name must be a string");
		return;
	}
	arguments = read_arguments(message->params);
	if (arguments == NULL)
	{
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 200, "Invalid params: arguments must be an object");
		return;
	}
	tool = crm_mcp_find_tool(schema, name);
	if (tool == NULL)
	{
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 200, "Unknown tool: %s", name);
		return;
	}
	reply->calling = true;
	result = crm_mcp_call_tool(tool, arguments);
	reply->calling = false;
	result = crm_mcp_exact_numbers(result);
	crm_mcp_result(reply, tool_result(result, crm_mcp_summary(result), false, reply->modern));
}

/* What the header Mcp-Name must repeat; NULL if nothing. */
static char *
name_in(McpMessage *message)
{
	if (strcmp(message->method, "tools/call") == 0 || strcmp(message->method, "prompts/get") == 0)
		return crm_mcp_string(message->params, "name");
	if (strcmp(message->method, "resources/read") == 0)
		return crm_mcp_string(message->params, "uri");
	return NULL;
}

/* Whether the headers repeat the values of the body; else makes an error the reply. */
static bool
check_headers(McpMessage *message, const char *version, McpReply *reply)
{
	char	   *name = name_in(message);
	const char *header = NULL;

	if (!crm_mcp_over_http())
		return true;
	if (!crm_mcp_header_is("mcp-protocol-version", version))
		header = "MCP-Protocol-Version";
	else if (!crm_mcp_header_is("mcp-method", message->method))
		header = "Mcp-Method";
	else if (name != NULL &&
			 !crm_mcp_header_is("mcp-name", name))
		header = "Mcp-Name";
	if (header == NULL)
		return true;
	crm_mcp_error(reply, MCP_HEADER_MISMATCH, 400,
				  "Header mismatch: %s is missing or differs from the body", header);
	return false;
}

/* Whether a modern request is complete; else makes an error the reply. */
static bool
check_modern(McpMessage *message, McpReply *reply)
{
	JsonbContainer *meta = crm_mcp_object(message->params, "_meta");
	char	   *version = crm_mcp_string(meta, META_VERSION);

	if (version == NULL)
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 400,
					  "Invalid params: _meta must have the string %s", META_VERSION);
	else if (!check_headers(message, version, reply))
		return false;
	else if (strcmp(version, MODERN_VERSION) != 0)
		refuse_version(reply, version);
	else if (crm_mcp_object(meta, META_CAPABILITIES) == NULL)
		crm_mcp_error(reply, MCP_INVALID_PARAMS, 400,
					  "Invalid params: _meta must have the object %s", META_CAPABILITIES);
	else
		return true;
	return false;
}

/*
 * Whether we support the request's revision; else makes an error the reply.  Sets
 * reply->modern.
 */
static bool
check_revision(McpMessage *message, McpReply *reply)
{
	JsonbContainer *meta = crm_mcp_object(message->params, "_meta");
	char	   *version = crm_mcp_header("mcp-protocol-version");
	JsonbValue	value;

	reply->modern = crm_mcp_member(meta, META_VERSION, &value) ||
		strcmp(message->method, "server/discover") == 0 ||
		(version != NULL && strcmp(version, MODERN_VERSION) == 0);
	if (reply->modern)
		return check_modern(message, reply);
	if (version == NULL || is_legacy_version(version))
		return true;
	refuse_version(reply, version);
	return false;
}

void
crm_mcp_answer(Oid schema, McpMessage *message, McpReply *reply)
{
	const char *method = message->method;

	if (!check_revision(message, reply))
		return;
	if (strcmp(method, "tools/list") == 0)
		answer_list(schema, message, reply);
	else if (strcmp(method, "tools/call") == 0)
		answer_call(schema, message, reply);
	else if (strcmp(method, "resources/list") == 0)
		answer_resources(schema, reply);
	else if (strcmp(method, "resources/templates/list") == 0)
		answer_templates(reply);
	else if (strcmp(method, "resources/read") == 0)
		answer_read(schema, message, reply);
	else if (strcmp(method, "prompts/list") == 0)
		answer_prompts(reply);
	else if (strcmp(method, "prompts/get") == 0)
		answer_prompt(message, reply);
	else if (reply->modern && strcmp(method, "server/discover") == 0)
		answer_discover(reply);
	else if (!reply->modern && strcmp(method, "initialize") == 0)
		answer_initialize(message, reply);
	else if (!reply->modern && strcmp(method, "ping") == 0)
		crm_mcp_result(reply, "{}");
	else
		crm_mcp_error(reply, MCP_METHOD_NOT_FOUND, reply->modern ? 404 : 200,
					  "Method not found: %s", method);
}
