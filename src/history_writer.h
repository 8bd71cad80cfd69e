/*
 * history_writer.h
 *		Writes rows of a table of the history, many at a time.
 */
#ifndef CRM_HISTORY_WRITER_H
#define CRM_HISTORY_WRITER_H

#include "utils/relcache.h"

/* A column that is written: the type is that of the value. */
typedef struct HistoryField
{
	const char *column;
	Oid			type;
	const char *cast;			/* how SQL makes the column's type of it, or
								 * NULL */
} HistoryField;

/*
 * A table beside deals.  What is not among the fields has a default, but for
 * changed_by: that is who writes.
 */
typedef struct HistoryTable
{
	const char *name;
	const HistoryField *fields;
	int			nfields;
} HistoryTable;

typedef struct HistoryWriter HistoryWriter;

/*
 * Begins writing for one statement on that table of deals.  The memory is the
 * current context's; the caller is connected to SPI until the end.
 */
extern HistoryWriter *crm_history_begin(Relation deals, const HistoryTable *table);

/*
 * Takes a copy of the row, whose values are in the order of the fields; writes
 * when a batch is full.
 */
extern void crm_history_add(HistoryWriter *writer, const Datum *values, const bool *nulls);

/* Writes what is left. */
extern void crm_history_end(HistoryWriter *writer);

#endif							/* CRM_HISTORY_WRITER_H */
