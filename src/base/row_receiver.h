/*
 * base/row_receiver.h
 *		The rows of a query, one by one as they come; none of them is kept.
 */
#ifndef CRM_BASE_ROW_RECEIVER_H
#define CRM_BASE_ROW_RECEIVER_H

#include "executor/spi.h"

typedef void (*CrmRowReceiver) (TupleTableSlot *row, void *arg);

/*
 * Runs a SELECT, whose parameters are all of type argtype, and calls receive
 * for each row.  The caller is connected to SPI.  A read-only query uses the
 * active snapshot; any other takes a new one, according to the isolation level.
 */
extern void crm_receive_rows(SPIPlanPtr plan, int nargs, Oid argtype, const Datum *args,
							 const bool *nulls, bool read_only,
							 CrmRowReceiver receive, void *arg);

#endif							/* CRM_BASE_ROW_RECEIVER_H */
