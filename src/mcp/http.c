/*
 * mcp/http.c
 *		The HTTP request and response, which PostgREST passes in settings:
 *		request.method and request.headers (a JSON object, names in lower case),
 *		response.status and response.headers (a JSON array of objects).
 *
 * Without these settings there is no HTTP: the caller is crm-mcp, or psql.
 */
#include "postgres.h"

#include "common/base64.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/json.h"

#include "base/request.h"
#include "base/session.h"
#include "mcp/http.h"
#include "mcp/message.h"

/* Pages that the user's own machine serves. */
#define DEFAULT_ORIGINS \
	"http://localhost:*, https://localhost:*, http://127.0.0.1:*, http://[::1]:*"

/* How a header encodes a text that it cannot hold as it is. */
#define ENCODED_PREFIX	"=?base64?"
#define ENCODED_SUFFIX	"?="

static char *allowed_origins_setting;

void
crm_mcp_define_settings(void)
{
	DefineCustomStringVariable("crm.mcp_allowed_origins",
							   "The origins from which web pages may use MCP.",
							   "Separated by commas; :* means any port, * means any origin.",
							   &allowed_origins_setting, DEFAULT_ORIGINS,
							   PGC_USERSET, 0,
							   NULL, NULL, NULL);
}

bool
crm_mcp_over_http(void)
{
	return crm_setting("request.method")[0] != '\0' ||
		crm_setting("request.headers")[0] != '\0';
}

char *
crm_mcp_header(const char *name)
{
	const char *json = crm_setting("request.headers");
	Jsonb	   *headers = json[0] != '\0' ? crm_parse_json_object(json) : NULL;

	return headers ? crm_mcp_string(&headers->root, name) : NULL;
}

/* Whether an entry of the list allows the origin. */
static bool
matches(const char *origin, const char *entry)
{
	int			length = strlen(entry);

	if (strcmp(entry, "*") == 0)
		return true;
	if (length < 2 || strcmp(entry + length - 2, ":*") != 0)
		return pg_strcasecmp(origin, entry) == 0;
	length -= 2;
	if (pg_strncasecmp(origin, entry, length) != 0)
		return false;
	origin += length;
	if (*origin == '\0')
		return true;
	return *origin == ':' && origin[1] != '\0' &&
		strspn(origin + 1, "0123456789") == strlen(origin + 1);
}

/*
 * Browsers send Origin.  Comparing it with Host would not help: by DNS rebinding,
 * a page of another site can reach the user's server under the page's own name.
 */
bool
crm_mcp_origin_allowed(void)
{
	char	   *origin = crm_mcp_header("origin");
	char	   *list;

	if (origin == NULL)
		return true;
	list = pstrdup(allowed_origins_setting ? allowed_origins_setting : "");
	for (char *entry = strtok(list, ", \t\n"); entry; entry = strtok(NULL, ", \t\n"))
	{
		if (matches(origin, entry))
			return true;
	}
	return false;
}

/* The text that a header's value stands for; NULL if it cannot be decoded. */
static char *
decode(char *value)
{
	int			length;
	int			prefix = strlen(ENCODED_PREFIX);
	int			suffix = strlen(ENCODED_SUFFIX);
	char	   *plain;
	int			decoded;

	while (*value == ' ' || *value == '\t')
		value++;
	for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]); length--)
		value[length - 1] = '\0';
	if (length < prefix + suffix ||
		strncmp(value, ENCODED_PREFIX, prefix) != 0 ||
		strcmp(value + length - suffix, ENCODED_SUFFIX) != 0)
		return pstrdup(value);
	length -= prefix + suffix;
	plain = palloc(pg_b64_dec_len(length) + 1);
	decoded = pg_b64_decode(value + prefix, length, (void *) plain, pg_b64_dec_len(length));
	if (decoded < 0 || !pg_verify_mbstr(PG_UTF8, plain, decoded, true))
		return NULL;
	plain[decoded] = '\0';
	return pg_any_to_server(plain, decoded, PG_UTF8);
}

bool
crm_mcp_header_is(const char *header, const char *value)
{
	char	   *sent = crm_mcp_header(header);

	if (sent != NULL)
		sent = decode(sent);
	return sent != NULL && strcmp(sent, value) == 0;
}

/* Like SET LOCAL. */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* PostgREST sends 200 by default: set it only to replace another status. */
void
crm_mcp_set_status(int status)
{
	if (status != 200 || crm_setting("response.status")[0] != '\0')
		set_local("response.status", psprintf("%d", status));
}

/* Added to the headers that others, such as a db-pre-request, have set. */
void
crm_mcp_add_response_header(const char *name, const char *value)
{
	const char *present = crm_setting("response.headers");
	const char *end = strrchr(present, ']');
	StringInfoData headers;

	initStringInfo(&headers);
	if (end == NULL)
		appendStringInfoChar(&headers, '[');
	else
	{
		appendBinaryStringInfo(&headers, present, end - present);
		if (strchr(present, '{') != NULL)
			appendStringInfoChar(&headers, ',');
	}
	appendStringInfoChar(&headers, '{');
	escape_json(&headers, name);
	appendStringInfoChar(&headers, ':');
	escape_json(&headers, value);
	appendStringInfoString(&headers, "}]");
	set_local("response.headers", headers.data);
}

/*
 * PostgREST takes the reply's Content-Type from Accept: the most preferred of the types
 * that the functions named mcp return.  That could be text/event-stream, but the reply
 * is always JSON.
 */
void
crm_mcp_set_content_type(bool may_be_stream)
{
	char	   *accept = crm_mcp_header("accept");

	if (may_be_stream || (accept != NULL &&
						  strstr(asc_tolower(accept, strlen(accept)), "text/event-stream") != NULL))
		crm_mcp_add_response_header("Content-Type", "application/json");
}
