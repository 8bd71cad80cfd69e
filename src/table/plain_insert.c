/*
 * table/plain_insert.c
 *		Rows into a plain table, past SQL.
 *
 * Starting the executor for an INSERT of one row costs several times what
 * storing the row does.  Invariant: what is stored here, and every error, is
 * what INSERT would store or say.  So a table is plain only if it is an
 * ordinary heap of the owner of deals, without rules, CHECKs, partitions,
 * generated columns, or triggers but the guard's; with B-tree and BRIN indexes on
 * columns, checked at once, which have all rows or those where columns are or
 * are not null; and if the columns that are not written default to
 * null or to one of the few expressions known here.  Row security does not
 * apply to the owner, whom neither path makes subject to it.
 *
 * A table of deals by another name is the shard of a distributed one: only a
 * planner knows then where the tables beside it are.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/primnodes.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/uuid.h"
#include "table/owner_rights.h"
#include "table/plain_insert.h"

#define MAX_COLUMNS 64
#define MAX_INDEXES 8

/* Where the value of a column comes from: a field's number, or one of these. */
typedef enum Source
{
	SOURCE_NULL = -1,
	SOURCE_NEW_ID = -2,
	SOURCE_CLOCK = -3,
	SOURCE_SESSION_USER = -4,
	SOURCE_UNKNOWN = -5
} Source;

typedef struct PlainKey
{
	Oid			relid;
	uint32		padding;		/* the key is hashed as bytes */
	const InsertTarget *target;
} PlainKey;

/* What was found out about a table; valid until it is altered. */
typedef struct PlainEntry
{
	PlainKey	key;
	bool		valid;
	bool		plain;
	bool		has_session_user;
	int			natts;
	int16		sources[MAX_COLUMNS];	/* by attno - 1 */
} PlainEntry;

struct PlainInsert
{
	Relation	rel;
	const InsertTarget *target;
	const PlainEntry *entry;
	CommandId	cid;
	int			nindexes;
	Relation	indexes[MAX_INDEXES];
	IndexInfo  *index_infos[MAX_INDEXES];
	TupleTableSlot *slot;
	Datum		session_user;	/* if the table keeps it */
};

static HTAB *plain_entries = NULL;

extern Datum crm_uuid_v7(PG_FUNCTION_ARGS);
extern Datum crm_recorder(PG_FUNCTION_ARGS);

static void
invalidate_tables(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	PlainEntry *entry;

	hash_seq_init(&status, plain_entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->key.relid == relid)
			entry->valid = false;
	}
}

static bool
calls(Oid function, PGFunction expected)
{
	FmgrInfo	finfo;

	fmgr_info(function, &finfo);
	return finfo.fn_addr == expected;
}

/* An expression that is known, of a type that the column has. */
static Source
source_of_default(Relation rel, AttrNumber attno)
{
	Oid			type = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypid;
	Node	   *node = build_column_default(rel, attno);
	FuncExpr   *call = (FuncExpr *) node;
	Node	   *arg;

	if (node == NULL)
		return SOURCE_NULL;
	if (!IsA(node, FuncExpr))
		return SOURCE_UNKNOWN;
	if (call->funcid == F_CLOCK_TIMESTAMP && type == TIMESTAMPTZOID)
		return SOURCE_CLOCK;
	if (call->args == NIL && type == TEXTOID && calls(call->funcid, crm_recorder))
		return SOURCE_SESSION_USER;
	if (call->args == NIL)
		return type == UUIDOID && calls(call->funcid, crm_uuid_v7) &&
			DatumGetBool(DirectFunctionCall2(has_function_privilege_id, ObjectIdGetDatum(call->funcid),
											 CStringGetTextDatum("EXECUTE"))) ?
			SOURCE_NEW_ID : SOURCE_UNKNOWN;
	arg = linitial(call->args);
	if (call->funcid == F_TEXT_NAME && IsA(arg, SQLValueFunction) &&
		((SQLValueFunction *) arg)->op == SVFOP_SESSION_USER && type == TEXTOID)
		return SOURCE_SESSION_USER;
	return SOURCE_UNKNOWN;
}

/* A field for the column, if it is of the type that the field makes there. */
static Source
source_of_field(const Form_pg_attribute att, const InsertTarget *target)
{
	for (int i = 0; i < target->nfields; i++)
	{
		const InsertField *field = &target->fields[i];

		if (strcmp(field->column, NameStr(att->attname)) != 0)
			continue;
		if (field->cast != NULL)
			return field->type == TEXTOID && att->atttypid == JSONBOID ? i : SOURCE_UNKNOWN;
		/* The only modifier that is applied here is that of numerics. */
		return att->atttypid == field->type &&
			(att->atttypmod == -1 || att->atttypid == NUMERICOID) ? i : SOURCE_UNKNOWN;
	}
	return SOURCE_NULL;
}

