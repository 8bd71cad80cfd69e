/*
 * base/row_receiver.h
 *		The rows of a query, one by one as they come, none of them kept.
 */
#ifndef CRM_BASE_ROW_RECEIVER_H
#define CRM_BASE_ROW_RECEIVER_H

#include "executor/spi.h"

typedef void (*CrmRowReceiver) (TupleTableSlot *row, void *arg);

/*
 * Runs a SELECT, whose parameters are of the types argtypes, and calls receive
 * for each row.  The caller is connected to SPI.  Read-only queries have the
 * snapshot of the query at hand; others a new one, as the isolation level has
 * it.
 */
extern void crm_receive_rows(SPIPlanPtr plan, int nargs, const Oid *argtypes, const Datum *args,
							 const bool *nulls, bool read_only,
							 CrmRowReceiver receive, void *arg);

#endif							/* CRM_BASE_ROW_RECEIVER_H */
