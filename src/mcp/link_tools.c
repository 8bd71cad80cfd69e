/*
 * mcp/link_tools.c
 *		The tools that link a deal to something, and unlink it: they write rows
 *		of tables whose key is a pair of ids.
 *
 * Both can be repeated: to link again updates the columns that are given beside
 * the pair; to unlink again returns removed false.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/errors.h"
#include "mcp/columns.h"
#include "mcp/link_tools.h"
#include "mcp/query.h"

typedef struct McpLink
{
	const char *table;
	const char *key[2];
	const char *link_name;
	const char *link_title;
	const char *link_description;
	const char *unlink_name;
	const char *unlink_title;
	const char *unlink_description;
} McpLink;

static const McpLink links[] = {
	{
		"deal_tags", {"deal_id", "tag_id"},
		"deals_tag", "Tag a deal", "Puts a tag on a deal.",
		"deals_untag", "Untag a deal", "Removes a tag from a deal; removed says whether the deal had it."
	},
	{
		"deal_contacts", {"deal_id", "contact_id"},
		"deals_link_contact", "Link a contact to a deal",
		"Links a person to a deal; if there is a link already, changes its given columns.",
		"deals_unlink_contact", "Unlink a contact from a deal",
		"Removes the link of a person to a deal; removed says whether there was one."
	},
};

/* Whether the column is filled by its default alone. */
static bool
is_own(const char *name)
{
	return strcmp(name, "id") == 0 || strcmp(name, "created_at") == 0 ||
		strcmp(name, "updated_at") == 0;
}

static bool
is_key(const McpLink *link, const char *name)
{
	return strcmp(name, link->key[0]) == 0 || strcmp(name, link->key[1]) == 0;
}

static List *
link_properties(McpTool *tool)
{
	List	   *properties = NIL;
	ListCell   *cell;

	foreach(cell, tool->columns)
	{
		McpColumn  *column = lfirst(cell);
		McpProperty *property;

		if (!column->can_insert || column->generated || is_own(column->property.name))
			continue;
		property = crm_mcp_copy_property(column);
		property->required = column->not_null && !column->has_default;
		property->nullable = false;
		properties = lappend(properties, property);
	}
	return properties;
}

static List *
unlink_properties(McpTool *tool)
{
	List	   *properties = NIL;

	for (int i = 0; i < 2; i++)
	{
		McpProperty *property = crm_mcp_copy_property(crm_mcp_find_column(tool->columns,
																		  tool->link->key[i]));

		property->required = true;
		properties = lappend(properties, property);
	}
	return properties;
}

/* The condition that a row has the pair of ids in the arguments. */
static char *
by_pair(const McpLink *link)
{
	return psprintf("t.%s OPERATOR(pg_catalog.=) %s AND t.%s OPERATOR(pg_catalog.=) %s",
					link->key[0], crm_mcp_argument_value(link->key[0], UUIDOID, -1),
					link->key[1], crm_mcp_argument_value(link->key[1], UUIDOID, -1));
}

/* The action for a pair that exists: set the given columns that the caller may update. */
static char *
on_conflict(const McpLink *link, List *given, List *columns)
{
	StringInfoData set;
	ListCell   *cell;

	initStringInfo(&set);
	foreach(cell, given)
	{
		McpProperty *property = lfirst(cell);
		const char *name = quote_identifier(property->name);

		if (is_key(link, property->name))
			continue;
		if (!crm_mcp_find_column(columns, property->name)->can_update)
			continue;
		appendStringInfo(&set, "%s%s = EXCLUDED.%s", set.len > 0 ? ", " : "", name, name);
	}
	return set.len > 0 ? psprintf("UPDATE SET %s", set.data) : "NOTHING";
}

static char *
call_link(McpTool *tool, Jsonb *arguments, List *properties)
{
	const McpLink *link = tool->link;
	List	   *columns = tool->columns;
	List	   *given = crm_mcp_given(arguments, properties, true);
	char	   *table = crm_mcp_table_name(tool->object);
	char	   *row;

	row = crm_mcp_run_returning(columns,
								psprintf("INSERT INTO %s AS t (%s) SELECT %s FROM %s ON CONFLICT (%s, %s) DO %s",
										 table, crm_mcp_names(given, ""), crm_mcp_names(given, "f."),
										 crm_mcp_record(given), link->key[0], link->key[1],
										 on_conflict(link, given, columns)),
								arguments);
	if (row == NULL)
		row = crm_mcp_run(psprintf("SELECT %s FROM %s AS t WHERE %s",
								   crm_mcp_row_as_json(columns), table, by_pair(link)),
						  arguments);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the row of %s could not be written", link->table),
				 crm_errdetail_suppressed()));
	return row;
}

static char *
call_unlink(McpTool *tool, Jsonb *arguments, List *properties)
{
	char	   *removed = crm_mcp_run(psprintf("WITH r AS (DELETE FROM %s AS t WHERE %s RETURNING 1)"
											   " SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 FROM r",
											   crm_mcp_table_name(tool->object),
											   by_pair(tool->link)),
									  arguments);

	return psprintf("{\"removed\":%s}", removed && removed[0] == 't' ? "true" : "false");
}

static char *
link_output(McpTool *tool)
{
	return "{\"type\":\"object\",\"properties\":{\"deal_id\":{\"type\":\"string\"}}}";
}

static char *
unlink_output(McpTool *tool)
{
	return "{\"type\":\"object\",\"properties\":{\"removed\":{\"type\":\"boolean\"}}}";
}

static const McpToolKind link_kind = {link_properties, call_link, link_output};
static const McpToolKind unlink_kind = {unlink_properties, call_unlink, unlink_output};

static List *
add_tool(List *tools, Oid relid, List *columns, const McpLink *link, const McpToolKind *kind)
{
	McpTool    *tool = palloc0(sizeof(McpTool));
	bool		unlink = kind == &unlink_kind;

	tool->schema = get_rel_namespace(relid);
	tool->name = unlink ? link->unlink_name : link->link_name;
	tool->title = unlink ? link->unlink_title : link->link_title;
	tool->description = unlink ? link->unlink_description : link->link_description;
	tool->kind = kind;
	tool->object = relid;
	tool->columns = columns;
	tool->link = link;
	tool->destructive = unlink;
	tool->idempotent = true;
	return lappend(tools, tool);
}

List *
crm_mcp_link_tools(Oid schema, const char *name)
{
	List	   *tools = NIL;

	for (int i = 0; i < lengthof(links); i++)
	{
		const McpLink *link = &links[i];
		Oid			relid = get_relname_relid(link->table, schema);
		List	   *columns;
		McpColumn  *key[2];

		if (!OidIsValid(relid) ||
			(name != NULL && strcmp(name, link->link_name) != 0 &&
			 strcmp(name, link->unlink_name) != 0))
			continue;
		columns = crm_mcp_columns(relid);
		key[0] = crm_mcp_find_column(columns, link->key[0]);
		key[1] = crm_mcp_find_column(columns, link->key[1]);
		if (key[0] == NULL || key[1] == NULL || !key[0]->can_select || !key[1]->can_select)
			continue;
		if (key[0]->can_insert && key[1]->can_insert)
			tools = add_tool(tools, relid, columns, link, &link_kind);
		if (pg_class_aclcheck(relid, GetUserId(), ACL_DELETE) == ACLCHECK_OK)
			tools = add_tool(tools, relid, columns, link, &unlink_kind);
	}
	return tools;
}
