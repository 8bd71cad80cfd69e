/*
 * mcp/tool.c
 *		A tool: how it is described to a client and called.
 *
 * What the arguments of a call must be, beyond their names, is mostly left to
 * SQL, which reads the values and applies the constraints.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "mcp/message.h"
#include "mcp/tool.h"

static void
append_input_schema(StringInfo out, List *properties)
{
	StringInfoData required;
	ListCell   *cell;
	const char *separator = "";

	initStringInfo(&required);
	appendStringInfoString(out, "{\"type\":\"object\",\"properties\":{");
	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		appendStringInfoString(out, separator);
		separator = ",";
		escape_json(out, property->name);
		appendStringInfoChar(out, ':');
		crm_mcp_append_schema(out, property);
		if (!property->required)
			continue;
		if (required.len > 0)
			appendStringInfoChar(&required, ',');
		escape_json(&required, property->name);
	}
	appendStringInfoChar(out, '}');
	if (required.len > 0)
		appendStringInfo(out, ",\"required\":[%s]", required.data);
	appendStringInfoString(out, ",\"additionalProperties\":false}");
}

void
crm_mcp_describe_tool(StringInfo out, McpTool *tool)
{
	appendStringInfoString(out, "{\"name\":");
	escape_json(out, tool->name);
	appendStringInfoString(out, ",\"title\":");
	escape_json(out, tool->title);
	appendStringInfoString(out, ",\"description\":");
	escape_json(out, tool->description);
	appendStringInfoString(out, ",\"inputSchema\":");
	append_input_schema(out, tool->kind->properties(tool));
	appendStringInfo(out, ",\"annotations\":{\"readOnlyHint\":%s",
					 tool->read_only ? "true" : "false");
	if (!tool->read_only)
		appendStringInfo(out, ",\"destructiveHint\":%s,\"idempotentHint\":%s",
						 tool->destructive ? "true" : "false",
						 tool->idempotent ? "true" : "false");
	appendStringInfoString(out, ",\"openWorldHint\":false}}");
}

static char *
names_of(List *properties)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, properties)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 ((McpProperty *) lfirst(cell))->name);
	return names.data;
}

/* ERROR 22023 for an argument that the tool does not have. */
static void
check_names(McpTool *tool, Jsonb *arguments, List *properties)
{
	JsonbIterator *iterator = JsonbIteratorInit(&arguments->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		ListCell   *cell;
		bool		known = false;
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		foreach(cell, properties)
			known |= strcmp(((McpProperty *) lfirst(cell))->name, name) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("tool %s has no argument \"%s\"", tool->name, name),
					 properties == NIL ? errdetail("It has no arguments.") :
					 errdetail("Its arguments are %s.", names_of(properties))));
	}
}

/* ERROR 22023 for an object or array that SQL would accept as the text of a scalar. */
static void
check_value(McpProperty *property, JsonbValue *value)
{
	Oid			base = getBaseType(property->type);
	bool		is_array = OidIsValid(get_element_type(base));
	bool		is_list;

	if (base == JSONOID || base == JSONBOID || get_typtype(base) == TYPTYPE_COMPOSITE ||
		value->type == jbvNull)
		return;
	is_list = value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
	if (value->type == jbvBinary ? !(is_array && is_list) : is_array)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 is_array ? errmsg("%s must be an array", property->name) :
				 errmsg("%s must be neither an object nor an array", property->name)));
}

static void
check_arguments(McpTool *tool, Jsonb *arguments, List *properties)
{
	ListCell   *cell;

	check_names(tool, arguments, properties);
	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);
		JsonbValue	value;

		if (crm_mcp_member(&arguments->root, property->name, &value) &&
			!(property->required && value.type == jbvNull))
			check_value(property, &value);
		else if (property->required)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("tool %s needs the argument \"%s\"", tool->name, property->name)));
	}
}

/*
 * Checks deferred constraints now: an error at the end of the transaction would
 * come after the reply.
 */
static void
check_deferred(void)
{
	int			result = SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0);

	if (result != SPI_OK_UTILITY)
		elog(ERROR, "could not check constraints: %s", SPI_result_code_string(result));
}

char *
crm_mcp_call_tool(McpTool *tool, Jsonb *arguments)
{
	List	   *properties = tool->kind->properties(tool);
	char	   *result;

	check_arguments(tool, arguments, properties);
	result = tool->kind->call(tool, arguments, properties);
	if (!tool->read_only)
		check_deferred();
	return result;
}
