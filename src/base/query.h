/*
 * base/query.h
 *		Running SQL through SPI.  The caller is connected to it.
 */
#ifndef CRM_BASE_QUERY_H
#define CRM_BASE_QUERY_H

#include "executor/spi.h"
#include "utils/relcache.h"

#include "base/plan_cache.h"

/* Runs a query without parameters, once: DDL, mostly. */
extern void crm_run(const char *query);

/*
 * Runs a statement whose plan is kept, as SPI_execute_plan() does, and returns
 * what that returns; SPI_processed and SPI_tuptable are set.  nulls may be
 * NULL.  An error of SPI's own is raised.
 */
extern int	crm_run_kept(const CrmStatement *statement, const Datum *values, const char *nulls,
						 bool read_only, long max_rows);

/* Takes a row of a query as it comes. */
typedef void (*CrmRowReceiver) (TupleTableSlot *row, void *arg);

/* Where SPI can send the rows of a query: receive is called for each; palloc'd. */
extern DestReceiver *crm_row_receiver(CrmRowReceiver receive, void *arg);

/*
 * Runs a SELECT whose plan is kept, and calls receive for each row as it comes;
 * none is stored.  Read-only queries have the snapshot of the query at hand;
 * others a new one, as the isolation level has it.
 */
extern void crm_receive_rows(const CrmStatement *statement, const Datum *values,
							 const char *nulls, bool read_only, CrmRowReceiver receive, void *arg);

/* Runs a query, like crm_run_kept(), with the snapshot given and without keeping its plan. */
extern int	crm_run_snapshot(const CrmStatement *statement, const Datum *values,
							 Snapshot snapshot);

#endif							/* CRM_BASE_QUERY_H */
