/*
 * install/linked_table.c
 *		The user's table that a column of a CRM is linked to, and the view of it.
 *
 * In every such view the key is called "id", and the column that names a row, if the
 * user has given one, is called "name".  So the CRM's queries can read any of them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/query.h"
#include "install/linked_table.h"
#include "table/installation.h"

/* Opens the user's table, checking that a foreign key can refer to it. */
static Relation
open_table(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", relid)));
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errdetail("A foreign key refers to a table."),
				 errhint("Give a table with a unique id.")));
	return rel;
}

/* The column of the table by that name, which exists and is the user's. */
static AttrNumber
column_number(Relation rel, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(rel), name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, RelationGetRelationName(rel)),
				 errhint("Give a column that the table has.")));
	return column;
}

char *
crm_linked_column(const LinkedTable *table, AttrNumber column)
{
	return NameStr(TupleDescAttr(RelationGetDescr(table->rel), column - 1)->attname);
}

/* ---- the key ---- */

/* Whether some index guarantees that the column alone is unique. */
static bool
is_unique(Relation rel, AttrNumber column)
{
	bool		unique = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisunique && form->indimmediate && form->indisvalid &&
			form->indnkeyatts == 1 && form->indkey.values[0] == column &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
			unique = true;
		relation_close(index, AccessShareLock);
	}
	return unique;
}

/* The table's primary key, of one column. */
static AttrNumber
primary_key(const LinkedTable *table)
{
	Oid			constraint;
	Bitmapset  *key = get_primary_key_attnos(RelationGetRelid(table->rel), false, &constraint);
	int			offset;

	if (!bms_get_singleton_member(key, &offset))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no primary key of one column",
						RelationGetRelationName(table->rel)),
				 errhint("Name the column that identifies its rows: id_column => '...'.")));
	return offset + FirstLowInvalidHeapAttributeNumber;
}

static void
check_key(const LinkedTable *table, Oid extension)
{
	Oid			relid = RelationGetRelid(table->rel);
	char	   *table_name = RelationGetRelationName(table->rel);
	char	   *key = crm_linked_column(table, table->key);

	if (getBaseType(get_atttype(relid, table->key)) != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is not of type uuid", key, table_name),
				 errhint("Use ALTER TABLE %s ADD crm_id uuid GENERATED ALWAYS AS (%s.crm_external_uuid(%s, %s::text)) STORED UNIQUE, and name that column as id_column.",
						 crm_relation_name(relid), quote_identifier(get_namespace_name(extension)),
						 quote_literal_cstr(table_name), quote_identifier(key))));
	if (!is_unique(table->rel, table->key))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FOREIGN_KEY),
				 errmsg("column \"%s\" of table \"%s\" is not unique", key, table_name),
				 errhint("Use ALTER TABLE %s ADD UNIQUE (%s).",
						 crm_relation_name(relid), quote_identifier(key))));
}

/* ---- the columns to show ---- */

static List *
all_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *columns = NIL;

	for (AttrNumber column = 1; column <= desc->natts; column++)
	{
		if (!TupleDescAttr(desc, column - 1)->attisdropped)
			columns = lappend_int(columns, column);
	}
	return columns;
}

static List *
listed_columns(Relation rel, ArrayType *names)
{
	List	   *columns = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("columns must not contain nulls"),
					 errhint("Leave the nulls out.")));
		columns = lappend_int(columns, column_number(rel, NameStr(*DatumGetName(elements[i]))));
	}
	return columns;
}

/*
 * What a column is called in the view: the key is "id", the one that names a row
 * "name"; another column called "id" becomes "external_id", the CRM's name for
 * ids of elsewhere.
 */
static const char *
shown_name(const LinkedTable *table, AttrNumber column)
{
	char	   *name = crm_linked_column(table, column);

	if (column == table->key)
		return "id";
	if (column == table->name)
		return "name";
	return strcmp(name, "id") == 0 ? "external_id" : name;
}

static void
check_names(const LinkedTable *table)
{
	ListCell   *cell;
	ListCell   *other;

	foreach(cell, table->columns)
	{
		const char *shown = shown_name(table, lfirst_int(cell));

		for_each_cell(other, table->columns, lnext(table->columns, cell))
		{
			if (strcmp(shown, shown_name(table, lfirst_int(other))) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("columns \"%s\" and \"%s\" of table \"%s\" cannot both be shown",
								crm_linked_column(table, lfirst_int(cell)),
								crm_linked_column(table, lfirst_int(other)),
								RelationGetRelationName(table->rel)),
						 errdetail("Both would be \"%s\" in the view \"%s\": the key is called \"id\" there, name_column \"name\", and another column \"id\" \"external_id\".",
								   shown, table->link->view),
						 errhint("List the columns to show without one of them: columns => '{...}'.")));
		}
	}
}

void
crm_open_linked_table(LinkedTable *table, FunctionCallInfo fcinfo, const CrmLink *link,
					  Oid relid, const char *key, const char *name, ArrayType *columns)
{
	table->link = link;
	table->rel = open_table(relid);
	table->key = key == NULL ? primary_key(table) : column_number(table->rel, key);
	check_key(table, crm_extension_schema(fcinfo));
	table->name = name == NULL ? 0 : column_number(table->rel, name);
	table->columns = list_make1_int(table->key);
	if (table->name != 0)
		table->columns = list_append_unique_int(table->columns, table->name);
	table->columns = list_concat_unique_int(table->columns,
											columns == NULL ? all_columns(table->rel) :
											listed_columns(table->rel, columns));
	check_names(table);
}

/* ---- the view ---- */

static char *
view_definition(const LinkedTable *table, const char *view)
{
	StringInfoData query;
	ListCell   *cell;

	initStringInfo(&query);
	appendStringInfo(&query, "CREATE VIEW %s WITH (security_invoker = true) AS SELECT", view);
	foreach(cell, table->columns)
	{
		AttrNumber	column = lfirst_int(cell);

		appendStringInfo(&query, "%s c.%s", cell == list_head(table->columns) ? "" : ",",
						 quote_identifier(crm_linked_column(table, column)));
		appendStringInfo(&query, " AS %s", quote_identifier(shown_name(table, column)));
	}
	appendStringInfo(&query, " FROM %s AS c", crm_relation_name(RelationGetRelid(table->rel)));
	return query.data;
}

Oid
crm_create_linked_view(const LinkedTable *table, Oid schema)
{
	Oid			relid = RelationGetRelid(table->rel);
	char	   *comment = GetComment(relid, RelationRelationId, 0);
	ListCell   *cell;
	Oid			view;
	int			position = 0;

	crm_run(view_definition(table, crm_qualified_name(schema, table->link->view)));
	view = get_relname_relid(table->link->view, schema);
	if (comment == NULL)
		comment = psprintf("The %s of the deals: the rows of %s, read with the reader's rights.",
						   table->link->view, crm_relation_name(relid));
	CreateComments(view, RelationRelationId, 0, comment);
	foreach(cell, table->columns)
	{
		comment = GetComment(relid, RelationRelationId, lfirst_int(cell));
		if (comment == NULL && lfirst_int(cell) == table->key)
			comment = psprintf("The %s, as %s has it.", table->link->noun, table->link->column);
		CreateComments(view, RelationRelationId, ++position, comment);
	}
	return view;
}
