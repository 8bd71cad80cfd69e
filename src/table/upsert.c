/*
 * table/upsert.c
 *		An inserted row whose key exists already: the UPDATE that it may become.
 *
 * INSERT ... ON CONFLICT DO UPDATE runs the BEFORE INSERT trigger first; what
 * it returns must satisfy the NOT NULL and CHECK constraints, and is then called
 * EXCLUDED.  So the rules have to fill the row, and what they fill would look
 * as if it had been given.  Therefore the trigger notes the row as it was given,
 * and the BEFORE UPDATE trigger takes the filling out again.  That makes the
 * UPDATE the same as one that assigns what was given, whichever of several keys
 * led to it and whatever others have changed meanwhile.
 *
 * Invariant: both triggers of one statement share their FmgrInfo, and thereby
 * this state; other statements do not.  MERGE may update another row than the
 * one it inserted before: that row has other keys.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "optimizer/optimizer.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/uuid.h"
#include "table/columns.h"
#include "table/tenant_guard.h"
#include "table/upsert.h"

/* How often a search is repeated because the row that it found had changed. */
#define MAX_TRIES 1000

struct Upsert
{
	Relation	rel;
	AttrNumber	id;				/* 0: none */
	AttrNumber	tenant_id;		/* 0: none */
	int			nkeys;			/* unique indexes, best first */
	Oid		   *key_oids;
	IndexInfo **keys;
	Bitmapset  *key_columns;	/* and those of their predicates */
	Bitmapset  *null_defaults;	/* columns whose DEFAULT is NULL, as far as
								 * known */

	EState	   *estate;
	TupleTableSlot *row;		/* virtual */
	TupleTableSlot *standing;	/* a row of the table */

	/* Of the last row inserted */
	bool		id_is_new;		/* the id is a default's */
	bool		can_conflict;
	MemoryContext noted;		/* where these are */
	HeapTuple	given;			/* NULL: it cannot conflict */
	HeapTuple	filled;
};

/*
 * Whether rows are told apart by this index.  At most one row per tenant, as the
 * default pipeline is, or per deal, as the primary contact is, does not mean that every
 * such row is the same one: the second part of those indexes is a truth value.
 */
static bool
is_key(const Upsert *upsert, Relation index)
{
	Form_pg_index form = index->rd_index;
	TupleDesc	desc = RelationGetDescr(index);

	if (!form->indisunique || !form->indisvalid || !form->indisready || !form->indimmediate ||
		(form->indnkeyatts == 1 && form->indkey.values[0] == upsert->tenant_id))
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		if (TupleDescAttr(desc, i)->atttypid == BOOLOID)
			return false;
	}
	return true;
}

/* Primary keys first, then full indexes, then partial ones. */
static int
rank_of(Form_pg_index form, const IndexInfo *info)
{
	return form->indisprimary ? 0 : info->ii_Predicate == NIL ? 1 : 2;
}

static void
add_key(Upsert *upsert, Relation index, int *ranks)
{
	IndexInfo  *info = BuildIndexInfo(index);
	int			rank = rank_of(index->rd_index, info);
	int			place = upsert->nkeys++;

	BuildSpeculativeIndexInfo(index, info);
	for (; place > 0 && ranks[place - 1] > rank; place--)
	{
		ranks[place] = ranks[place - 1];
		upsert->keys[place] = upsert->keys[place - 1];
		upsert->key_oids[place] = upsert->key_oids[place - 1];
	}
	ranks[place] = rank;
	upsert->keys[place] = info;
	upsert->key_oids[place] = RelationGetRelid(index);

	pull_varattnos((Node *) info->ii_Expressions, 1, &upsert->key_columns);
	pull_varattnos((Node *) info->ii_Predicate, 1, &upsert->key_columns);
	for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++)
		upsert->key_columns = bms_add_member(upsert->key_columns, info->ii_IndexAttrNumbers[i] -
											 FirstLowInvalidHeapAttributeNumber);
}

