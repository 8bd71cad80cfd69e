/*
 * mcp/row_tools.c
 *		The tools that get, create, update and delete a row of a table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"

#include "base/errors.h"
#include "base/row_messages.h"
#include "base/shard.h"
#include "mcp/columns.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/reference.h"
#include "mcp/row_tools.h"
#include "mcp/table.h"

/* Whether only triggers fill the column. */
static bool
is_kept(McpColumn *column)
{
	const char *name = column->property.name;

	return strcmp(name, "version") == 0 || strcmp(name, "move_no") == 0 ||
		strcmp(name, "updated_at") == 0 || strcmp(name, "merged_into") == 0;
}

bool
crm_mcp_can_change(McpColumn *column)
{
	const char *name = column->property.name;

	return column->can_update && !column->generated && !is_kept(column) &&
		strcmp(name, MCP_KEY) != 0 && strcmp(name, "created_at") != 0;
}

/* The argument that identifies the row. */
static McpProperty *
key_property(McpTool *tool)
{
	McpProperty *property = crm_mcp_make_property(MCP_KEY, UUIDOID,
												  psprintf("The %s", tool->table->singular));

	property->required = true;
	property->refers = crm_mcp_reference_to(tool->table->name);
	return property;
}

static List *
key_properties(McpTool *tool)
{
	return list_make1(key_property(tool));
}

/* The same message as the functions of the CRM have. */
static void
report_not_found(McpTool *tool, Jsonb *arguments)
{
	ereport(ERROR,
			(errcode(ERRCODE_CRM_NOT_FOUND),
			 crm_errmsg_missing(tool->table->singular,
								crm_mcp_string(&arguments->root, MCP_KEY)),
			 crm_errhint_missing(tool->table->singular)));
}

/* The condition that a row has the id in the arguments. */
static char *
by_key(void)
{
	return psprintf("t." MCP_KEY " OPERATOR(pg_catalog.=) %s", crm_mcp_argument_value(MCP_KEY, UUIDOID, -1));
}

static char *
call_get(McpTool *tool, Jsonb *arguments, List *properties)
{
	char	   *row = crm_mcp_run(psprintf("SELECT %s FROM %s AS t WHERE %s",
										   crm_mcp_row_as_json(tool->columns),
										   crm_mcp_table_name(tool->object), by_key()),
								  arguments);

	if (row == NULL)
		report_not_found(tool, arguments);
	return row;
}

/* Whether only copying rows would give the column: an argument for it would be noise. */
static bool
is_of_no_use(McpTool *tool, McpColumn *column)
{
	const char *name = column->property.name;

	return strcmp(name, "archived_at") == 0 || strcmp(name, "rank") == 0 ||
		(strcmp(name, "created_at") == 0 && !tool->table->wide);
}

static List *
create_properties(McpTool *tool)
{
	List	   *properties = NIL;
	ListCell   *cell;

	foreach(cell, tool->columns)
	{
		McpColumn  *column = lfirst(cell);
		McpProperty *property;

		if (!column->can_insert || column->generated || is_kept(column) ||
			is_of_no_use(tool, column))
			continue;
		property = crm_mcp_copy_property(column);
		property->required = column->not_null && !column->has_default;
		property->nullable = false;
		if (strcmp(property->name, MCP_KEY) == 0)
			property->description = "A uuid that you choose, if you like";
		properties = lappend(properties, property);
	}
	return properties;
}

/* ERROR 42501: a policy or a trigger suppressed the write. */
static void
report_suppressed(McpTool *tool)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the row of %s could not be written", tool->table->name),
			 crm_errdetail_suppressed()));
}

