/*
 * analytics/row_columns.h
 *		The columns that a query reads of a table, and where they are in its rows.
 *
 * PostgreSQL copies the columns that a query names, row by row.  It does not if the
 * query names all columns of the table: then the rows come as they are stored, and
 * only the columns up to the last one that is read are decoded.  So all are named
 * if the caller may read all and the rows are stored here.
 */
#ifndef CRM_ANALYTICS_ROW_COLUMNS_H
#define CRM_ANALYTICS_ROW_COLUMNS_H

#include "executor/tuptable.h"
#include "utils/relcache.h"

typedef struct RowColumn
{
	const char *name;
	Oid			type;			/* a column of another type is cast to it */
	const char *expression;		/* what is read in place of a column, or NULL */
} RowColumn;

#define MAX_ROW_COLUMNS	24

typedef struct RowColumns
{
	int16		at[MAX_ROW_COLUMNS];	/* index in the row; -1: not asked for */
	bool		stored;			/* rows come as they are stored */
	int			last;			/* so many values of a row are read */
	int			unsure;			/* so many columns might be null by mistake */
} RowColumns;

/*
 * The select list, palloc'd, for those of the columns whose bits are set in asked; the
 * table, which may be NULL if it is unknown, has that alias in the query.  The first
 * columns, so many, are not null but in a table whose constraints were dropped.  Sets
 * rows.
 */
extern char *crm_select_list(Relation table, const char *alias, const RowColumn *columns,
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

/* Decodes what is read of the row; false if a column is null that must not be. */
static inline bool
crm_read_row(const RowColumns *rows, TupleTableSlot *row)
{
	slot_getsomeattrs(row, rows->last);
	for (int i = 0; i < rows->unsure; i++)
	{
		if (unlikely(row->tts_isnull[rows->at[i]]))
			return false;
	}
	return true;
}

/* A value that cannot be null. */
static inline Datum
crm_row_value(const RowColumns *rows, TupleTableSlot *row, int column)
{
	return row->tts_values[rows->at[column]];
}

/* Whether a value that is always asked for is null. */
static inline bool
crm_row_is_null(const RowColumns *rows, TupleTableSlot *row, int column)
{
	return row->tts_isnull[rows->at[column]];
}

/* Whether a value is null, or was not asked for. */
static inline bool
crm_row_lacks(const RowColumns *rows, TupleTableSlot *row, int column)
{
	return rows->at[column] < 0 || row->tts_isnull[rows->at[column]];
}

#endif							/* CRM_ANALYTICS_ROW_COLUMNS_H */
