/*
 * install/link_contacts.c
 *		Tying a CRM to the user's own table of contacts.
 *
 * A link is a foreign key of deal_contacts.contact_id and a view, both by
 * fixed names; it is made and undone with the caller's rights, by the DDL
 * the caller could have written.  What makes and undoes it relies on its
 * declared search_path (pg_catalog, pg_temp) and qualifies every other name.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "base/errors.h"
#include "base/query.h"
#include "install/computed_relationships.h"
#include "table/installation.h"

#define LINKING_TABLE	"deal_contacts"
#define FOREIGN_KEY		"deal_contacts_contact_id_fkey"
#define VIEW			"contacts"

/* How many contacts without a match an error names. */
#define MAX_NAMED		3

/* "schema"."relation", quoted as needed. */
static char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/*
 * The table deal_contacts of a CRM, which the caller must own; locked in that
 * mode, so that there is one link at a time, and nothing new to check meanwhile.
 */
static Oid
lock_linking_table(CrmInstallation *installation, LOCKMODE mode)
{
	Oid			relid = get_relname_relid(LINKING_TABLE, installation->schema);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("schema \"%s\" has no table %s",
						get_namespace_name(installation->schema), LINKING_TABLE)));
	if (!has_privs_of_role(GetUserId(), installation->owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, LINKING_TABLE);
	LockRelationOid(relid, mode);
	return relid;
}

/* Refuses a CRM that is linked, or in whose schema the view's name is taken. */
static void
check_not_linked(CrmInstallation *installation, Oid linking)
{
	char	   *schema = get_namespace_name(installation->schema);
	Oid			constraint = get_relation_constraint_oid(linking, FOREIGN_KEY, true);

	if (OidIsValid(constraint))
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
		Oid			linked;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for constraint %u", constraint);
		linked = ((Form_pg_constraint) GETSTRUCT(tuple))->confrelid;
		ReleaseSysCache(tuple);
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("the contacts of the CRM in schema \"%s\" are linked already", schema),
				 OidIsValid(linked) ?
				 errdetail("They are rows of %s.", qualified_name(linked)) : 0,
				 errhint("SELECT crm_unlink_contacts(%s) undoes that.",
						 quote_literal_cstr(schema))));
	}
	if (OidIsValid(get_relname_relid(VIEW, installation->schema)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists in schema \"%s\"", VIEW, schema),
				 errhint("The view of the linked contacts takes that name; rename or drop what has it.")));
}

/* Opens the user's table, checking that a foreign key can refer to it. */
static Relation
open_contacts(Oid relid)
{
	Relation	contacts = try_relation_open(relid, AccessShareLock);

	if (contacts == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", relid)));
	if (contacts->rd_rel->relkind != RELKIND_RELATION &&
		contacts->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(contacts)),
				 errdetail("A foreign key refers to a table.")));
	return contacts;
}

/* The column of the table by that name, which exists and is the user's. */
static AttrNumber
column_number(Relation table, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(table), name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, RelationGetRelationName(table))));
	return column;
}

static char *
column_name(Relation table, AttrNumber column)
{
	return NameStr(TupleDescAttr(RelationGetDescr(table), column - 1)->attname);
}

/* Whether some index guarantees that the column alone is unique. */
static bool
is_unique(Relation table, AttrNumber column)
{
	bool		unique = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(table))
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

/*
 * The column that contact_id refers to: the one named, or else the table's
 * primary key; a unique uuid.
 */
static AttrNumber
key_column(FunctionCallInfo fcinfo, Relation table, const char *name)
{
	char	   *table_name = RelationGetRelationName(table);
	AttrNumber	column;
	int			offset;

	if (name != NULL)
		column = column_number(table, name);
	else
	{
		Oid			constraint;
		Bitmapset  *key = get_primary_key_attnos(RelationGetRelid(table),
												 false, &constraint);

		if (!bms_get_singleton_member(key, &offset))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("table \"%s\" has no primary key of one column", table_name),
					 errhint("Name the column that identifies a contact: id_column => '...'.")));
		column = offset + FirstLowInvalidHeapAttributeNumber;
	}
	if (getBaseType(get_atttype(RelationGetRelid(table), column)) != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is not of type uuid",
						column_name(table, column), table_name),
				 errhint("Add a column that is, and name it as id_column: ALTER TABLE %s ADD crm_id uuid GENERATED ALWAYS AS (%s.crm_external_uuid(%s, %s::text)) STORED UNIQUE",
						 qualified_name(RelationGetRelid(table)),
						 quote_identifier(get_namespace_name(crm_extension_schema(fcinfo))),
						 quote_literal_cstr(table_name),
						 quote_identifier(column_name(table, column)))));
	if (!is_unique(table, column))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FOREIGN_KEY),
				 errmsg("column \"%s\" of table \"%s\" is not unique",
						column_name(table, column), table_name),
				 errhint("ALTER TABLE %s ADD UNIQUE (%s)",
						 qualified_name(RelationGetRelid(table)),
						 quote_identifier(column_name(table, column)))));
	return column;
}

