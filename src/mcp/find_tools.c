/*
 * mcp/find_tools.c
 *		The tools that find rows by words: find looks in everything that has a name,
 *		contacts_search in the linked contacts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/uuid.h"

#include "base/query.h"
#include "mcp/arguments.h"
#include "mcp/columns.h"
#include "mcp/cursor.h"
#include "mcp/find_tools.h"
#include "mcp/linked.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/words.h"

/* The most rows of each kind that find lists. */
#define MAX_OF_A_KIND	10

/* What find looks in. */
static const struct
{
	const char *kind;
	const char *relation;
}			kinds[] = {
	{"deal", "deals"}, {"pipeline", "pipelines"}, {"stage", "stages"}, {"tag", "tags"},
	{"contact", "contacts"}, {"owner", "owners"}, {"organization", "organizations"},
};

static List *
find_properties(McpTool *tool)
{
	McpProperty *text = crm_mcp_make_property("text", TEXTOID, "Words; all of them must be there");

	text	  ->required = true;

	return list_make1(text);
}

/* More columns of a row beside its name, to tell rows of the same name apart. */
static const char *
details_of(const char *kind)
{
	if (strcmp(kind, "deal") == 0)
		return ", t.status, t.amount, t.currency, t.expected_close_date, t.archived_at IS NOT NULL AS archived";
	if (strcmp(kind, "stage") == 0)
		return ", t.pipeline_id, t.deal_status";
	return "";
}

/*
 * Appends the rows of a kind whose name is the text, then those that have the words in
 * their names, then those that have them elsewhere; returns how many.
 */
static uint64
append_found(StringInfo out, Jsonb *arguments, McpNamed *named, const char *kind)
{
	Oid			types[] = {JSONBOID};
	Datum		args[] = {JsonbPGetDatum(arguments)};
	char	   *in_text = crm_mcp_has_words(arguments, "text", named->text);
	char	   *in_name = crm_mcp_has_words(arguments, "text", named->label);
	char	   *query;

	query = psprintf("SELECT pg_catalog.row_to_json(r) FROM (SELECT '%s' AS kind, t.id, %s AS name%s"
					 " FROM %s AS t WHERE t.id IS NOT NULL AND %s ORDER BY pg_catalog.lower(pg_catalog.btrim(%s)) OPERATOR(pg_catalog.=)"
					 " pg_catalog.lower(pg_catalog.btrim(pg_catalog.jsonb_extract_path_text($1, 'text'))) DESC,"
					 " %s DESC, t.id DESC LIMIT %d) AS r",
					 kind, named->label, details_of(kind), named->relation, in_text,
					 named->label, in_name, MAX_OF_A_KIND + 1);
	(void) crm_select_once(query, lengthof(types), types, args, NULL, false);
	for (uint64 row = 0; row < Min(SPI_processed, MAX_OF_A_KIND); row++)
		appendStringInfo(out, "%s%s", out->data[out->len - 1] == '[' ? "" : ",", crm_mcp_field(row, 1));
	return SPI_processed;
}

static char *
call_find(McpTool *tool, Jsonb *arguments, List *properties)
{
	StringInfoData out;
	StringInfoData more;

	if (strcmp(crm_mcp_has_words(arguments, "text", ""), "true") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text has no words to look for"),
				 errhint("Give at least one word of what is to be found.")));
	initStringInfo(&out);
	initStringInfo(&more);
	appendStringInfoString(&out, "{\"items\":[");
	for (int i = 0; i < lengthof(kinds); i++)
	{
		McpNamed	named;

		if (crm_mcp_named(tool->schema, kinds[i].relation, &named) &&
			append_found(&out, arguments, &named, kinds[i].kind) > MAX_OF_A_KIND)
			appendStringInfo(&more, "%s\"%s\"", more.len > 0 ? "," : "", kinds[i].kind);
	}
	appendStringInfo(&out, "],\"more_of\":[%s]}", more.data);
	return out.data;
}

