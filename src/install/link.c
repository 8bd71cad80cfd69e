/*
 * install/link.c
 *		Linking a column of a CRM to a table of the user's.
 *
 * A link is a foreign key, a view, an index and triggers, all with fixed names.
 * It is made and dropped with the caller's rights, by DDL that the caller could have
 * written.  The functions here rely on their declared search_path (pg_catalog,
 * pg_temp) and qualify every other name.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/shard.h"
#include "install/computed_relationships.h"
#include "install/linked_table.h"
#include "install/links.h"
#include "table/installation.h"

/* The most ids without a row that an error names. */
#define MAX_NAMED		3

/* One link of one CRM. */
typedef struct Linking
{
	const CrmLink *link;
	CrmInstallation crm;
	Oid			relid;			/* the table that has the column */
	char	   *table;			/* its name, qualified */
} Linking;

static const CrmLink *
find_link(const char *column)
{
	for (int i = 0; i < CRM_NLINKS; i++)
	{
		if (strcmp(crm_links[i].column, column) == 0)
			return &crm_links[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" cannot be linked", column),
			 errhint("It is \"%s\", \"%s\" or \"%s\".", crm_links[0].column, crm_links[1].column,
					 crm_links[2].column)));
	return NULL;				/* keep compiler quiet */
}

/*
 * The CRM and the column that the first two arguments name; ERROR unless the caller is
 * the CRM's owner.  Locks the table in that mode, so that nobody else links the column
 * or writes to it meanwhile.
 */
static void
begin(Linking *linking, FunctionCallInfo fcinfo, LOCKMODE mode)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");

	linking->link = find_link(crm_required_text(fcinfo, 1, "linked column"));
	crm_get_installation_to_alter(fcinfo, schema_name, &linking->crm);
	linking->relid = get_relname_relid(linking->link->table, linking->crm.schema);
	if (!OidIsValid(linking->relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("schema \"%s\" has no table %s", schema_name, linking->link->table),
				 errhint("Give the schema of a CRM.")));
	LockRelationOid(linking->relid, mode);
	linking->table = crm_relation_name(linking->relid);
}

static char *
foreign_key_name(const CrmLink *link)
{
	return psprintf("%s_%s_fkey", link->table, link->attribute);
}

static Oid
foreign_key(const Linking *linking)
{
	return get_relation_constraint_oid(linking->relid, foreign_key_name(linking->link), true);
}

/* The table that the foreign key refers to. */
static Oid
linked_table(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Oid			relid;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	relid = ((Form_pg_constraint) GETSTRUCT(tuple))->confrelid;
	ReleaseSysCache(tuple);
	return relid;
}

/* Refuses a column that is linked already, or whose view's name is taken in the schema. */
static void
check_not_linked(const Linking *linking)
{
	const CrmLink *link = linking->link;
	char	   *schema = get_namespace_name(linking->crm.schema);
	Oid			constraint = foreign_key(linking);

	if (OidIsValid(constraint))
	{
		Oid			linked = linked_table(constraint);

		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("column \"%s\" of the CRM in schema \"%s\" is linked already", link->column,
						schema),
				 OidIsValid(linked) ?
				 errdetail("Its values are ids of rows of %s.", crm_relation_name(linked)) : 0,
				 errhint("Call crm_unlink(%s, %s) to undo that.",
						 quote_literal_cstr(schema), quote_literal_cstr(link->column))));
	}
	if (OidIsValid(get_relname_relid(link->view, linking->crm.schema)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists in schema \"%s\"", link->view, schema),
				 errhint("The view of the linked rows takes that name: rename or drop that relation.")));
}

/* Citus would convert the tables of a CRM that stays local, and fails at its views. */
static void
check_reference_table(const Linking *linking, const LinkedTable *table)
{
	if (crm_is_distributed(linking->relid) || !crm_is_reference_table(RelationGetRelid(table->rel)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a CRM that Citus has not distributed cannot be linked to reference table \"%s\"",
					RelationGetRelationName(table->rel)),
			 errhint("Distribute the CRM first: SELECT crm_distribute(%s).",
					 quote_literal_cstr(get_namespace_name(linking->crm.schema)))));
}

/* Citus takes a foreign key only where each shard has the rows that it refers to. */
static void
check_placement(const Linking *linking, const LinkedTable *table)
{
	Oid			relid = RelationGetRelid(table->rel);

	check_reference_table(linking, table);
	if (!crm_is_distributed(linking->relid) || crm_is_reference_table(relid) ||
		(crm_is_distributed(relid) && RelationGetNamespace(table->rel) == linking->crm.schema))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a CRM that Citus has distributed cannot be linked to table \"%s\"",
					RelationGetRelationName(table->rel)),
			 errdetail("The node that has the CRM does not have its rows."),
			 errhint("Make it a reference table: SELECT create_reference_table(%s). Or link a table in the CRM's schema.",
					 quote_literal_cstr(crm_relation_name(relid)))));
}