/*
 * Names the contacts that the table lacks.  A courtesy: the foreign key
 * checks it for good, which also serves a caller who may not read the table.
 */
static void
check_matches(Oid linking, Relation table, AttrNumber key)
{
	Oid			relid = RelationGetRelid(table);
	StringInfoData names;

	if (pg_attribute_aclcheck(relid, key, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return;
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED ||
		check_enable_rls(linking, InvalidOid, true) == RLS_ENABLED)
		return;

	if (SPI_execute(psprintf("SELECT DISTINCT l.contact_id FROM %s AS l"
							 " WHERE NOT EXISTS (SELECT FROM %s AS c WHERE c.%s = l.contact_id)"
							 " ORDER BY 1 LIMIT %d",
							 qualified_name(linking), qualified_name(relid),
							 quote_identifier(column_name(table, key)),
							 MAX_NAMED + 1),
					false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not compare contacts");
	if (SPI_processed == 0)
		return;

	initStringInfo(&names);
	for (uint64 i = 0; i < Min(SPI_processed, MAX_NAMED); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	if (SPI_processed > MAX_NAMED)
		appendStringInfoString(&names, ", and more");
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("deals have contacts that are not in table \"%s\"",
					RelationGetRelationName(table)),
			 errdetail("Not there: %s.", names.data),
			 errtable(table)));
}

/* Makes contact_id a foreign key. */
static void
add_foreign_key(Oid linking, Relation table, AttrNumber key, const char *action)
{
	crm_run(psprintf("ALTER TABLE %s ADD CONSTRAINT " FOREIGN_KEY
					 " FOREIGN KEY (contact_id) REFERENCES %s (%s) ON DELETE %s",
					 qualified_name(linking), qualified_name(RelationGetRelid(table)),
					 quote_identifier(column_name(table, key)), action));
}

/*
 * The columns to show, the key first.  names is an array of name, or NULL for
 * all columns of the table.
 */
static List *
view_columns(Relation table, AttrNumber key, ArrayType *names)
{
	List	   *columns = list_make1_int(key);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (names == NULL)
	{
		TupleDesc	desc = RelationGetDescr(table);

		for (AttrNumber column = 1; column <= desc->natts; column++)
		{
			if (column != key && !TupleDescAttr(desc, column - 1)->attisdropped)
				columns = lappend_int(columns, column);
		}
		return columns;
	}

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		AttrNumber	column;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("columns must not contain nulls")));
		column = column_number(table, NameStr(*DatumGetName(elements[i])));
		columns = list_append_unique_int(columns, column);
	}
	return columns;
}

/*
 * What a column is called in the view: the key is "id"; another column of
 * that name becomes "external_id", the CRM's name for ids of elsewhere.
 */
static const char *
shown_name(Relation table, AttrNumber column, AttrNumber key)
{
	char	   *name = column_name(table, column);

	if (column == key)
		return "id";
	return strcmp(name, "id") == 0 ? "external_id" : name;
}

/* Refuses columns of which two would have the same name in the view. */
static void
check_names(Relation table, AttrNumber key, List *columns)
{
	bool		renamed = false;
	bool		taken = false;
	ListCell   *cell;

	foreach(cell, columns)
	{
		char	   *name = column_name(table, lfirst_int(cell));

		if (lfirst_int(cell) == key)
			continue;
		renamed |= strcmp(name, "id") == 0;
		taken |= strcmp(name, "external_id") == 0;
	}
	if (renamed && taken)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("columns \"id\" and \"external_id\" of table \"%s\" cannot both be shown",
						RelationGetRelationName(table)),
				 errdetail("In the view, \"id\" is the contact's id, column \"%s\", and the table's own \"id\" becomes \"external_id\".",
						   column_name(table, key)),
				 errhint("List the columns to show without one of them: columns => '{...}'.")));
}

