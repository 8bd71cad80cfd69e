/*
 * table/known_rows.c
 *		Rows of small tables, found by id over and over.
 *
 * Most statements move one deal, and each looks its stage and pipeline up.  A
 * session remembers where such rows stood the last time, which saves finding,
 * opening and searching an index.  That is a hint and no more: the row is read
 * there with the newest snapshot, and is the right one if it is visible and
 * bears the id; else the index is searched.  So nothing can be out of date.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_am_d.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/uuid.h"
#include "table/known_rows.h"
#include "table/scan.h"

#define MAX_KNOWN_ROWS 64

typedef struct KnownRow
{
	Oid			relid;
	pg_uuid_t	id;
	ItemPointerData tid;
} KnownRow;

/* By hash of the id: what has the same one is forgotten. */
static KnownRow known_rows[MAX_KNOWN_ROWS];

/* A visitor that remembers where the row is. */
typedef struct Finder
{
	KnownRow   *known;
	const pg_uuid_t *id;
	CrmRowVisitor visit;
	void	   *arg;
} Finder;

static bool
remember(Relation rel, HeapTuple tuple, void *arg)
{
	Finder	   *finder = arg;

	finder->known->relid = RelationGetRelid(rel);
	finder->known->id = *finder->id;
	finder->known->tid = tuple->t_self;
	return finder->visit(rel, tuple, finder->arg);
}

/* Visits the row if it still stands where it did. */
static bool
visit_known(Relation rel, AttrNumber attno, KnownRow *known, CrmRowVisitor visit, void *arg)
{
	Snapshot	snapshot;
	TupleTableSlot *slot;
	bool		isnull;
	bool		found;

	/* The table may have been truncated. */
	if (ItemPointerGetBlockNumber(&known->tid) >= RelationGetNumberOfBlocks(rel))
		return false;

	snapshot = crm_latest_snapshot();
	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsBufferHeapTuple);
	found = table_tuple_fetch_row_version(rel, &known->tid, snapshot, slot);
	if (found)
	{
		Datum		id = slot_getattr(slot, attno, &isnull);

		found = !isnull && crm_uuid_equal(DatumGetUUIDP(id), &known->id);
	}
	if (found)
		(void) visit(rel, ExecFetchSlotHeapTuple(slot, false, NULL), arg);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	return found;
}

void
crm_visit_row(Relation rel, AttrNumber attno, const pg_uuid_t *id,
			  CrmRowVisitor visit, void *arg)
{
	Oid			relid = RelationGetRelid(rel);
	KnownRow   *known = &known_rows[hash_bytes(id->data, UUID_LEN) % MAX_KNOWN_ROWS];
	Finder		finder = {known, id, visit, arg};

	/* Elsewhere a row is not found by its place alone, or not cheaper. */
	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relam != HEAP_TABLE_AM_OID)
	{
		crm_visit_rows(rel, crm_index_on_column(rel, attno), attno, id, visit, arg);
		return;
	}
	if (known->relid == relid && crm_uuid_equal(&known->id, id) &&
		visit_known(rel, attno, known, visit, arg))
		return;
	crm_visit_rows(rel, crm_index_on_column(rel, attno), attno, id, remember, &finder);
}
