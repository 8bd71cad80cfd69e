/*
 * analytics/block_range.c
 *		Where in a table the rows of a period are, if they stand together.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/tidbitmap.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "analytics/block_range.h"
#include "base/compat.h"

/* The rows that are looked for. */
typedef struct Period
{
	AttrNumber	time;
	TimestampTz after;
	AttrNumber	start;
	TimestampTz by;
} Period;

/* The key of the index that compares the column of the table; false if it has none. */
static bool
make_key(Relation index, AttrNumber column, StrategyNumber strategy, RegProcedure compare,
		 TimestampTz with, ScanKey key)
{
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		Oid			operator = get_opfamily_member(index->rd_opfamily[i], TIMESTAMPTZOID,
												   TIMESTAMPTZOID, strategy);

		if (index->rd_index->indkey.values[i] != column ||
			index->rd_opcintype[i] != TIMESTAMPTZOID || !OidIsValid(operator) ||
			get_opcode(operator) != compare)
			continue;
		ScanKeyEntryInitialize(key, 0, i + 1, strategy, TIMESTAMPTZOID, InvalidOid, compare,
							   TimestampTzGetDatum(with));
		return true;
	}
	return false;
}

/* False if the index does not tell: it is of another kind, or not of all rows. */
static bool
make_keys(Relation index, const Period *period, ScanKey keys)
{
	return index->rd_rel->relam == BRIN_AM_OID && index->rd_index->indisvalid &&
		!index->rd_index->indcheckxmin &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
		make_key(index, period->time, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
				 period->after, &keys[0]) &&
		make_key(index, period->start, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				 period->by, &keys[1]);
}

/* The first and the last block of the bitmap; returns how many there are. */
static BlockNumber
get_range(TIDBitmap *bitmap, BlockRange *range)
{
	CrmBitmapIterator *iterator = crm_begin_bitmap(bitmap);
	CrmBitmapPage page;
	BlockNumber count = 0;

	range->first = range->end = 0;
	while (crm_next_in_bitmap(iterator, page))
	{
		CHECK_FOR_INTERRUPTS();
		if (count++ == 0)
			range->first = crm_page_block(page);
		range->end = crm_page_block(page) + 1;
	}
	crm_end_bitmap(iterator);
	return count;
}

static BlockNumber
read_index(Relation index, ScanKey keys, int nkeys, BlockRange *range)
{
	TIDBitmap  *bitmap = tbm_create(work_mem * (Size) 1024, NULL);
	IndexScanDesc scan = crm_begin_bitmap_scan(index, GetActiveSnapshot(), nkeys);
	BlockNumber count;

	index_rescan(scan, keys, nkeys, NULL, 0);
	(void) index_getbitmap(scan, bitmap);
	index_endscan(scan);
	count = get_range(bitmap, range);
	tbm_free(bitmap);
	return count;
}

static bool
find_range(Relation table, const Period *period, BlockRange *range)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(table))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		ScanKeyData keys[2];
		bool		is_usable = make_keys(index, period, keys);
		BlockNumber count = is_usable ? read_index(index, keys, lengthof(keys), range) : 0;

		index_close(index, AccessShareLock);
		if (is_usable)
			return count >= (range->end - range->first) / 2;
	}
	return false;
}

bool
crm_block_range(Oid relid, const char *time, TimestampTz after, const char *start, TimestampTz by,
				BlockRange *range)
{
	Period		period = {get_attnum(relid, time), after, get_attnum(relid, start), by};
	Relation	table;
	bool		result;

	/* Rows of children stand in blocks of others. */
	if (get_rel_relkind(relid) != RELKIND_RELATION || has_subclass(relid))
		return false;
	table = table_open(relid, AccessShareLock);
	/* One without blocks may be sharded. */
	result = RelationGetNumberOfBlocks(table) > 0 && find_range(table, &period, range);
	table_close(table, NoLock);
	return result;
}