static void
find_keys(Upsert *upsert)
{
	List	   *indexes = RelationGetIndexList(upsert->rel);
	int			n = list_length(indexes);
	int		   *ranks = palloc(n * sizeof(int));
	ListCell   *lc;

	upsert->keys = palloc(n * sizeof(IndexInfo *));
	upsert->key_oids = palloc(n * sizeof(Oid));
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_key(upsert, index))
			add_key(upsert, index, ranks);
		index_close(index, NoLock);
	}
	list_free(indexes);
}

Upsert *
crm_upsert_create(Relation rel, MemoryContext statement)
{
	MemoryContext caller = MemoryContextSwitchTo(statement);
	Upsert	   *upsert = palloc0(sizeof(Upsert));

	upsert->rel = rel;
	upsert->id = crm_optional_column(rel, "id", UUIDOID);
	upsert->tenant_id = crm_optional_column(rel, "tenant_id", UUIDOID);
	find_keys(upsert);
	upsert->noted = AllocSetContextCreate(statement, "crm upsert", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(caller);
	return upsert;
}

bool
crm_upsert_is_key(const Upsert *upsert, AttrNumber attno)
{
	return bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, upsert->key_columns);
}

/* Whether no row can have this key: it is null in part, or the id is new. */
static bool
cannot_conflict(const Upsert *upsert, const IndexInfo *key, const bool *nulls)
{
	for (int i = 0; i < key->ii_NumIndexKeyAttrs; i++)
	{
		AttrNumber	attno = key->ii_IndexAttrNumbers[i];

		if (attno > 0 && nulls[attno - 1] && !key->ii_NullsNotDistinct)
			return true;
		if (attno > 0 && attno == upsert->id && upsert->id_is_new)
			return true;
	}
	return false;
}

/*
 * Not with the statement: most insert rows that have no key but a new id.  The
 * slots' descriptor is a copy, as nothing tells the end of the statement, when a
 * reference would have to be released.
 */
static void
make_slots(Upsert *upsert)
{
	MemoryContext caller;
	TupleDesc	desc;

	if (upsert->estate != NULL)
		return;
	caller = MemoryContextSwitchTo(MemoryContextGetParent(upsert->noted));
	upsert->estate = CreateExecutorState();
	desc = CreateTupleDescCopyConstr(RelationGetDescr(upsert->rel));
	upsert->row = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	upsert->standing = MakeSingleTupleTableSlot(desc, table_slot_callbacks(upsert->rel));
	MemoryContextSwitchTo(caller);
}

static void
store_row(Upsert *upsert, const Datum *values, const bool *nulls)
{
	int			natts = RelationGetDescr(upsert->rel)->natts;

	ExecClearTuple(upsert->row);
	memcpy(upsert->row->tts_values, values, natts * sizeof(Datum));
	memcpy(upsert->row->tts_isnull, nulls, natts * sizeof(bool));
	ExecStoreVirtualTuple(upsert->row);
}

/*
 * Where the row stands that has one of these keys.  The server's own search
 * for what ON CONFLICT conflicts with; it waits for rows being written.
 */
static bool
find_conflict(Upsert *upsert, List *candidates, ItemPointer tid)
{
	ResultRelInfo *target = makeNode(ResultRelInfo);
	ListCell   *lc;
	List	   *oids = NIL;
	bool		none;

	target->ri_RelationDesc = upsert->rel;
	target->ri_IndexRelationDescs = palloc(list_length(candidates) * sizeof(Relation));
	target->ri_IndexRelationInfo = palloc(list_length(candidates) * sizeof(IndexInfo *));
	foreach(lc, candidates)
	{
		int			key = lfirst_int(lc);
		int			i = target->ri_NumIndices++;

		target->ri_IndexRelationDescs[i] = index_open(upsert->key_oids[key], AccessShareLock);
		target->ri_IndexRelationInfo[i] = upsert->keys[key];
		oids = lappend_oid(oids, upsert->key_oids[key]);
	}
	none = crm_check_index_constraints(target, upsert->row, upsert->estate, tid, oids);
	for (int i = 0; i < target->ri_NumIndices; i++)
		index_close(target->ri_IndexRelationDescs[i], NoLock);
	ResetPerTupleExprContext(upsert->estate);
	return !none;
}