/*
 * Names the ids that the table lacks, for a better error than the foreign key's.  The
 * foreign key makes the check that counts, also if the caller may not read the table.
 */
static void
check_matches(const Linking *linking, const LinkedTable *table)
{
	Oid			relid = RelationGetRelid(table->rel);
	const char *column = linking->link->attribute;
	StringInfoData names;

	if (pg_attribute_aclcheck(relid, table->key, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return;
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED ||
		check_enable_rls(linking->relid, InvalidOid, true) == RLS_ENABLED)
		return;

	if (crm_select_once(psprintf("SELECT DISTINCT l.%s FROM %s AS l"
								 " WHERE l.%s IS NOT NULL AND NOT EXISTS (SELECT FROM %s AS c WHERE c.%s = l.%s)"
								 " ORDER BY 1 LIMIT %d",
								 column, linking->table, column, crm_relation_name(relid),
								 quote_identifier(crm_linked_column(table, table->key)), column,
								 MAX_NAMED + 1),
						0, NULL, NULL, NULL, false) == 0)
		return;

	initStringInfo(&names);
	for (uint64 i = 0; i < Min(SPI_processed, MAX_NAMED); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	if (SPI_processed > MAX_NAMED)
		appendStringInfoString(&names, ", and more");
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("column \"%s\" has ids that are not in table \"%s\"", linking->link->column,
					RelationGetRelationName(table->rel)),
			 errdetail("Not there: %s.", names.data),
			 errtable(table->rel),
			 errhint("Add these rows to the table, or set the ids to null.")));
}

/* The foreign key's action for the argument on_delete. */
static const char *
delete_action(const CrmLink *link, const char *on_delete)
{
	const char *other = link->required ? "cascade" : "set null";

	/* not RESTRICT, whose SQLSTATE differs between server versions */
	if (strcmp(on_delete, "restrict") == 0)
		return "NO ACTION";
	if (strcmp(on_delete, other) == 0)
		return link->required ? "CASCADE" : "SET NULL";
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("on_delete of %s cannot be \"%s\"", link->column, on_delete),
			 errhint("It is \"restrict\" or \"%s\".", other)));
	return NULL;				/* keep compiler quiet */
}

/*
 * The foreign key, and the index that it needs when a row of the table is deleted;
 * deal_contacts has one.
 */
static void
add_foreign_key(const Linking *linking, const LinkedTable *table, const char *action)
{
	const CrmLink *link = linking->link;

	if (!link->required)
		crm_run(psprintf("CREATE INDEX %s ON %s (%s) WHERE %s IS NOT NULL",
						 psprintf("%s_%s_link_idx", link->table, link->attribute),
						 linking->table, link->attribute, link->attribute));
	crm_run(psprintf("ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE %s",
					 linking->table, foreign_key_name(link), link->attribute,
					 crm_relation_name(RelationGetRelid(table->rel)),
					 quote_identifier(crm_linked_column(table, table->key)), action));
}

/*
 * The name of a trigger, in capitals, to come before the foreign key's own triggers:
 * the server runs triggers in the order of their names, and its own begin with RI_.
 * So the error is the same for a hidden row and for one that does not exist.
 */
static char *
trigger_name(const CrmLink *link, const char *event)
{
	return psprintf("\"CRM_%s_%s\"", link->attribute, event);
}

static void
add_triggers(FunctionCallInfo fcinfo, const Linking *linking)
{
	const CrmLink *link = linking->link;
	const char *function = crm_qualified_name(crm_extension_schema(fcinfo), "crm_link_rules");
	const char *version = quote_literal_cstr(linking->crm.version);

	crm_run(psprintf("CREATE TRIGGER %s AFTER INSERT ON %s FOR EACH ROW WHEN (NEW.%s IS NOT NULL)"
					 " EXECUTE FUNCTION %s(%s, '%s', '%s')",
					 trigger_name(link, "insert"), linking->table, link->attribute,
					 function, version, link->attribute, link->noun));
	crm_run(psprintf("CREATE TRIGGER %s AFTER UPDATE ON %s FOR EACH ROW"
					 " WHEN ((NEW.%s OPERATOR(pg_catalog.=) OLD.%s) IS NOT TRUE AND NEW.%s IS NOT NULL)"
					 " EXECUTE FUNCTION %s(%s, '%s', '%s')",
					 trigger_name(link, "update"), linking->table, link->attribute,
					 link->attribute, link->attribute, function, version, link->attribute,
					 link->noun));
}

