/*
 * analytics/row_columns.c
 *		The columns that a query reads of a table, and where they are in its rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tupmacs.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "analytics/row_columns.h"
#include "base/uuid.h"

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
find_all_stored(Relation table, const RowColumn *columns, int ncolumns, uint32 asked,
				RowColumns *rows)
{
	if (!gives_stored_rows(table))
		return false;
	rows->last = 0;
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
		if (i < rows->nrequired && stored->attnum <= MAX_STORED_COLUMNS)
			rows->required |= UINT64CONST(1) << rows->at[i];
	}
	return true;
}

static StoredKind
kind_of(const FormData_pg_attribute *column)
{
	if (column->attlen == -1)
		return STORED_VARLENA;
	if (column->attlen > 0 && !column->attbyval)
		return STORED_REFERENCE;
	if (column->attlen == sizeof(int64))
		return STORED_8_BYTES;
	return column->attlen == sizeof(int32) ? STORED_4_BYTES : STORED_OTHER;
}

/* Which column it is read as; -1: it is not. */
static int16
read_as(const RowColumns *rows, int attribute)
{
	for (int16 i = 0; i < rows->ncolumns; i++)
	{
		if (rows->at[i] == attribute)
			return i;
	}
	return -1;
}

/* Prepares crm_read_row() for stored rows; not if a column is of a rare kind. */
static void
place_columns(Relation table, RowColumns *rows)
{
	TupleDesc	desc = RelationGetDescr(table);
	int			nlater = 0;

	rows->nfixed = rows->fixed_size = rows->nplaced = 0;
	for (int i = 0; i < rows->last; i++)
	{
		const FormData_pg_attribute *column = TupleDescAttr(desc, i);
		StoredColumn stored = {
			read_as(rows, i), column->attlen, kind_of(column),
			att_align_nominal(1, column->attalign) - 1
		};

		if (stored.kind == STORED_OTHER || i == MAX_STORED_COLUMNS)
			return;
		if (nlater > 0 || stored.kind == STORED_VARLENA || !column->attnotnull)
		{
			rows->later[nlater++] = stored;
			continue;
		}
		stored.offset = att_align_nominal(rows->fixed_size, column->attalign);
		rows->fixed_size = stored.offset + stored.len;
		rows->nfixed++;
		if (stored.column >= 0)
		{
			rows->placed[rows->nplaced++] = stored;
			rows->offsets[stored.column] = stored.offset;
			rows->at_once |= 1U << stored.column;
		}
	}
	rows->nlater = nlater;
	rows->fixed = (UINT64CONST(1) << rows->nfixed) - 1;
	rows->decodes = true;
}

