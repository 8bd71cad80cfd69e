/*
 * table/row.h
 *		A row that a BEFORE trigger reads and changes.
 */
#ifndef CRM_TABLE_ROW_H
#define CRM_TABLE_ROW_H

#include "commands/trigger.h"
#include "utils/uuid.h"

#include "table/upsert.h"

/* What a text that a rule fills has as its default: a text, as tools cannot read a call there. */
#define CRM_FILLED_TEXT	"auto"

typedef struct RowEdit
{
	Relation	rel;
	HeapTuple	tuple;			/* the row as it came */
	Datum	   *values;			/* by attno - 1 */
	bool	   *nulls;
	bool	   *given;			/* not NULL as it came */
	AttrNumber	filled_text;	/* a text that a rule fills; or
								 * InvalidAttrNumber */
	bool		insert;
	bool		restored;		/* inserted as it is: no rule applies */
	bool		stands;			/* inserted, but its key stands already */
	const Datum *old_values;	/* the old row's, or the one's that stands */
	const bool *old_nulls;		/* NULL: none */
	Upsert	   *upsert;			/* NULL: none of the statement's rows was
								 * inserted */
	bool		changed;
} RowEdit;

/*
 * Opens the new row of a BEFORE ROW trigger.  NULL in a NOT NULL column with
 * a default means "not given": it becomes the default on INSERT (still NULL
 * for columns that a rule fills) and the old value on UPDATE.  CRM_FILLED_TEXT
 * means the same in filled_text.  The memory lives as long as the trigger call;
 * *upsert, NULL at the statement's first row, as long as the statement.
 *
 * If the row is inserted, but a row with a key of it stands, the rules are
 * not asked: they will judge the UPDATE, if it comes to one.  What the row needs
 * until then is filled from the row that stands: all NOT NULL columns.  Keys
 * remain as they are, so that an error names the right one.
 */
extern void crm_row_open(RowEdit *row, TriggerData *trigdata, AttrNumber filled_text,
						 Upsert **upsert, MemoryContext statement);

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

/* Whether the column came with a value. */
static inline bool
crm_row_is_given(const RowEdit *row, AttrNumber attno)
{
	return row->given[attno - 1];
}

/* ERROR 23514 when an UPDATE changes a column whose value is fixed. */
extern void crm_row_keep(RowEdit *row, AttrNumber attno);

/* The same for the id. */
extern void crm_row_keep_id(RowEdit *row, AttrNumber attno);

#endif							/* CRM_TABLE_ROW_H */
