/*
 * table/scan.c
 *		Reading rows of a table by a uuid, without checks of permissions.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/uuid.h"
#include "table/columns.h"
#include "table/scan.h"
#include "table/table_cache.h"

/* The facts kept of each column: the index on it. */
static const char index_kinds[MaxHeapAttributeNumber + 1];

static void
find_index(Relation rel, const void *kind, void *data)
{
	AttrNumber	attno = (const char *) kind - index_kinds;
	Oid			result = InvalidOid;
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
			form->indkey.values[0] == attno &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
			result = RelationGetRelid(index);
		index_close(index, AccessShareLock);
		if (OidIsValid(result))
			break;
	}
	list_free(indexes);
	*(Oid *) data = result;
}

Oid
crm_index_on_column(Relation rel, AttrNumber attno)
{
	Oid		   *index = crm_table_facts(rel, &index_kinds[attno], sizeof(Oid), find_index);

	return *index;
}

/* A snapshot of now, with all that this transaction has done; registered. */
static Snapshot
latest_snapshot(void)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	/*
	 * As a foreign key does, see also what the running command itself has
	 * done: it may create the parent and the child.
	 */
	snapshot->curcid = GetCurrentCommandId(false) + 1;
	return snapshot;
}

/* Visits the rows of one table, not of a partitioned one; false if told to stop. */
static bool
visit_table(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
			TupleConversionMap *map, Relation shown, CrmRowVisitor visit, void *arg)
{
	Snapshot	snapshot = latest_snapshot();
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		more = true;

	ScanKeyInit(&scankey, attno, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(key));
	scan = systable_beginscan(rel, index, OidIsValid(index), snapshot, 1, &scankey);
	while (more && (tuple = systable_getnext(scan)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (map == NULL)
			more = visit(shown, tuple, arg);
		else
		{
			tuple = execute_attr_map_tuple(tuple, map);
			more = visit(shown, tuple, arg);
			heap_freetuple(tuple);
		}
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return more;
}

static void
visit_partitions(Relation rel, AttrNumber attno, const pg_uuid_t *key,
				 CrmRowVisitor visit, void *arg)
{
	const char *column = NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname);
	List	   *partitions = find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL);
	bool		more = true;
	ListCell   *lc;

	foreach(lc, partitions)
	{
		Relation	partition = table_open(lfirst_oid(lc), NoLock);

		if (more && partition->rd_rel->relkind == RELKIND_RELATION)
		{
			AttrNumber	key_attno = crm_optional_column(partition, column, UUIDOID);
			TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(partition),
															 RelationGetDescr(rel));

			more = visit_table(partition, crm_index_on_column(partition, key_attno), key_attno,
							   key, map, rel, visit, arg);
			if (map != NULL)
				free_conversion_map(map);
		}
		table_close(partition, NoLock);
	}
	list_free(partitions);
}

void
crm_visit_rows(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
			   CrmRowVisitor visit, void *arg)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
			(void) visit_table(rel, index, attno, key, NULL, rel, visit, arg);
			break;
		case RELKIND_PARTITIONED_TABLE:
			visit_partitions(rel, attno, key, visit, arg);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a table whose rows the CRM can read",
							RelationGetRelationName(rel)),
					 errhint("Make it an ordinary or a partitioned table.")));
	}
}

/* ---- rows that are read again and again ---- */

/* Where a row stood when it was read last. */
typedef struct RowPlace
{
	pg_uuid_t	key;
	ItemPointerData tid;		/* not valid: nothing is known */
	Buffer		buffer;			/* that held its block */
} RowPlace;

#define PLACES 64

static const char places_kind;

static void
forget_places(Relation rel, const void *kind, void *data)
{
	memset(data, 0, PLACES * sizeof(RowPlace));
}

/*
 * Visits the row where it stood; false if it does not stand there now.  The block may be
 * gone, so it is only looked for in memory.
 */
static bool
visit_place(Relation rel, AttrNumber attno, const RowPlace *place, CrmRowVisitor visit, void *arg)
{
	HeapTupleData tuple = {.t_self = place->tid};
	Buffer		block = place->buffer,
				buffer;
	Snapshot	snapshot;
	bool		found;

	if (!ReadRecentBuffer(crm_rel_locator(rel), MAIN_FORKNUM,
						  ItemPointerGetBlockNumber(&place->tid), block))
		return false;
	snapshot = latest_snapshot();
	found = heap_fetch(rel, snapshot, &tuple, &buffer, false);
	if (found)
	{
		bool		isnull;
		Datum		key = heap_getattr(&tuple, attno, RelationGetDescr(rel), &isnull);

		found = !isnull && crm_uuid_equal(DatumGetUUIDP(key), &place->key);
		if (found)
			(void) visit(rel, &tuple, arg);
		ReleaseBuffer(buffer);
	}
	ReleaseBuffer(block);
	UnregisterSnapshot(snapshot);
	return found;
}

/* A visitor that notes the place. */
typedef struct PlaceNote
{
	RowPlace   *place;
	const pg_uuid_t *key;
	CrmRowVisitor visit;
	void	   *arg;
} PlaceNote;

static bool
note_place(Relation rel, HeapTuple tuple, void *arg)
{
	PlaceNote  *note = arg;

	note->place->key = *note->key;
	note->place->tid = tuple->t_self;
	note->place->buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(&tuple->t_self));
	ReleaseBuffer(note->place->buffer);
	return note->visit(rel, tuple, note->arg);
}

void
crm_visit_row(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
			  CrmRowVisitor visit, void *arg)
{
	PlaceNote	note = {NULL, key, visit, arg};

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relam != HEAP_TABLE_AM_OID ||
		RelationUsesLocalBuffers(rel))
	{
		crm_visit_rows(rel, index, attno, key, visit, arg);
		return;
	}
	note.place = (RowPlace *) crm_table_facts(rel, &places_kind, PLACES * sizeof(RowPlace),
											  forget_places) + key->data[UUID_LEN - 1] % PLACES;
	if (!ItemPointerIsValid(&note.place->tid) || !crm_uuid_equal(&note.place->key, key) ||
		!visit_place(rel, attno, note.place, visit, arg))
		crm_visit_rows(rel, index, attno, key, note_place, &note);
}

/* ---- rows that are being written ---- */

/*
 * Finds a row with that key that another transaction has inserted, updated or
 * deleted and that is not committed yet, as the check of a unique index does.
 */
static bool
is_being_written(Relation rel, Oid index, ScanKey key, SnapshotData *dirty)
{
	SysScanDesc scan;
	bool		found = false;

	InitDirtySnapshot(*dirty);
	scan = systable_beginscan(rel, index, true, dirty, 1, key);
	while (!found && systable_getnext(scan) != NULL)
		found = TransactionIdIsValid(dirty->xmin) || TransactionIdIsValid(dirty->xmax);
	systable_endscan(scan);
	return found;
}

void
crm_wait_for_writers(Relation rel, AttrNumber attno, const pg_uuid_t *key)
{
	Oid			index = crm_index_on_column(rel, attno);
	ScanKeyData scankey;
	SnapshotData dirty;

	if (!OidIsValid(index))
		return;
	ScanKeyInit(&scankey, attno, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(key));
	while (is_being_written(rel, index, &scankey, &dirty))
	{
		TransactionId writer = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;

		CHECK_FOR_INTERRUPTS();
		if (dirty.speculativeToken != 0)
			SpeculativeInsertionWait(dirty.xmin, dirty.speculativeToken);
		else
			XactLockTableWait(writer, NULL, NULL, XLTW_None);
	}
}
