/*
 * mcp/resources.c
 *		What clients can read without a tool: the pipelines and a data dictionary.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "base/query.h"
#include "mcp/linked.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/resources.h"
#include "mcp/text.h"

/* The most pipelines in the resource; tools list all of them. */
#define MAX_PIPELINES	100

typedef struct Resource
{
	const char *uri;
	const char *name;
	const char *title;
	const char *description;
	const char *type;
	char	   *(*read) (Oid schema);	/* NULL if the caller may not */
} Resource;

static char *
read_pipelines(Oid schema)
{
	Oid			types[] = {INT4OID};
	Datum		args[] = {Int32GetDatum(MAX_PIPELINES)};
	McpNamed	pipelines;
	McpNamed	stages;
	char	   *query;

	if (!crm_mcp_named(schema, "pipelines", &pipelines) || !crm_mcp_named(schema, "stages", &stages))
		return NULL;
	query = psprintf("SELECT coalesce(pg_catalog.json_agg(pg_catalog.row_to_json(r)), '[]') FROM ("
					 "SELECT p.id, p.name, p.description, p.is_default, p.currency, (SELECT pg_catalog.json_agg(pg_catalog.row_to_json(s)) FROM ("
					 "SELECT t.id, t.name, t.position, t.deal_status, t.probability, t.rotting_days FROM %s AS t"
					 " WHERE t.pipeline_id OPERATOR(pg_catalog.=) p.id AND t.archived_at IS NULL ORDER BY t.position) AS s) AS stages"
					 " FROM %s AS p WHERE p.archived_at IS NULL ORDER BY p.is_default DESC, p.name LIMIT $1) AS r",
					 stages.relation, pipelines.relation);
	(void) crm_select_once(query, lengthof(types), types, args, NULL, false);
	return crm_mcp_exact_numbers(crm_mcp_field(0, 1));
}

static const char dictionary_query[] =
"SELECT string_agg(format(E'## %s\\n\\n%s\\n\\n%s', r.relname, r.comment, r.columns), E'\\n\\n' ORDER BY r.relname)"
" FROM (SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,"
" (SELECT string_agg(format('- %s (%s): %s', a.attname, format_type(a.atttypid, a.atttypmod),"
" coalesce(col_description(a.attrelid, a.attnum), '')), E'\\n' ORDER BY a.attnum) FROM pg_attribute AS a"
" WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'tenant_id'"
" AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')) AS columns"
" FROM pg_class AS c WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p', 'v')) AS r"
" WHERE r.columns IS NOT NULL";

static char *
read_dictionary(Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema)};

	crm_mcp_catalog_query(dictionary_query, 1, types, args);
	return crm_mcp_field(0, 1);
}

static const Resource resources[] = {
	{
		"crm://pipelines", "pipelines", "Pipelines with their stages",
		"The pipelines that are in use, each with its stages in their order", "application/json", read_pipelines
	},
	{
		"crm://data-dictionary", "data-dictionary", "Data dictionary",
		"The tables and views that you may read, and what their columns mean", "text/markdown", read_dictionary
	},
};

void
crm_mcp_append_resources(StringInfo out, Oid schema)
{
	appendStringInfoChar(out, '[');
	for (int i = 0; i < lengthof(resources); i++)
	{
		const Resource *resource = &resources[i];

		if (resource->read(schema) == NULL)
			continue;
		appendStringInfoString(out, out->data[out->len - 1] == '[' ? "{" : ",{");
		crm_mcp_append_member(out, "uri", resource->uri);
		crm_mcp_append_member(out, "name", resource->name);
		crm_mcp_append_member(out, "title", resource->title);
		crm_mcp_append_member(out, "description", resource->description);
		crm_mcp_append_member(out, "mimeType", resource->type);
		appendStringInfoChar(out, '}');
	}
	appendStringInfoChar(out, ']');
}

bool
crm_mcp_append_contents(StringInfo out, Oid schema, const char *uri)
{
	for (int i = 0; i < lengthof(resources); i++)
	{
		const Resource *resource = &resources[i];
		char	   *text;

		if (strcmp(resource->uri, uri) != 0 || (text = resource->read(schema)) == NULL)
			continue;
		appendStringInfoString(out, "[{");
		crm_mcp_append_member(out, "uri", uri);
		crm_mcp_append_member(out, "mimeType", resource->type);
		crm_mcp_append_member(out, "text", text);
		appendStringInfoString(out, "}]");
		return true;
	}
	return false;
}