/*
 * The lock that keeps the key: what indexes have of expressions and predicates
 * may be updated under a mere key lock.
 */
static LockTupleMode
mode_of_lock(const Upsert *upsert, List *candidates)
{
	ListCell   *lc;

	foreach(lc, candidates)
	{
		const IndexInfo *key = upsert->keys[lfirst_int(lc)];

		if (key->ii_Expressions != NIL || key->ii_Predicate != NIL)
			return LockTupleNoKeyExclusive;
	}
	return LockTupleKeyShare;
}

/* Whether it still stands there, now locked; if not, another search will tell. */
static bool
lock_standing(Upsert *upsert, ItemPointer tid, LockTupleMode mode)
{
	TM_FailureData failure;
	TM_Result	result = table_tuple_lock(upsert->rel, tid, GetActiveSnapshot(), upsert->standing,
										  GetCurrentCommandId(false), mode, LockWaitBlock, 0,
										  &failure);

	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_Invisible:
		case TM_SelfModified:

			/*
			 * The running command wrote it: ON CONFLICT will not touch it
			 * again.
			 */
			return table_tuple_fetch_row_version(upsert->rel, tid, SnapshotAny, upsert->standing);
		default:
			return false;
	}
}

static bool
is_other_tenants(const Upsert *upsert)
{
	bool		isnull;
	Datum		standing;

	if (upsert->tenant_id == InvalidAttrNumber)
		return false;
	standing = slot_getattr(upsert->standing, upsert->tenant_id, &isnull);
	return isnull || upsert->row->tts_isnull[upsert->tenant_id - 1] ||
		!crm_uuid_equal(DatumGetUUIDP(standing),
						DatumGetUUIDP(upsert->row->tts_values[upsert->tenant_id - 1]));
}

/* Keeps the values of the row in the slot, which must not stay pinned. */
static void
copy_standing(Upsert *upsert, const Datum **values, const bool **nulls)
{
	TupleDesc	desc = upsert->standing->tts_tupleDescriptor;
	MemoryContext caller = MemoryContextSwitchTo(upsert->noted);
	Datum	   *copied_values = palloc(desc->natts * sizeof(Datum));
	bool	   *copied_nulls = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(ExecCopySlotHeapTuple(upsert->standing), desc, copied_values, copied_nulls);
	MemoryContextSwitchTo(caller);
	*values = copied_values;
	*nulls = copied_nulls;
}

static List *
candidate_keys(Upsert *upsert, const bool *nulls)
{
	List	   *candidates = NIL;

	for (int i = 0; i < upsert->nkeys; i++)
	{
		if (!cannot_conflict(upsert, upsert->keys[i], nulls))
			candidates = lappend_int(candidates, i);
	}
	return candidates;
}

bool
crm_upsert_find(Upsert *upsert, const Datum *values, const bool *nulls,
				const Datum **standing_values, const bool **standing_nulls)
{
	List	   *candidates;
	ItemPointerData tid;
	bool		found = false;

	MemoryContextReset(upsert->noted);
	upsert->given = upsert->filled = NULL;
	upsert->id_is_new = upsert->id != InvalidAttrNumber && !nulls[upsert->id - 1] &&
		crm_take_new_uuid(DatumGetUUIDP(values[upsert->id - 1]));
	candidates = candidate_keys(upsert, nulls);
	upsert->can_conflict = candidates != NIL;
	if (!upsert->can_conflict)
		return false;

	make_slots(upsert);
	store_row(upsert, values, nulls);
	for (int tries = 0; tries < MAX_TRIES && find_conflict(upsert, candidates, &tid); tries++)
	{
		if (!lock_standing(upsert, &tid, mode_of_lock(upsert, candidates)))
			continue;
		found = !is_other_tenants(upsert);
		if (found)
			copy_standing(upsert, standing_values, standing_nulls);
		break;
	}
	ExecClearTuple(upsert->standing);
	ExecClearTuple(upsert->row);
	return found;
}