/* Before users' own triggers, as it looks at these. */
static char *
guard_name(const CrmLink *link)
{
	return psprintf("00_crm_%s_guard", link->attribute);
}

/* Where the foreign key updates deals; rows of deal_contacts have a guard from the start. */
static void
add_guard(FunctionCallInfo fcinfo, const Linking *linking)
{
	const CrmLink *link = linking->link;

	crm_run(psprintf("CREATE TRIGGER %s BEFORE UPDATE OF %s ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s(%s)",
					 quote_identifier(guard_name(link)), link->attribute, linking->table,
					 crm_qualified_name(crm_extension_schema(fcinfo), "crm_cascade_guard"),
					 quote_literal_cstr(linking->crm.version)));
}

/*
 * crm_link(schema_name text, linked_column text, linked_table regclass, id_column name,
 *			name_column name, on_delete text, columns name[]) -> regclass
 *		Links the column; returns the view.
 */
PG_FUNCTION_INFO_V1(crm_link);
Datum
crm_link(PG_FUNCTION_ARGS)
{
	char	   *id_column = PG_ARGISNULL(3) ? NULL : NameStr(*PG_GETARG_NAME(3));
	char	   *name_column = PG_ARGISNULL(4) ? NULL : NameStr(*PG_GETARG_NAME(4));
	char	   *on_delete = crm_required_text(fcinfo, 5, "on_delete");
	ArrayType  *columns = PG_ARGISNULL(6) ? NULL : PG_GETARG_ARRAYTYPE_P(6);
	const char *action;
	Linking		linking;
	LinkedTable table;
	Oid			view;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("linked table must not be null"),
				 errhint("Give a table, such as public.users.")));
	PreventCommandIfReadOnly("crm_link()");
	begin(&linking, fcinfo, ShareRowExclusiveLock);
	action = delete_action(linking.link, on_delete);
	check_not_linked(&linking);
	crm_open_linked_table(&table, fcinfo, linking.link, PG_GETARG_OID(2),
						  id_column, name_column, columns);

	check_placement(&linking, &table);
	SPI_connect();
	check_matches(&linking, &table);
	add_foreign_key(&linking, &table, action);
	add_triggers(fcinfo, &linking);
	if (strcmp(action, "SET NULL") == 0)
		add_guard(fcinfo, &linking);
	view = crm_create_linked_view(&table, linking.crm.schema);
	crm_embed_linked(linking.crm.schema, linking.link->view);
	SPI_finish();
	relation_close(table.rel, NoLock);
	PG_RETURN_OID(view);
}

static void
drop_view(const Linking *linking)
{
	Oid			view = get_relname_relid(linking->link->view, linking->crm.schema);

	if (!OidIsValid(view) || get_rel_relkind(view) != RELKIND_VIEW)
		return;
	crm_unembed_linked(linking->crm.schema, linking->link->view);
	crm_run(psprintf("DROP VIEW %s", crm_relation_name(view)));
}

/*
 * crm_unlink(schema_name text, linked_column text) -> void
 *		Undoes crm_link(), unless something depends on the view.
 */
PG_FUNCTION_INFO_V1(crm_unlink);
Datum
crm_unlink(PG_FUNCTION_ARGS)
{
	Linking		linking;
	const CrmLink *link;

	PreventCommandIfReadOnly("crm_unlink()");

	/*
	 * The mode that ALTER TABLE needs: upgrading a weaker lock later could
	 * deadlock.
	 */
	begin(&linking, fcinfo, AccessExclusiveLock);
	link = linking.link;
	if (!OidIsValid(foreign_key(&linking)))
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("column \"%s\" of the CRM in schema \"%s\" is not linked", link->column,
						get_namespace_name(linking.crm.schema)),
				 errhint("Link it first, with crm_link.")));
	SPI_connect();
	drop_view(&linking);
	crm_run(psprintf("ALTER TABLE %s DROP CONSTRAINT %s", linking.table, foreign_key_name(link)));
	crm_run(psprintf("DROP TRIGGER IF EXISTS %s ON %s", trigger_name(link, "insert"), linking.table));
	crm_run(psprintf("DROP TRIGGER IF EXISTS %s ON %s", trigger_name(link, "update"), linking.table));
	if (OidIsValid(get_trigger_oid(linking.relid, guard_name(link), true)))
		crm_run(psprintf("DROP TRIGGER %s ON %s", quote_identifier(guard_name(link)), linking.table));
	if (!link->required)
		crm_run(psprintf("DROP INDEX IF EXISTS %s",
						 crm_qualified_name(linking.crm.schema,
											psprintf("%s_%s_link_idx", link->table, link->attribute))));
	SPI_finish();
	PG_RETURN_VOID();
}