static char *
call_create(McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = crm_mcp_given(arguments, properties, true);
	char	   *table = crm_mcp_table_name(tool->object);
	char	   *row;

	row = crm_mcp_run_returning(tool->columns,
								given == NIL ? psprintf("INSERT INTO %s AS t DEFAULT VALUES", table) :
								psprintf("INSERT INTO %s AS t (%s) SELECT %s FROM %s",
										 table, crm_mcp_names(given, ""), crm_mcp_names(given, "f."),
										 crm_mcp_record(given)),
								arguments);
	if (row == NULL)
		report_suppressed(tool);
	return row;
}

static List *
update_properties(McpTool *tool)
{
	List	   *properties = list_make1(key_property(tool));
	McpColumn  *version = crm_mcp_find_column(tool->columns, "version");
	ListCell   *cell;

	foreach(cell, tool->columns)
	{
		McpColumn  *column = lfirst(cell);
		McpProperty *property;

		if (!crm_mcp_can_change(column))
			continue;
		property = crm_mcp_copy_property(column);
		property->fallback = NULL;
		properties = lappend(properties, property);
	}
	if (version != NULL && version->can_select && version->property.type == INT4OID)
		properties = lappend(properties,
							 crm_mcp_make_property("expected_version", INT4OID,
												   "The version that you have read"));
	return properties;
}

/* The condition that a row has the version in the arguments. */
static char *
of_version(void)
{
	return psprintf(" AND t.version OPERATOR(pg_catalog.=) %s",
					crm_mcp_argument_value("expected_version", INT4OID, -1));
}

/* As a row, for UPDATE.  Only a record takes arrays, which Citus does not. */
static char *
new_values(McpTool *tool, List *given)
{
	if (crm_is_distributed(tool->object))
		return psprintf("ROW(%s)", crm_mcp_argument_values(given));
	return psprintf("(SELECT %s FROM %s)", crm_mcp_names(given, "f."), crm_mcp_record(given));
}

static char *
call_update(McpTool *tool, Jsonb *arguments, List *properties)
{
	List	   *given = NIL;
	bool		versioned = false;
	char	   *table = crm_mcp_table_name(tool->object);
	char	   *row;
	ListCell   *cell;

	foreach(cell, crm_mcp_given(arguments, properties, true))
	{
		McpProperty *property = lfirst(cell);

		if (property->column)
			given = lappend(given, property);
		else if (strcmp(property->name, "expected_version") == 0)
			versioned = true;
	}
	if (given == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to update"),
				 errhint("Give the columns to change, besides id.")));
	row = crm_mcp_run_returning(tool->columns,
								psprintf("UPDATE %s AS t SET (%s) = %s WHERE %s%s",
										 table, crm_mcp_names(given, ""), new_values(tool, given),
										 by_key(), versioned ? of_version() : ""),
								arguments);
	if (row != NULL)
		return row;
	if (crm_mcp_run(psprintf("SELECT t." MCP_KEY " FROM %s AS t WHERE %s", table, by_key()), arguments) == NULL)
		report_not_found(tool, arguments);
	if (!versioned)
		report_suppressed(tool);
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("row %s of %s is not of the expected version",
					crm_mcp_string(&arguments->root, MCP_KEY), tool->table->name),
			 errhint("It has been changed: get it again.")));
}

static char *
call_delete(McpTool *tool, Jsonb *arguments, List *properties)
{
	char	   *row = crm_mcp_run_returning(tool->columns,
											psprintf("DELETE FROM %s AS t WHERE %s",
													 crm_mcp_table_name(tool->object), by_key()),
											arguments);

	if (row == NULL)
		report_not_found(tool, arguments);
	return row;
}

/* The members that every row has. */
static char *
row_output(McpTool *tool)
{
	return psprintf("{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"%s\":{\"type\":\"string\"}}}",
					tool->table->label);
}

const McpToolKind crm_mcp_get_kind = {key_properties, call_get, row_output};
const McpToolKind crm_mcp_create_kind = {create_properties, call_create, row_output};
const McpToolKind crm_mcp_update_kind = {update_properties, call_update, row_output};
const McpToolKind crm_mcp_delete_kind = {key_properties, call_delete, row_output};