bool
crm_upsert_defaults_to_null(const Upsert *upsert, AttrNumber attno)
{
	return bms_is_member(attno, upsert->null_defaults);
}

void
crm_upsert_note_null_default(Upsert *upsert, AttrNumber attno)
{
	MemoryContext caller = MemoryContextSwitchTo(MemoryContextGetParent(upsert->noted));

	upsert->null_defaults = bms_add_member(upsert->null_defaults, attno);
	MemoryContextSwitchTo(caller);
}

bool
crm_upsert_id_is_new(const Upsert *upsert)
{
	return upsert->id_is_new;
}

void
crm_upsert_note(Upsert *upsert, HeapTuple given, HeapTuple filled)
{
	MemoryContext caller;

	if (!upsert->can_conflict)
		return;
	caller = MemoryContextSwitchTo(upsert->noted);
	upsert->given = heap_copytuple(given);
	upsert->filled = heap_copytuple(filled);
	MemoryContextSwitchTo(caller);
}

/* Whether two rows have the same key, byte by byte, in one of the indexes. */
static bool
have_common_key(Upsert *upsert, TupleTableSlot *one, TupleTableSlot *other)
{
	ExprContext *context = GetPerTupleExprContext(upsert->estate);

	for (int i = 0; i < upsert->nkeys; i++)
	{
		IndexInfo  *key = upsert->keys[i];
		Relation	index = index_open(upsert->key_oids[i], AccessShareLock);
		Datum		values[2][INDEX_MAX_KEYS];
		bool		nulls[2][INDEX_MAX_KEYS];
		bool		same = true;

		context->ecxt_scantuple = one;
		FormIndexDatum(key, one, upsert->estate, values[0], nulls[0]);
		context->ecxt_scantuple = other;
		FormIndexDatum(key, other, upsert->estate, values[1], nulls[1]);
		for (int k = 0; same && k < key->ii_NumIndexKeyAttrs; k++)
		{
			Form_pg_attribute att = TupleDescAttr(RelationGetDescr(index), k);

			same = nulls[0][k] == nulls[1][k] &&
				(nulls[0][k] ? key->ii_NullsNotDistinct :
				 datum_image_eq(values[0][k], values[1][k], att->attbyval, att->attlen));
		}
		index_close(index, NoLock);
		if (same)
			return true;
	}
	return false;
}

/* Whether the row that is being updated is the one that the inserted row met. */
static bool
is_continued(Upsert *upsert, const TriggerData *trigdata)
{
	bool		result;

	if (upsert->filled == NULL)
		return false;
	ExecForceStoreHeapTuple(upsert->filled, upsert->row, false);
	result = have_common_key(upsert, upsert->row, trigdata->tg_trigslot);
	ExecClearTuple(upsert->row);
	ResetPerTupleExprContext(upsert->estate);
	return result;
}

bool
crm_upsert_resume(Upsert *upsert, const TriggerData *trigdata, Datum *values, bool *nulls)
{
	TupleDesc	desc = RelationGetDescr(upsert->rel);
	int			natts = desc->natts;
	Datum	   *given = palloc(2 * natts * sizeof(Datum)),
			   *filled = given + natts;
	bool	   *given_nulls = palloc(2 * natts * sizeof(bool)),
			   *filled_nulls = given_nulls + natts;

	if (!is_continued(upsert, trigdata))
		return false;
	heap_deform_tuple(upsert->given, desc, given, given_nulls);
	heap_deform_tuple(upsert->filled, desc, filled, filled_nulls);
	if (upsert->id_is_new)
		given_nulls[upsert->id - 1] = true;
	for (int i = 0; i < natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* What is assigned otherwise was said in the UPDATE itself. */
		if (!bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, trigdata->tg_updatedcols) ||
			nulls[i] != filled_nulls[i] ||
			(!nulls[i] && !datum_image_eq(values[i], filled[i], att->attbyval, att->attlen)))
			continue;
		values[i] = given[i];
		nulls[i] = given_nulls[i];
	}
	return true;
}