char *
crm_select_list(Oid relid, const char *alias, const RowColumn *columns, int ncolumns,
				int nrequired, uint32 asked, RowColumns *rows)
{
	Relation	table = OidIsValid(relid) ? try_table_open(relid, AccessShareLock) : NULL;
	StringInfoData list;

	Assert(ncolumns <= MAX_ROW_COLUMNS);
	memset(rows->nulls, true, sizeof(rows->nulls));
	rows->ncolumns = ncolumns;
	rows->decodes = false;
	rows->at_once = 0;
	rows->nrequired = nrequired;
	rows->required = 0;
	rows->stored = table != NULL && find_all_stored(table, columns, ncolumns, asked, rows);
	if (rows->stored)
		place_columns(table, rows);
	if (table != NULL)
		table_close(table, NoLock);
	if (rows->stored)
		return psprintf("%s.*", alias);
	initStringInfo(&list);
	rows->last = 0;
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

/* ---- reading rows ---- */

/* A bit for each column, up to the last one that is read, that is not null. */
static inline uint64
present_columns(const RowColumns *rows, const HeapTupleHeaderData *row)
{
	uint64		result = 0;

	if (!(row->t_infomask & HEAP_HASNULL))
		return PG_UINT64_MAX;
	for (int i = 0; i * BITS_PER_BYTE < rows->last; i++)
		result |= (uint64) row->t_bits[i] << i * BITS_PER_BYTE;
	return result;
}

static pg_attribute_always_inline void
read_column(RowColumns *rows, const StoredColumn *stored, const char *at)
{
	Datum		value = PointerGetDatum(at);

	if (stored->column < 0)
		return;
	/* What is not a reference is aligned. */
	if (stored->kind == STORED_8_BYTES)
		value = Int64GetDatum(*(const int64 *) at);
	else if (stored->kind == STORED_4_BYTES)
		value = Int32GetDatum(*(const int32 *) at);
	rows->values[stored->column] = value;
	rows->nulls[stored->column] = false;
}

/* The columns behind those with a fixed place. */
static inline void
read_later(RowColumns *rows, uint64 present, const char *data)
{
	const StoredColumn *end = rows->later + rows->nlater;
	const char *at = data + rows->fixed_size;

	present >>= rows->nfixed;
	for (const StoredColumn *stored = rows->later; stored < end; stored++, present >>= 1)
	{
		if (!(present & 1))
		{
			if (stored->column >= 0)
				rows->nulls[stored->column] = true;
			continue;
		}
		/* Mostly it is short: then it is not aligned. */
		if (stored->kind != STORED_VARLENA || !VARATT_NOT_PAD_BYTE(at))
			at = data + ((at - data + stored->align_mask) & ~(Size) stored->align_mask);
		read_column(rows, stored, at);
		if (stored->kind != STORED_VARLENA)
			at += stored->len;
		else if (likely(VARATT_IS_1B(at) && !VARATT_IS_1B_E(at)))
			at += VARSIZE_1B(at);
		else
			at += VARSIZE_ANY(at);
	}
}

static inline bool
is_wanted(const RowColumns *rows, const RowFilter *filter)
{
	const Datum *values = rows->values;

	if (rows->nulls[0] || rows->nulls[filter->time] || rows->nulls[filter->start])
		return false;
	return (filter->time == 0 || DatumGetTimestampTz(values[filter->time]) > filter->after) &&
		(filter->start == 0 || DatumGetTimestampTz(values[filter->start]) <= filter->by) &&
		crm_uuid_equal(DatumGetUUIDP(values[0]), filter->id);
}

/* Whether a stored row tells that at once. */
static inline bool
tells_at_once(const RowColumns *rows, const RowFilter *filter)
{
	uint32		needed = 1 | 1U << filter->time | 1U << filter->start;

	return (rows->at_once & needed) == needed;
}

/* The same, for the data of a stored row that tells it. */
static inline bool
is_wanted_at_once(const RowColumns *rows, const char *data, const RowFilter *filter)
{
	const int16 *offsets = rows->offsets;

	return (filter->time == 0 ||
			*(const TimestampTz *) (data + offsets[filter->time]) > filter->after) &&
		(filter->start == 0 ||
		 *(const TimestampTz *) (data + offsets[filter->start]) <= filter->by) &&
		crm_uuid_equal((const pg_uuid_t *) (data + offsets[0]), filter->id);
}

/*
 * The rows of a page that follow mostly stand before this one.  They are prefetched, as
 * the processor waits for each of them else; next to a row that is not wanted only what tells
 * that, as rows of about the same time mostly stand together.
 */
static inline void
prefetch_next(const RowColumns *rows, const HeapTupleData *tuple, const RowFilter *filter)
{
	const char *next = (const char *) tuple->t_data - 2 * tuple->t_len;

	if (!rows->was_wanted && filter->time > 0)
	{
		__builtin_prefetch(next);
		__builtin_prefetch(next + tuple->t_data->t_hoff + rows->offsets[filter->time]);
		return;
	}
	for (uint32 i = 0; i < tuple->t_len; i += 64)
		__builtin_prefetch(next + i);
}

/* The stored row in the slot; NULL if it is not at hand, or lacks columns that were added. */
static inline const HeapTupleHeaderData *
stored_row(const RowColumns *rows, TupleTableSlot *slot, const RowFilter *filter)
{
	HeapTuple	tuple;

	if (!rows->decodes || !(TTS_IS_BUFFERTUPLE(slot) || TTS_IS_HEAPTUPLE(slot)))
		return NULL;
	tuple = ((HeapTupleTableSlot *) slot)->tuple;
	if (tuple == NULL)
		return NULL;
	prefetch_next(rows, tuple, filter);
	if (HeapTupleHeaderGetNatts(tuple->t_data) < rows->last)
		return NULL;
	return tuple->t_data;
}

/* False if it is not wanted. */
static inline bool
read_stored(RowColumns *rows, uint64 present, const char *data, const RowFilter *filter)
{
	bool		at_once = tells_at_once(rows, filter);

	if (at_once && !is_wanted_at_once(rows, data, filter))
		return false;
	for (int i = 0; i < rows->nplaced; i++)
		read_column(rows, &rows->placed[i], data + rows->placed[i].offset);
	read_later(rows, present, data);
	return at_once || is_wanted(rows, filter);
}

static void
read_slot(RowColumns *rows, TupleTableSlot *slot)
{
	slot_getsomeattrs(slot, rows->last);
	for (int i = 0; i < rows->ncolumns; i++)
	{
		if (rows->at[i] < 0)
			continue;
		rows->values[i] = slot->tts_values[rows->at[i]];
		rows->nulls[i] = slot->tts_isnull[rows->at[i]];
	}
}

static bool
has_required(const RowColumns *rows)
{
	for (int i = 0; i < rows->nrequired; i++)
	{
		if (rows->nulls[i])
			return false;
	}
	return true;
}

/* The row is the stored one, or NULL. */
static inline bool
read_wanted(RowColumns *rows, TupleTableSlot *slot, const HeapTupleHeaderData *row,
			uint64 present, const RowFilter *filter)
{
	if (row != NULL && (present & rows->fixed) == rows->fixed)
		return read_stored(rows, present, (const char *) row + row->t_hoff, filter);
	read_slot(rows, slot);
	return is_wanted(rows, filter);
}

bool
crm_read_row(RowColumns *rows, TupleTableSlot *slot, const RowFilter *filter)
{
	const HeapTupleHeaderData *row = stored_row(rows, slot, filter);
	uint64		present = row != NULL ? present_columns(rows, row) : 0;

	rows->was_wanted = read_wanted(rows, slot, row, present, filter);
	if (!rows->was_wanted)
		return false;

	/*
	 * NOT NULL of a table is no proof: a child of it, or one not valid, may
	 * have nulls.
	 */
	return likely(row != NULL && (present & rows->required) == rows->required) ||
		has_required(rows);
}