static List *
search_properties(McpTool *tool)
{
	List	   *properties = find_properties(tool);

	((McpProperty *) linitial(properties))->required = false;
	return crm_mcp_page_properties(properties);
}

/* The rows in the order of their ids, from the one in the cursor on. */
static char *
call_search(McpTool *tool, Jsonb *arguments, List *properties)
{
	int			limit = crm_mcp_limit(arguments);
	char	   *cursor = crm_mcp_string(&arguments->root, "cursor");
	int			length = 0;
	char	   *after = cursor ? crm_mcp_decode_cursor(cursor, &length) : NULL;
	Oid			types[] = {JSONBOID, UUIDOID};
	Datum		args[] = {JsonbPGetDatum(arguments), PointerGetDatum(after)};
	McpNamed	named;
	StringInfoData out;
	char	   *from;
	char	   *query;

	if (cursor != NULL && (after == NULL || length != UUID_LEN))
		crm_mcp_invalid_cursor();
	if (!crm_mcp_named(tool->schema, "contacts", &named))
		elog(ERROR, "the contacts are no longer linked");

	/*
	 * The id of a linked table may be null: such a row can be neither named
	 * nor linked.
	 */
	from = psprintf("FROM %s AS t WHERE t.id IS NOT NULL AND %s", named.relation,
					crm_mcp_has_words(arguments, "text", named.text));
	query = psprintf("SELECT t.id::pg_catalog.uuid, pg_catalog.to_json(t.*), (SELECT pg_catalog.count(*) %s) %s%s ORDER BY t.id LIMIT %d",
					 from, from, after ? " AND t.id OPERATOR(pg_catalog.>) $2" : "", limit + 1);
	(void) crm_select_once(query, lengthof(types), types, args, after ? NULL : " n", false);

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"items\":[");
	for (uint64 row = 0; row < Min(SPI_processed, limit); row++)
		appendStringInfo(&out, "%s%s", row > 0 ? "," : "", crm_mcp_field(row, 2));
	appendStringInfo(&out, "],\"total\":%s", SPI_processed > 0 ? crm_mcp_field(0, 3) : "0");
	if (SPI_processed > limit)
	{
		Datum		id = crm_result_value(limit - 1, 1, UUIDOID, NULL);

		appendStringInfo(&out, ",\"next\":\"%s\"",
						 crm_mcp_encode_cursor(DatumGetPointer(id), UUID_LEN));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

static char *
list_output(McpTool *tool)
{
	return MCP_LIST_OUTPUT;
}

static const McpToolKind find_kind = {find_properties, call_find, list_output};
static const McpToolKind search_kind = {search_properties, call_search, list_output};

static McpTool *
make_tool(Oid schema, const McpToolKind *kind, const char *name, const char *title,
		  const char *description)
{
	McpTool    *tool = palloc0(sizeof(McpTool));

	tool->name = name;
	tool->title = title;
	tool->description = description;
	tool->kind = kind;
	tool->schema = schema;
	tool->read_only = true;
	return tool;
}

List *
crm_mcp_find_tools(Oid schema, const char *name)
{
	McpNamed	named;
	List	   *tools = NIL;

	if ((name == NULL || strcmp(name, "find") == 0) && crm_mcp_named(schema, "deals", &named))
		tools = lappend(tools, make_tool(schema, &find_kind, "find", "Find anything by its name",
										 "Deals, pipelines, stages, tags, contacts, owners and organizations whose texts have the words, with their ids: up to ten of each kind; more_of names the kinds that have more."));
	if ((name == NULL || strcmp(name, "contacts_search") == 0) && crm_mcp_named(schema, "contacts", &named))
		tools = lappend(tools, make_tool(schema, &search_kind, "contacts_search", "Search the contacts",
										 "People of the linked table whose texts have the words, with all that is known of them."));
	return tools;
}