static bool
has_plain_columns(Relation rel, const InsertTarget *target, PlainEntry *entry)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			nwritten = 0;
	int			nids = 0;

	if (desc->natts > MAX_COLUMNS)
		return false;
	entry->natts = desc->natts;
	entry->has_session_user = false;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Source		source = SOURCE_NULL;

		if (att->attgenerated != '\0' || att->attidentity != '\0')
			return false;
		if (!att->attisdropped)
		{
			source = source_of_field(att, target);
			if (source >= 0)
				nwritten++;
			else if (source == SOURCE_NULL && get_typtype(att->atttypid) == TYPTYPE_DOMAIN)
				return false;
			else if (source == SOURCE_NULL)
				source = source_of_default(rel, i + 1);
			nids += (source == SOURCE_NEW_ID);
			entry->has_session_user |= (source == SOURCE_SESSION_USER);
			if (source == SOURCE_UNKNOWN || (source == SOURCE_NULL && att->attnotnull))
				return false;
		}
		entry->sources[i] = source;
	}
	return nwritten == target->nfields && nids <= 1;
}

/* Of triggers on INSERT there is but the guard, which would let the rows pass. */
static bool
has_plain_triggers(Relation rel, const InsertTarget *target)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (!TRIGGER_FOR_INSERT(trigger->tgtype))
			continue;
		if (target->guard == NULL || !calls(trigger->tgfoid, target->guard) ||
			!TRIGGER_FOR_ROW(trigger->tgtype) || !TRIGGER_FOR_BEFORE(trigger->tgtype) ||
			trigger->tgqual != NULL || trigger->tgnargs != 1 ||
			strcmp(trigger->tgargs[0], CRM_VERSION) != 0)
			return false;
	}
	return true;
}

/* Whether an index has the row: its predicates are tests for null. */
static bool
is_indexed(const IndexInfo *info, TupleTableSlot *row)
{
	ListCell   *lc;

	foreach(lc, info->ii_Predicate)
	{
		NullTest   *test = lfirst_node(NullTest, lc);
		bool		isnull = slot_attisnull(row, castNode(Var, test->arg)->varattno);

		if (isnull != (test->nulltesttype == IS_NULL))
			return false;
	}
	return true;
}

static bool
has_plain_predicates(Relation index)
{
	ListCell   *lc;

	foreach(lc, RelationGetIndexPredicate(index))
	{
		NullTest   *test = lfirst(lc);

		if (!IsA(test, NullTest) || test->argisrow || !IsA(test->arg, Var) ||
			castNode(Var, test->arg)->varattno <= 0)
			return false;
	}
	return true;
}

static bool
has_plain_indexes(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		plain = list_length(indexes) <= MAX_INDEXES;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		plain = plain && form->indisready &&
			(index->rd_rel->relam == BTREE_AM_OID || index->rd_rel->relam == BRIN_AM_OID) &&
			!form->indisexclusion && form->indimmediate &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL) &&
			has_plain_predicates(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return plain;
}

static bool
is_plain(Relation rel, const InsertTarget *target, PlainEntry *entry)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION &&
		rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!rel->rd_rel->relispartition &&
		!rel->rd_rel->relhasrules &&
		(constr == NULL || constr->num_check == 0) &&
		has_plain_triggers(rel, target) &&
		has_plain_indexes(rel) &&
		has_plain_columns(rel, target, entry);
}

static const PlainEntry *
get_entry(Relation rel, const InsertTarget *target)
{
	PlainKey	key = {.relid = RelationGetRelid(rel),.target = target};
	PlainEntry *entry;
	bool		found;

	if (plain_entries == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(PlainKey);
		ctl.entrysize = sizeof(PlainEntry);
		plain_entries = hash_create("crm plain tables", 16, &ctl, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(invalidate_tables, (Datum) 0);
	}
	entry = hash_search(plain_entries, &key, HASH_ENTER, &found);
	if (!found)
		entry->valid = false;
	if (!entry->valid)
	{
		/* Before looking: what is looked at may change meanwhile. */
		entry->valid = true;
		entry->plain = false;
		entry->plain = is_plain(rel, target, entry);
	}
	return entry;
}

/* The table, locked, if it is the deals' owner's and that one may insert. */
static Relation
open_table(Relation deals, const char *table)
{
	Oid			owner = RelationGetForm(deals)->relowner;
	Oid			relid;
	Relation	rel;

	if (strcmp(RelationGetRelationName(deals), "deals") != 0)
		return NULL;
	relid = get_relname_relid(table, RelationGetNamespace(deals));
	rel = OidIsValid(relid) ? try_table_open(relid, RowExclusiveLock) : NULL;
	if (rel == NULL)
		return NULL;
	/* It may have been renamed while we waited for the lock. */
	if (RelationGetForm(rel)->relowner == owner &&
		RelationGetNamespace(rel) == RelationGetNamespace(deals) &&
		strcmp(RelationGetRelationName(rel), table) == 0 &&
		pg_class_aclcheck(relid, owner, ACL_INSERT) == ACLCHECK_OK)
		return rel;
	table_close(rel, RowExclusiveLock);
	return NULL;
}

static void
open_indexes(PlainInsert *insert)
{
	List	   *indexes = RelationGetIndexList(insert->rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), RowExclusiveLock);

		insert->index_infos[insert->nindexes] = BuildIndexInfo(index);
		insert->indexes[insert->nindexes++] = index;
	}
	list_free(indexes);
}

