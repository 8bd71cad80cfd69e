/*
 * analytics/row_columns.h
 *		The columns that a query reads of a table, and where they are in its rows.
 *
 * PostgreSQL copies the columns that a query names, row by row.  It does not if the
 * query names all columns of the table: then the rows come as they are stored.  So all
 * are named if the caller may read all and the rows are stored here.  Of a stored row
 * only what is read is decoded: columns of a fixed size that stand before all others
 * have their place in every row, and only those behind them are gone through.
 */
#ifndef CRM_ANALYTICS_ROW_COLUMNS_H
#define CRM_ANALYTICS_ROW_COLUMNS_H

#include "executor/tuptable.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct RowColumn
{
	const char *name;
	Oid			type;			/* a column of another type is cast to it */
	const char *expression;		/* what is read in place of a column, or NULL */
} RowColumn;

#define MAX_ROW_COLUMNS	24

/* How a column of a stored row is read. */
typedef enum StoredKind
{
	STORED_VARLENA,
	STORED_REFERENCE,			/* of a fixed size, as a uuid */
	STORED_8_BYTES,
	STORED_4_BYTES,
	STORED_OTHER				/* of 1 or 2 bytes, or a cstring */
} StoredKind;

typedef struct StoredColumn
{
	int16		column;			/* that it is read as; -1: it is passed over */
	int16		len;			/* as in pg_attribute */
	uint8		kind;			/* StoredKind */
	uint8		align_mask;		/* alignment less 1 */
	int			offset;			/* in the row's data, of one with a fixed
								 * place */
} StoredColumn;

/* Beyond so many columns it is PostgreSQL that decodes. */
#define MAX_STORED_COLUMNS	63

typedef struct RowColumns
{
	int			ncolumns;
	int16		at[MAX_ROW_COLUMNS];	/* index in the row; -1: not asked for */
	bool		stored;			/* rows come as they are stored */
	int			last;			/* so many values of a row are read */
	int			nrequired;		/* rows in which one of the first columns, so
								 * many, is null are passed over */
	uint64		required;		/* the bits of these, of stored rows */
	bool		decodes;		/* what follows is known; else it is
								 * PostgreSQL that decodes stored rows */
	uint32		at_once;		/* the bits of the columns in placed */
	int16		offsets[MAX_ROW_COLUMNS];	/* of these, in the row's data */
	bool		was_wanted;		/* the last row that was read */
	int			nfixed;			/* columns of the table with a fixed place */
	int			fixed_size;		/* of their data */
	uint64		fixed;			/* their bits */
	int			nplaced;		/* so many of them are read, in placed */
	int			nlater;			/* columns behind them, up to the last one
								 * read */
	StoredColumn placed[MAX_ROW_COLUMNS];
	StoredColumn later[MAX_STORED_COLUMNS];
	Datum		values[MAX_ROW_COLUMNS];	/* of the last row that was read */
	bool		nulls[MAX_ROW_COLUMNS]; /* also what was not asked for */
} RowColumns;

/*
 * The select list, palloc'd, for those of the columns whose bits are set in asked; the
 * table, InvalidOid if it is unknown, is locked and has that alias in the query.  The first
 * columns, so many, are not null but in a table whose constraints do not hold.  Sets
 * rows.
 */
extern char *crm_select_list(Oid relid, const char *alias, const RowColumn *columns,
							 int ncolumns, int nrequired, uint32 asked, RowColumns *rows);

/* Decodes a row of a query that names its columns; false if one of the first is null. */
static inline bool
crm_row_has(TupleTableSlot *row, int count)
{
	slot_getallattrs(row);
	for (int i = 0; i < count; i++)
	{
		if (unlikely(row->tts_isnull[i]))
			return false;
	}
	return true;
}

/* Which rows are read; each column is one that is not null. */
typedef struct RowFilter
{
	const pg_uuid_t *id;		/* that the first column has */
	int			time;			/* a column; 0: there is none */
	TimestampTz after;			/* it is later */
	int			start;			/* a column; 0: there is none */
	TimestampTz by;				/* it is not later */
} RowFilter;

/*
 * Decodes what is read of a row; false if it is not one of those, or if a column is null
 * that must not be.  The values stay where the row is.
 */
extern bool crm_read_row(RowColumns *rows, TupleTableSlot *row, const RowFilter *filter);

#endif							/* CRM_ANALYTICS_ROW_COLUMNS_H */
