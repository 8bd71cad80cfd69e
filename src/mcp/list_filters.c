/*
 * mcp/list_filters.c
 *		What the lists of rows can be filtered by: values of columns, several of
 *		them, ranges, links to other rows, and words.
 *
 * All values are read from $1, the object of the arguments.  A sub-select of it is
 * evaluated once, so that an index can be used.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "mcp/arguments.h"
#include "mcp/columns.h"
#include "mcp/linked.h"
#include "mcp/list_filters.h"
#include "mcp/reference.h"
#include "mcp/table.h"
#include "mcp/words.h"

/* How an argument restricts the rows. */
typedef struct McpFilter
{
	const char *column;			/* of the table, or NULL */
	const char *operator;		/* between the column and the argument */
	const struct Link *link;	/* or by rows of another table */
} McpFilter;

/* Rows of another table by which the rows of a table are found. */
typedef struct Link
{
	const char *table;
	const char *argument;		/* also the name of the linking table's column */
	const char *linking;
	const char *column;			/* of the linking table: id of a row of table */
	const char *description;
} Link;

static const Link links[] = {
	{"deals", "tag_id", "deal_tags", "deal_id", "Any of these tags"},
	{"deals", "contact_id", "deal_contacts", "deal_id", "Any of these contacts"},
};

static McpProperty *
make_filter(const char *name, Oid type, const char *description, const char *column,
			const char *operator)
{
	McpProperty *property = crm_mcp_make_property(name, type, description);
	McpFilter  *filter = palloc0(sizeof(McpFilter));

	filter->column = column;
	filter->operator = operator;
	property->filter = filter;
	return property;
}

/*
 * Whether a list can be filtered by values of the column: it has an index or few
 * values, and its type's "=" is in pg_catalog.
 */
static bool
has_values(McpColumn *column)
{
	McpProperty *property = &column->property;
	Oid			type = getBaseType(property->type);

	if (!column->can_select || strcmp(property->name, MCP_KEY) == 0 ||
		strcmp(property->name, "rank") == 0)
		return false;
	if (type == UUIDOID || type == BOOLOID || get_typtype(type) == TYPTYPE_ENUM)
		return true;
	if (type == JSONBOID || type == JSONOID || type == DATEOID || type == TIMESTAMPTZOID ||
		type == NUMERICOID || type >= FirstNormalObjectId || OidIsValid(get_element_type(type)))
		return false;
	return property->choices != NIL || column->indexed;
}

static McpProperty *
value_filter(McpColumn *column)
{
	Oid			type = column->property.type;
	Oid			array = get_array_type(type);
	McpProperty *property = make_filter(column->property.name,
										type == BOOLOID || !OidIsValid(array) ? type : array,
										NULL, column->property.name, "=");

	property->choices = column->property.choices;
	if (property->refers == NULL && property->choices == NIL)
		property->description = type == BOOLOID ? "Only with this value" : "Any of these";
	else if (property->refers != NULL)
		property->description = "Ids or names";
	else
		property->description = "Any of these";
	return property;
}

/* The name of a time or date column without its last part: expected_close, won, created. */
static char *
stem(const char *name)
{
	static const char *const ends[] = {"_at", "_date", "_on"};
	int			length = strlen(name);

	for (int i = 0; i < lengthof(ends); i++)
	{
		int			end = strlen(ends[i]);

		if (length > end && strcmp(name + length - end, ends[i]) == 0)
			return pnstrdup(name, length - end);
	}
	return pstrdup(name);
}

/* Adds the arguments for a range of the column, if its type has an order. */
static List *
add_range(List *properties, McpColumn *column)
{
	const char *name = column->property.name;
	Oid			type = getBaseType(column->property.type);

	if (!column->can_select || strcmp(name, "archived_at") == 0)
		return properties;
	if (strcmp(name, "updated_at") == 0)
		return lappend(properties, make_filter("updated_since", type, "Changed at that moment or later", name, ">="));
	if (type == NUMERICOID)
	{
		properties = lappend(properties, make_filter(psprintf("%s_min", name), type, NULL, name, ">="));
		return lappend(properties, make_filter(psprintf("%s_max", name), type, NULL, name, "<="));
	}
	if (type != DATEOID && type != TIMESTAMPTZOID)
		return properties;
	properties = lappend(properties, make_filter(psprintf("%s_from", stem(name)), type, "Included", name, ">="));
	return lappend(properties, make_filter(psprintf("%s_before", stem(name)), type, "Not included", name, "<"));
}

