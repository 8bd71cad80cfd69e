/*
 * mcp/columns.c
 *		The columns of a table as the arguments of tools, and SQL over them.
 *
 * Names in the SQL made here are quoted and qualified.  Values are never part of
 * it: they are read from $1, the object of the tool's arguments (jsonb).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "mcp/columns.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/reference.h"
#include "mcp/text.h"
#include "table/cast_domain.h"
#include "table/row.h"

/* Without tenant_id: the session determines the tenant. */
static const char columns_query[] =
"SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull,"
" a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a',"
" EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey)),"
" has_column_privilege(a.attrelid, a.attnum, 'SELECT'),"
" has_column_privilege(a.attrelid, a.attnum, 'INSERT'),"
" has_column_privilege(a.attrelid, a.attnum, 'UPDATE'),"
" c.description, d.adbin, a.attnum"
" FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
" LEFT JOIN pg_description AS c ON c.objoid = a.attrelid AND c.classoid = 'pg_class'::regclass AND c.objsubid = a.attnum"
" WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'tenant_id'"
" ORDER BY a.attnum";

/* With the column, if it is of one. */
static const char checks_query[] =
"SELECT a.attname, c.conbin FROM pg_constraint AS c"
" LEFT JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] AND cardinality(c.conkey) = 1"
" WHERE c.conrelid = $1 AND c.contype = 'c' ORDER BY c.conname";

static McpColumn *
read_column(uint64 row)
{
	McpColumn  *column = palloc0(sizeof(McpColumn));
	McpProperty *property = &column->property;

	property->name = crm_mcp_field(row, 1);
	property->type = crm_mcp_oid(row, 2);
	property->typmod = pg_strtoint32(crm_mcp_field(row, 3));
	property->column = true;
	column->not_null = crm_mcp_flag(row, 4);
	column->has_default = crm_mcp_flag(row, 5);
	column->generated = crm_mcp_flag(row, 6);
	column->indexed = crm_mcp_flag(row, 7);
	column->can_select = crm_mcp_flag(row, 8);
	column->can_insert = crm_mcp_flag(row, 9);
	column->can_update = crm_mcp_flag(row, 10);
	property->nullable = !column->not_null;
	property->refers = crm_mcp_reference_of(property->name, property->type);
	if (crm_mcp_field(row, 11) != NULL)
		property->description = property->refers ? "Id or name" :
			crm_mcp_first_clause(crm_mcp_field(row, 11));
	if (!column->generated && crm_mcp_field(row, 12) != NULL)
		property->fallback = crm_mcp_constant(stringToNode(crm_mcp_field(row, 12)));
	/* The placeholder is not a value that the column's CHECK allows. */
	if (property->fallback != NULL && strcmp(property->fallback, "\"" CRM_FILLED_TEXT "\"") == 0)
		property->fallback = NULL;
	column->attno = pg_strtoint32(crm_mcp_field(row, 13));
	column->domain = property->type;
	return column;
}

/* What the CHECK of a column allows. */
static void
apply_check(McpColumn *column, Node *check)
{
	if (column == NULL)
		return;
	if (column->property.choices == NIL)
		column->property.choices = crm_mcp_choices_of_check(check);
	column->property.is_object |= crm_mcp_check_wants_object(check);
}

/* Finds the domains that a CHECK casts columns to. */
static void
note_domains(List *columns, Node *check)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);
		Oid			domain = crm_cast_domain(check, column->attno);

		if (OidIsValid(domain))
			column->domain = domain;
	}
}