PlainInsert *
crm_plain_insert_begin(Relation deals, const InsertTarget *target)
{
	Relation	rel = open_table(deals, target->table);
	const PlainEntry *entry;
	PlainInsert *insert;
	SavedUser	saved;

	if (rel == NULL)
		return NULL;
	crm_become_owner(deals, &saved);
	entry = get_entry(rel, target);
	crm_restore_user(&saved);
	if (!entry->plain)
	{
		table_close(rel, RowExclusiveLock);
		return NULL;
	}

	insert = palloc0(sizeof(PlainInsert));
	insert->rel = rel;
	insert->target = target;
	insert->entry = entry;
	open_indexes(insert);
	insert->slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	if (entry->has_session_user)
		insert->session_user = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	CommandCounterIncrement();
	insert->cid = GetCurrentCommandId(true);
	return insert;
}

bool
crm_plain_insert_fits(const PlainInsert *insert, const bool *nulls)
{
	TupleDesc	desc = RelationGetDescr(insert->rel);

	for (int i = 0; i < insert->entry->natts; i++)
	{
		int			source = insert->entry->sources[i];

		if (source >= 0 && nulls[source] && TupleDescAttr(desc, i)->attnotnull)
			return false;
	}
	return true;
}

/* A field's value as the column has it. */
static Datum
convert(Datum value, const InsertField *field, const Form_pg_attribute att)
{
	if (field->cast != NULL)
		return DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(value)));
	if (att->atttypid == NUMERICOID && att->atttypmod != -1)
		return DirectFunctionCall2(numeric, value, Int32GetDatum(att->atttypmod));
	return value;
}

static void
fill_slot(PlainInsert *insert, const Datum *values, const bool *nulls, pg_uuid_t *id)
{
	TupleTableSlot *slot = insert->slot;

	ExecClearTuple(slot);
	for (int i = 0; i < insert->entry->natts; i++)
	{
		int			source = insert->entry->sources[i];
		Datum		value = 0;

		slot->tts_isnull[i] = source == SOURCE_NULL || (source >= 0 && nulls[source]);
		if (source == SOURCE_NEW_ID)
		{
			crm_make_uuid_v7(id);
			value = UUIDPGetDatum(id);
		}
		else if (source == SOURCE_CLOCK)
			value = TimestampTzGetDatum(GetCurrentTimestamp());
		else if (source == SOURCE_SESSION_USER)
			value = insert->session_user;
		else if (!slot->tts_isnull[i])
			value = convert(values[source], &insert->target->fields[source],
							TupleDescAttr(RelationGetDescr(insert->rel), i));
		slot->tts_values[i] = value;
	}
	ExecStoreVirtualTuple(slot);
}

void
crm_plain_insert_row(PlainInsert *insert, const Datum *values, const bool *nulls)
{
	pg_uuid_t	id;

	CHECK_FOR_INTERRUPTS();
	fill_slot(insert, values, nulls, &id);
	table_tuple_insert(insert->rel, insert->slot, insert->cid, 0, NULL);
	for (int i = 0; i < insert->nindexes; i++)
	{
		IndexInfo  *info = insert->index_infos[i];
		Datum		key[INDEX_MAX_KEYS];
		bool		key_nulls[INDEX_MAX_KEYS];

		if (!is_indexed(info, insert->slot))
			continue;
		FormIndexDatum(info, insert->slot, NULL, key, key_nulls);
		(void) index_insert(insert->indexes[i], key, key_nulls, &insert->slot->tts_tid, insert->rel,
							info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
	}
}

void
crm_plain_insert_end(PlainInsert *insert)
{
	ExecDropSingleTupleTableSlot(insert->slot);
	for (int i = 0; i < insert->nindexes; i++)
	{
		crm_index_insert_cleanup(insert->indexes[i], insert->index_infos[i]);
		index_close(insert->indexes[i], RowExclusiveLock);
	}
	table_close(insert->rel, NoLock);
	CommandCounterIncrement();
}
