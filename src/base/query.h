/*
 * base/query.h
 *		Running SQL through SPI.  The caller is connected to it.
 */
#ifndef CRM_BASE_QUERY_H
#define CRM_BASE_QUERY_H

#include "executor/spi.h"
#include "utils/relcache.h"

#include "base/compat.h"
#include "base/plan_cache.h"

/* The name of that relation of a schema, qualified and quoted as needed, and that of a relation. */
extern char *crm_qualified_name(Oid schema, const char *name);
extern char *crm_relation_name(Oid relid);

/* Runs a statement without parameters, and does not keep its plan: mostly DDL. */
extern void crm_run(const char *query);

/*
 * Runs a statement with parameters, and does not keep its plan.  Returns what
 * SPI_execute_with_args() returns, and sets SPI_processed and SPI_tuptable as it does;
 * error codes of SPI are raised as errors.  nulls may be NULL.
 */
extern int	crm_run_once(const char *query, int nargs, const Oid *types, const Datum *args,
						 const char *nulls);

/*
 * The same for a SELECT; returns the number of its rows.  A read-only one uses the
 * active snapshot; any other a new one, which sees what this command has done.
 */
extern uint64 crm_select_once(const char *query, int nargs, const Oid *types, const Datum *args,
							  const char *nulls, bool read_only);

/*
 * Runs a statement and keeps its plan.  Returns what SPI_execute_plan() returns,
 * and sets SPI_processed and SPI_tuptable as it does; error codes of SPI are
 * raised as errors.  nulls may be NULL.
 */
extern int	crm_run_kept(const CrmStatement *statement, const Datum *values, const char *nulls,
						 bool read_only, long max_rows);

/*
 * A column of a row that a query returned.  Tables are the user's, and may have been
 * altered: ERROR 42804 if it is of another type, 22004 if it is null, unless isnull is given.
 */
extern Datum crm_result_value(uint64 row, int column, Oid type, bool *isnull);

/* The same for a SELECT that may write, such as one of rows that it locks. */
extern void crm_select_kept(const CrmStatement *statement, const Datum *values, long max_rows);

/*
 * The same for an INSERT into that table of the owner's.  ERROR 39P01 if a rule of
 * the table made something else of it.
 */
extern void crm_insert_kept(const CrmStatement *statement, const Datum *values,
							const char *table);

/* That error, for a command such as "UPDATE". */
pg_noreturn extern void crm_refuse_rule(const char *table, const char *command);

/* Takes a row of a query as it comes. */
typedef void (*CrmRowReceiver) (TupleTableSlot *row, void *arg);

/* Where SPI can send the rows of a query: receive is called for each; palloc'd. */
extern DestReceiver *crm_row_receiver(CrmRowReceiver receive, void *arg);

/*
 * Runs a SELECT, keeps its plan, and calls receive for each row as it comes; no row
 * is stored and nothing is compiled (jit).  A read-only query uses the active
 * snapshot; any other takes a new one, according to the isolation level.
 */
extern void crm_receive_rows(const CrmStatement *statement, const Datum *values,
							 const char *nulls, bool read_only, CrmRowReceiver receive, void *arg);

/* A SELECT from one table, as it is planned with some parameters. */
typedef struct CrmPlanned
{
	double		cost;			/* as the planner reckons, */
	double		rows;			/* both */
	bool		reads_all;		/* the table is read from end to end: then it
								 * may be cheaper to take all rows, and to
								 * check the conditions in C */
} CrmPlanned;

extern CrmPlanned crm_look_at_plan(const CrmStatement *statement, const Datum *values,
								   const char *nulls);

/* Whether the current user may read all that the prepared query reads, behind views too. */
extern bool crm_may_run(SPIPlanPtr plan);

/* Like crm_run_kept(), but with the given snapshot, and without keeping the plan. */
extern int	crm_run_snapshot(const CrmStatement *statement, const Datum *values,
							 Snapshot snapshot);

#endif							/* CRM_BASE_QUERY_H */
