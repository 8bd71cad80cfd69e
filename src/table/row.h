/*
 * table/row.h
 *		A row that a BEFORE trigger reads and changes.
 */
#ifndef CRM_TABLE_ROW_H
#define CRM_TABLE_ROW_H

#include "commands/trigger.h"
#include "utils/uuid.h"

typedef struct RowEdit
{
	Relation	rel;
	HeapTuple	tuple;			/* the row as it came */
	Datum	   *values;			/* by attno - 1 */
	bool	   *nulls;
	const Datum *old_values;	/* the old row's, or NULL on INSERT */
	const bool *old_nulls;
	bool		changed;
} RowEdit;

/*
 * Opens the new row of a BEFORE ROW trigger.  NULL in a NOT NULL column with
 * a default means "not given": it becomes the default on INSERT (still NULL
 * for columns that a rule fills) and the old value on UPDATE.  The memory
 * lives as long as the trigger call.
 */
extern void crm_row_open(RowEdit *row, TriggerData *trigdata);

/* The tuple to return from the trigger. */
extern HeapTuple crm_row_close(RowEdit *row);

/*
 * Reading and writing its columns.  One that the table of an older CRM does not
 * have (InvalidAttrNumber) reads as null, and is not written.
 */
extern void crm_row_set(RowEdit *row, AttrNumber attno, Datum value);
extern void crm_row_set_null(RowEdit *row, AttrNumber attno);

static inline bool
crm_row_is_null(const RowEdit *row, AttrNumber attno)
{
	return attno == InvalidAttrNumber || row->nulls[attno - 1];
}

static inline Datum
crm_row_get(const RowEdit *row, AttrNumber attno)
{
	return attno == InvalidAttrNumber ? (Datum) 0 : row->values[attno - 1];
}

static inline bool
crm_row_old_is_null(const RowEdit *row, AttrNumber attno)
{
	return attno == InvalidAttrNumber || row->old_nulls[attno - 1];
}

static inline Datum
crm_row_get_old(const RowEdit *row, AttrNumber attno)
{
	return attno == InvalidAttrNumber ? (Datum) 0 : row->old_values[attno - 1];
}

/* ERROR 23514 when an UPDATE changes a column whose value is fixed. */
extern void crm_row_keep(RowEdit *row, AttrNumber attno);

#endif							/* CRM_TABLE_ROW_H */
