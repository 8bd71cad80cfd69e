/*
 * table/columns.c
 *		The CRM's tables as the triggers need them: columns, neighbours, locks.
 *
 * What a foreign key refers to is found through the key; other neighbours by name,
 * which on a distributed schema leads to a shard (base/shard.h).
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "base/catalog.h"
#include "base/query.h"
#include "base/shard.h"
#include "base/version.h"
#include "table/columns.h"
#include "table/table_cache.h"
#include "table/trigger.h"

AttrNumber
crm_optional_column(Relation rel, const char *name, Oid type)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		if (att->atttypid != type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of table \"%s\" is of type %s, but the CRM needs %s",
							name, RelationGetRelationName(rel),
							format_type_be(att->atttypid), format_type_be(type))));
		return att->attnum;
	}
	return InvalidAttrNumber;
}

/*
 * The version of the CRM that the table belongs to, as the first of our
 * triggers on it says; NULL if there is none.
 */
static const char *
table_version(Relation rel)
{
	const TriggerDesc *triggers = crm_copy_triggers(rel);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		char	   *function = trigger->tgnargs > 0 ? get_func_name(trigger->tgfoid) : NULL;

		if (function != NULL && strncmp(function, "crm_", strlen("crm_")) == 0 &&
			crm_is_version(trigger->tgargs[0]))
			return trigger->tgargs[0];
	}
	return NULL;
}

/* Whether the CRM is known to be older than that version. */
static bool
is_older(Relation rel, const char *since)
{
	const char *version = table_version(rel);

	return version == NULL || crm_compare_versions(version, since) < 0;
}

bool
crm_lacks_column(Relation rel, const char *name, const char *since)
{
	return get_attnum(RelationGetRelid(rel), name) == InvalidAttrNumber && is_older(rel, since);
}

static AttrNumber
resolve_column(Relation rel, const CrmTableKind *kind, const CrmColumn *column)
{
	AttrNumber	attno = crm_optional_column(rel, column->name, column->type);

	if (attno == InvalidAttrNumber && (column->since == NULL || !is_older(rel, column->since)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\", which the CRM needs",
						RelationGetRelationName(rel), column->name),
				 errdetail("Its trigger treats it as a table of kind \"%s\".", kind->name)));
	return attno;
}

static void
resolve_columns(Relation rel, const void *kind, void *data)
{
	const CrmTableKind *table_kind = kind;
	AttrNumber *attnos = data;

	for (int i = 0; i < table_kind->ncolumns; i++)
		attnos[i] = resolve_column(rel, table_kind, &table_kind->columns[i]);
}

const AttrNumber *
crm_columns(Relation rel, const CrmTableKind *kind)
{
	return crm_table_facts(rel, kind, kind->ncolumns * sizeof(AttrNumber), resolve_columns);
}

void
crm_check_not_null(Relation rel, AttrNumber attno, bool isnull)
{
	/* The table is the user's, who may have dropped the constraint. */
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of table \"%s\"",
						get_attname(RelationGetRelid(rel), attno, false),
						RelationGetRelationName(rel)),
				 errhint("Give it a value that is not null."),
				 errtablecol(rel, attno)));
}

Datum
crm_required_value(Relation rel, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attno, RelationGetDescr(rel), &isnull);

	crm_check_not_null(rel, attno, isnull);
	return value;
}

Datum
crm_required_slot_value(Relation rel, TupleTableSlot *row, AttrNumber attno)
{
	bool		isnull;
	Datum		value = slot_getattr(row, attno, &isnull);

	crm_check_not_null(rel, attno, isnull);
	return value;
}

Oid
crm_table_owner(Oid relid)
{
	return crm_owner_of(RelationRelationId, relid);
}

/*
 * Rows are read without checks of permissions, so rel's owner must be able to read the
 * other table.  The right REFERENCES, which a foreign key needs, is not enough.
 */
static void
check_readable(Relation rel, Oid other)
{
	Oid			owner = RelationGetForm(rel)->relowner;

	if (has_privs_of_role(owner, crm_table_owner(other)))
		return;
	if (pg_class_aclcheck(other, owner, ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(other, owner, true) != RLS_ENABLED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the owner of table \"%s\" may not read all of table \"%s\"",
					RelationGetRelationName(rel), get_rel_name(other)),
			 errdetail("The rules of the CRM read there what a foreign key refers to."),
			 errhint("Give all tables of the CRM to the same owner.")));
}

Oid
crm_referenced_table(Relation rel, AttrNumber attno)
{
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *fk = lfirst_node(ForeignKeyCacheInfo, lc);

		if (fk->nkeys == 1 && fk->conkey[0] == attno)
		{
			check_readable(rel, fk->confrelid);
			return fk->confrelid;
		}
	}

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("column \"%s\" of table \"%s\" has no foreign key, which the CRM needs",
					get_attname(RelationGetRelid(rel), attno, false),
					RelationGetRelationName(rel))));
}

char *
crm_sibling_name(Relation rel, const char *table)
{
	Oid			sibling = crm_is_shard(rel) ? crm_sibling(rel, table) : InvalidOid;

	/* If there is none, the query will say it. */
	return OidIsValid(sibling) ? crm_relation_name(sibling) :
		crm_qualified_name(RelationGetNamespace(rel), table);
}
