/*
 * mcp/linked.c
 *		Relations whose rows have names: tables of the CRM, and views of tables
 *		that are linked to it.
 *
 * This is the only place that knows which relation holds the contacts, owners
 * and organizations, and which of its columns is the name.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/query.h"
#include "mcp/columns.h"
#include "mcp/linked.h"

/* Columns that hold a row's name: tables of the CRM have one of them, linked views "name". */
static const char *const labels[] = {"name", "title"};

static bool
is_text(McpColumn *column)
{
	Oid			type = getBaseType(column->property.type);

	return column->can_select &&
		(type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID);
}

/* t.column as text; NULL if there is no such text column that the caller may read. */
static char *
text_column(List *columns, const char *name)
{
	McpColumn  *column = crm_mcp_find_column(columns, name);

	if (column == NULL || !is_text(column))
		return NULL;
	return psprintf("t.%s::pg_catalog.text", quote_identifier(name));
}

/* The expressions, as one text with a space between each two; NULL if there are none. */
static char *
joined(List *expressions)
{
	StringInfoData text;
	ListCell   *cell;

	if (list_length(expressions) < 2)
		return expressions ? linitial(expressions) : NULL;
	initStringInfo(&text);
	appendStringInfoString(&text, "pg_catalog.concat_ws(' '");
	foreach(cell, expressions)
		appendStringInfo(&text, ", %s", (char *) lfirst(cell));
	appendStringInfoChar(&text, ')');
	return text.data;
}

/* A linked table may have no column of names: then the id serves as the name. */
static char *
label_of(List *columns)
{
	for (int i = 0; i < lengthof(labels); i++)
	{
		char	   *label = text_column(columns, labels[i]);

		if (label != NULL)
			return label;
	}
	return "t.id::pg_catalog.text";
}

/* All texts of a row, and its metadata. */
static char *
text_of(List *columns)
{
	List	   *texts = NIL;
	ListCell   *cell;

	foreach(cell, columns)
	{
		McpColumn  *column = lfirst(cell);

		if (is_text(column) && column->property.choices == NIL)
			texts = lappend(texts, text_column(columns, column->property.name));
		else if (column->can_select && strcmp(column->property.name, "metadata") == 0)
			texts = lappend(texts, "t.metadata::pg_catalog.text");
	}
	return joined(texts);
}

/*
 * Whether the caller may read what the view reads.  The view has the rights of its
 * caller, so the right to read the view is not enough.
 */
static bool
may_read_behind(McpNamed *named)
{
	SPIPlanPtr	plan;

	if (get_rel_relkind(named->relid) != RELKIND_VIEW)
		return true;
	plan = SPI_prepare_cursor(psprintf("SELECT t.id, %s, %s FROM %s AS t",
									   named->label, named->text, named->relation),
							  0, NULL, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare to read names: %s", SPI_result_code_string(SPI_result));
	return crm_may_run(plan);
}

bool
crm_mcp_named(Oid schema, const char *relation, McpNamed *named)
{
	List	   *columns;
	McpColumn  *key;

	named->relid = get_relname_relid(relation, schema);
	if (!OidIsValid(named->relid))
		return false;
	columns = crm_mcp_columns(named->relid);
	key = crm_mcp_find_column(columns, "id");
	named->relation = crm_mcp_table_name(named->relid);
	named->label = label_of(columns);
	named->text = text_of(columns);
	named->has_archived = crm_mcp_find_column(columns, "archived_at") != NULL;
	named->has_pipeline = crm_mcp_find_column(columns, "pipeline_id") != NULL;
	return key != NULL && key->can_select && key->property.type == UUIDOID &&
		may_read_behind(named);
}