/* Creates the view, commented as the table is; returns its OID. */
static Oid
create_view(CrmInstallation *installation, Relation table, AttrNumber key, List *columns)
{
	Oid			relid = RelationGetRelid(table);
	char	   *comment = GetComment(relid, RelationRelationId, 0);
	StringInfoData query;
	ListCell   *cell;
	Oid			view;
	int			position = 0;

	initStringInfo(&query);
	appendStringInfo(&query, "CREATE VIEW %s WITH (security_invoker = true) AS SELECT",
					 quote_qualified_identifier(get_namespace_name(installation->schema), VIEW));
	foreach(cell, columns)
	{
		AttrNumber	column = lfirst_int(cell);

		appendStringInfo(&query, "%s c.%s", cell == list_head(columns) ? "" : ",",
						 quote_identifier(column_name(table, column)));
		appendStringInfo(&query, " AS %s",
						 quote_identifier(shown_name(table, column, key)));
	}
	appendStringInfo(&query, " FROM %s AS c", qualified_name(relid));
	crm_run(query.data);

	view = get_relname_relid(VIEW, installation->schema);
	if (comment == NULL)
		comment = psprintf("The contacts of the deals: the rows of %s, read with the reader's rights.",
						   qualified_name(relid));
	CreateComments(view, RelationRelationId, 0, comment);
	foreach(cell, columns)
	{
		comment = GetComment(relid, RelationRelationId, lfirst_int(cell));
		if (comment == NULL && lfirst_int(cell) == key)
			comment = "The contact, as deal_contacts.contact_id has it.";
		CreateComments(view, RelationRelationId, ++position, comment);
	}
	return view;
}

/* The foreign key's action for the argument on_delete. */
static const char *
delete_action(const char *on_delete)
{
	if (strcmp(on_delete, "cascade") == 0)
		return "CASCADE";
	/* not RESTRICT, whose SQLSTATE differs between server versions */
	if (strcmp(on_delete, "restrict") == 0)
		return "NO ACTION";
	if (strcmp(on_delete, "set null") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("on_delete cannot be \"set null\""),
				 errdetail("deal_contacts.contact_id is never null."),
				 errhint("\"cascade\" removes a deleted contact from its deals.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized on_delete \"%s\"", on_delete),
			 errhint("It is \"restrict\" or \"cascade\".")));
	return NULL;				/* keep compiler quiet */
}

/*
 * crm_link_contacts(schema_name text, contacts_table regclass, id_column name,
 *					 on_delete text, columns name[]) -> regclass
 *		Links; returns the view.
 */
PG_FUNCTION_INFO_V1(crm_link_contacts);
Datum
crm_link_contacts(PG_FUNCTION_ARGS)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	char	   *id_column = PG_ARGISNULL(2) ? NULL : NameStr(*PG_GETARG_NAME(2));
	const char *action = delete_action(crm_required_text(fcinfo, 3, "on_delete"));
	ArrayType  *names = PG_ARGISNULL(4) ? NULL : PG_GETARG_ARRAYTYPE_P(4);
	CrmInstallation installation;
	Oid			linking;
	Relation	table;
	AttrNumber	key;
	List	   *columns;
	Oid			view;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("contacts table must not be null")));
	PreventCommandIfReadOnly("crm_link_contacts()");
	crm_get_installation(fcinfo, schema_name, &installation);
	linking = lock_linking_table(&installation, ShareRowExclusiveLock);
	check_not_linked(&installation, linking);

	table = open_contacts(PG_GETARG_OID(1));
	key = key_column(fcinfo, table, id_column);
	columns = view_columns(table, key, names);
	check_names(table, key, columns);

	SPI_connect();
	check_matches(linking, table, key);
	add_foreign_key(linking, table, key, action);
	view = create_view(&installation, table, key, columns);
	crm_embed_contacts(installation.schema);
	SPI_finish();
	relation_close(table, NoLock);
	PG_RETURN_OID(view);
}

/*
 * crm_unlink_contacts(schema_name text) -> void
 *		Undoes crm_link_contacts(), unless something depends on the view.
 */
PG_FUNCTION_INFO_V1(crm_unlink_contacts);
Datum
crm_unlink_contacts(PG_FUNCTION_ARGS)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;
	Oid			linking;
	Oid			view;

	PreventCommandIfReadOnly("crm_unlink_contacts()");
	crm_get_installation(fcinfo, schema_name, &installation);

	/*
	 * The mode that ALTER TABLE needs: waiting for it later could be a
	 * deadlock.
	 */
	linking = lock_linking_table(&installation, AccessExclusiveLock);
	if (!OidIsValid(get_relation_constraint_oid(linking, FOREIGN_KEY, true)))
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("the contacts of the CRM in schema \"%s\" are not linked",
						schema_name)));
	SPI_connect();
	view = get_relname_relid(VIEW, installation.schema);
	if (OidIsValid(view) && get_rel_relkind(view) == RELKIND_VIEW)
	{
		crm_unembed_contacts(installation.schema);
		crm_run(psprintf("DROP VIEW %s", qualified_name(view)));
	}
	crm_run(psprintf("ALTER TABLE %s DROP CONSTRAINT " FOREIGN_KEY,
					 qualified_name(linking)));
	SPI_finish();
	PG_RETURN_VOID();
}
