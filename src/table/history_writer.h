/*
 * table/history_writer.h
 *		Writes rows of a table of the history, many at a time.
 */
#ifndef CRM_TABLE_HISTORY_WRITER_H
#define CRM_TABLE_HISTORY_WRITER_H

#include "table/plain_insert.h"

/* The last field of a table of the history: who writes. */
#define HISTORY_CHANGED_BY	{"changed_by", TEXTOID}

/*
 * The fields for which the table of an older CRM has no column, a bit each:
 * they are left out.
 */
#define CRM_FIELD_BIT(i)	(UINT64CONST(1) << (i))
extern uint64 crm_lacking_fields(Relation deals, const InsertTarget *target);

typedef struct HistoryWriter HistoryWriter;

/*
 * Begins writing for one statement on that table of deals.  The memory is the
 * current context's; the caller is connected to SPI until the end.
 */
extern HistoryWriter *crm_history_begin(Relation deals, const InsertTarget *target);

/*
 * Writes the row, whose values are in the order of the fields, or takes a copy
 * and writes when a batch is full.  The last value is filled in here.
 */
extern void crm_history_add(HistoryWriter *writer, Datum *values, bool *nulls);

/* Writes what is left. */
extern void crm_history_end(HistoryWriter *writer);

#endif							/* CRM_TABLE_HISTORY_WRITER_H */
