/*
 * analytics/row_columns.c
 *		The columns that a query reads of a table, and where they are in its rows.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "analytics/row_columns.h"

/* Whether a query that names all columns gets the rows as they are stored. */
static bool
gives_stored_rows(Relation table)
{
	TupleDesc	desc = RelationGetDescr(table);

	/* A table without pages may be sharded: then whole rows would be sent. */
	if (table->rd_rel->relkind != RELKIND_RELATION || RelationGetNumberOfBlocks(table) == 0 ||
		pg_class_aclcheck(RelationGetRelid(table), GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped)
			return false;
	}
	return true;
}

static inline bool
is_asked(uint32 asked, int column)
{
	return (asked & (1U << column)) != 0;
}

/* The column in stored rows; NULL if it is another one there. */
static const FormData_pg_attribute *
find_stored(Relation table, const RowColumn *column)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(table), column->name);
	const FormData_pg_attribute *stored;

	if (column->expression != NULL || attno == InvalidAttrNumber)
		return NULL;
	stored = TupleDescAttr(RelationGetDescr(table), attno - 1);
	return stored->atttypid == column->type ? stored : NULL;
}

/* Finds the columns that are asked for in stored rows; false if that cannot be. */
static bool
find_all_stored(Relation table, const RowColumn *columns, int ncolumns, int nrequired,
				uint32 asked, RowColumns *rows)
{
	if (table == NULL || !gives_stored_rows(table))
		return false;
	rows->last = rows->unsure = 0;
	for (int i = 0; i < ncolumns; i++)
	{
		const FormData_pg_attribute *stored;

		rows->at[i] = -1;
		if (!is_asked(asked, i))
			continue;
		stored = find_stored(table, &columns[i]);
		if (stored == NULL)
			return false;
		rows->at[i] = stored->attnum - 1;
		rows->last = Max(rows->last, stored->attnum);
		if (i < nrequired && !stored->attnotnull)
			rows->unsure = nrequired;
	}
	return true;
}

char *
crm_select_list(Relation table, const char *alias, const RowColumn *columns, int ncolumns,
				int nrequired, uint32 asked, RowColumns *rows)
{
	StringInfoData list;

	Assert(ncolumns <= MAX_ROW_COLUMNS);
	rows->stored = find_all_stored(table, columns, ncolumns, nrequired, asked, rows);
	if (rows->stored)
		return psprintf("%s.*", alias);
	initStringInfo(&list);
	rows->last = 0;
	rows->unsure = nrequired;
	for (int i = 0; i < ncolumns; i++)
	{
		rows->at[i] = is_asked(asked, i) ? rows->last++ : -1;
		if (rows->at[i] < 0)
			continue;
		if (list.len > 0)
			appendStringInfoString(&list, ", ");
		if (columns[i].expression != NULL)
			appendStringInfoString(&list, columns[i].expression);
		else
			appendStringInfo(&list, "%s.%s::%s", alias, columns[i].name,
							 format_type_be_qualified(columns[i].type));
	}
	return list.data;
}