List *
crm_mcp_columns(Oid table)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(table)};
	List	   *columns = NIL;
	ListCell   *cell;

	crm_mcp_catalog_query(columns_query, 1, types, args);
	for (uint64 row = 0; row < SPI_processed; row++)
		columns = lappend(columns, read_column(row));

	crm_mcp_catalog_query(checks_query, 1, types, args);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Node	   *check = stringToNode(crm_mcp_field(row, 2));

		if (crm_mcp_field(row, 1) != NULL)
			apply_check(crm_mcp_find_column(columns, crm_mcp_field(row, 1)), check);
		note_domains(columns, check);
	}

	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);

		if (column->property.choices == NIL)
			column->property.choices = crm_mcp_choices_of_type(column->domain);
		column->property.is_object |= crm_mcp_type_wants_object(column->domain);
	}
	return columns;
}

McpColumn *
crm_mcp_find_column(List *columns, const char *name)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);

		if (strcmp(column->property.name, name) == 0)
			return column;
	}
	return NULL;
}

char *
crm_mcp_readable(List *columns)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);

		if (column->can_select)
			appendStringInfo(&list, "%st.%s", list.len > 0 ? ", " : "",
							 quote_identifier(column->property.name));
	}
	return list.len > 0 ? list.data : NULL;
}

char *
crm_mcp_row_as_json(List *columns)
{
	return psprintf("(SELECT pg_catalog.row_to_json(r) FROM (SELECT %s) AS r)", crm_mcp_readable(columns));
}

char *
crm_mcp_run_returning(List *columns, const char *statement, Jsonb *arguments)
{
	char	   *list = crm_mcp_readable(columns);

	return crm_mcp_run(psprintf("WITH r AS (%s RETURNING %s) SELECT %s FROM r",
								statement, list ? list : "1",
								list ? "pg_catalog.row_to_json(r)" : "'{}'"),
					   arguments);
}

char *
crm_mcp_names(List *properties, const char *prefix)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, properties)
		appendStringInfo(&names, "%s%s%s", names.len > 0 ? ", " : "", prefix,
						 quote_identifier(((McpProperty *) lfirst(cell))->name));
	return names.data;
}

char *
crm_mcp_record_columns(List *properties)
{
	StringInfoData columns;
	ListCell   *cell;

	initStringInfo(&columns);
	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		appendStringInfo(&columns, "%s%s %s", columns.len > 0 ? ", " : "",
						 quote_identifier(property->name),
						 crm_mcp_type_name(property->type, property->typmod));
	}
	return columns.data;
}

char *
crm_mcp_record(List *properties)
{
	if (properties == NIL)
		return pstrdup("");
	return psprintf("pg_catalog.jsonb_to_record($1) AS f(%s)", crm_mcp_record_columns(properties));
}

char *
crm_mcp_argument_value(const char *name, Oid type, int32 typmod)
{
	bool		json = type == JSONBOID || type == JSONOID;
	char	   *member = psprintf("$1 OPERATOR(pg_catalog.%s) %s", json ? "->" : "->>", quote_literal_cstr(name));

	if (json)
		member = psprintf("CASE WHEN pg_catalog.jsonb_typeof(%1$s) OPERATOR(pg_catalog.<>) 'null' THEN %1$s END", member);
	return psprintf("(%s)::%s", member, crm_mcp_type_name(type, typmod));
}

char *
crm_mcp_argument_values(List *properties)
{
	StringInfoData members;
	ListCell   *cell;

	initStringInfo(&members);
	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		appendStringInfo(&members, "%s%s", members.len > 0 ? ", " : "",
						 crm_mcp_argument_value(property->name, property->type, property->typmod));
	}
	return members.data;
}

List *
crm_mcp_given(Jsonb *arguments, List *properties, bool nulls)
{
	List	   *given = NIL;
	ListCell   *cell;

	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);
		JsonbValue	value;

		if (crm_mcp_member(&arguments->root, property->name, &value) &&
			(value.type != jbvNull || (nulls && property->nullable)))
			given = lappend(given, property);
	}
	return given;
}

char *
crm_mcp_table_name(Oid table)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
									  get_rel_name(table));
}

McpProperty *
crm_mcp_copy_property(McpColumn *column)
{
	McpProperty *property = palloc(sizeof(McpProperty));

	*property = column->property;
	return property;
}