/* Describes the arguments of a range whose names do not tell what they are. */
static void
describe_ranges(List *properties)
{
	ListCell   *cell;

	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		if (property->description == NULL)
			property->description = property->filter->operator[0] == '>' ? "At least" : "At most";
	}
}

static List *
add_links(List *properties, McpTool *tool)
{
	for (int i = 0; i < lengthof(links); i++)
	{
		const Link *link = &links[i];
		Oid			linking = get_relname_relid(link->linking, tool->schema);
		List	   *columns;
		McpColumn  *wanted;
		McpColumn  *row;
		McpProperty *property;

		if (strcmp(link->table, tool->table->name) != 0 || !OidIsValid(linking))
			continue;
		columns = crm_mcp_columns(linking);
		wanted = crm_mcp_find_column(columns, link->argument);
		row = crm_mcp_find_column(columns, link->column);
		if (wanted == NULL || row == NULL || !wanted->can_select || !row->can_select)
			continue;
		property = make_filter(link->argument, UUIDARRAYOID, link->description, NULL, NULL);
		((McpFilter *) property->filter)->link = link;
		properties = lappend(properties, property);
	}
	return properties;
}

List *
crm_mcp_filter_properties(McpTool *tool)
{
	List	   *columns = tool->columns;
	McpColumn  *label = crm_mcp_find_column(columns, tool->table->label);
	McpColumn  *archived = crm_mcp_find_column(columns, "archived_at");
	List	   *properties = NIL;
	McpProperty *property;
	ListCell   *cell;

	foreach(cell, columns)
	{
		if (has_values(lfirst(cell)))
			properties = lappend(properties, value_filter(lfirst(cell)));
		else if (tool->table->wide)
			properties = add_range(properties, lfirst(cell));
	}
	describe_ranges(properties);
	properties = add_links(properties, tool);
	if (label != NULL && label->can_select)
		properties = lappend(properties,
							 crm_mcp_make_property("search", TEXTOID, tool->table->wide ?
												   "Words, all of them somewhere in its texts or metadata" :
												   "Words, all of them somewhere in its texts"));
	if (archived != NULL && archived->can_select)
	{
		property = crm_mcp_make_property("archived", BOOLOID, "Only archived ones, instead of the others");
		property->fallback = "false";
		properties = lappend(properties, property);
	}
	return properties;
}

/* (SELECT f.name FROM jsonb_to_record($1) ...): the argument's value. */
static char *
value_of(McpProperty *property)
{
	return psprintf("(SELECT f.%s FROM %s)", quote_identifier(property->name),
					crm_mcp_record(list_make1(property)));
}

static char *
condition(McpTool *tool, McpProperty *property)
{
	const McpFilter *filter = property->filter;
	char	   *value = value_of(property);

	if (OidIsValid(get_element_type(property->type)))
		value = psprintf("ANY (%s::%s)", value, crm_mcp_type_name(property->type, -1));
	if (filter->link != NULL)
		return psprintf("EXISTS (SELECT FROM %s AS l WHERE l.%s OPERATOR(pg_catalog.=) t." MCP_KEY
						" AND l.%s OPERATOR(pg_catalog.=) %s)",
						crm_mcp_table_name(get_relname_relid(filter->link->linking, tool->schema)),
						filter->link->column, filter->link->argument, value);
	return psprintf("t.%s OPERATOR(pg_catalog.%s) %s", quote_identifier(filter->column),
					filter->operator, value);
}

void
crm_mcp_append_filters(StringInfo query, McpTool *tool, Jsonb *arguments,
					   List *properties)
{
	ListCell   *cell;
	McpNamed	named;
	McpProperty *archived = crm_mcp_find_property(properties, "archived");

	foreach(cell, crm_mcp_given(arguments, properties, false))
	{
		McpProperty *property = lfirst(cell);

		if (property->filter != NULL)
			appendStringInfo(query, " AND %s", condition(tool, property));
		else if (strcmp(property->name, "search") == 0 &&
				 crm_mcp_named(tool->schema, tool->table->name, &named))
			appendStringInfo(query, " AND %s", crm_mcp_has_words(arguments, "search", named.text));
	}
	if (archived != NULL && archived->filter == NULL)
		appendStringInfo(query, " AND t.archived_at IS %sNULL",
						 crm_mcp_is_true(arguments, "archived") ? "NOT " : "");
}
