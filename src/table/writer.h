/*
 * table/writer.h
 *		Inserts rows into a table beside deals: history and totals.
 *
 * A row is stored, and every error is, what INSERT would make of it, with the
 * rights of the owner of deals.
 */
#ifndef CRM_TABLE_WRITER_H
#define CRM_TABLE_WRITER_H

#include "utils/relcache.h"

#include "table/insert_target.h"

typedef struct TableWriter TableWriter;

/*
 * Begins to insert into the target.  The target has to last for the session;
 * the memory is the current context's, and the caller is connected to SPI until
 * the end.  Several writers may be open at once.
 */
extern TableWriter *crm_writer_begin(Relation deals, const InsertTarget *target);

/*
 * Inserts the row, whose values are in the order of the fields, or takes a copy
 * that is inserted with later ones.
 */
extern void crm_writer_add(TableWriter *writer, const Datum *values, const bool *nulls);

/* Inserts what is left; what the transaction does next sees all rows. */
extern void crm_writer_end(TableWriter *writer);

#endif							/* CRM_TABLE_WRITER_H */
