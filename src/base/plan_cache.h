/*
 * base/plan_cache.h
 *		Prepared statements that are kept for the session: a bounded number.
 */
#ifndef CRM_BASE_PLAN_CACHE_H
#define CRM_BASE_PLAN_CACHE_H

#include "executor/spi.h"

/*
 * A statement.  Two are the same if all of these are: the text is compared, so
 * it need not last, and a statement on a table whose schema was renamed is
 * another one.
 */
typedef struct CrmStatement
{
	const char *text;
	int			nargs;
	const Oid  *argtypes;
	int			cursor_options; /* as for SPI_prepare_cursor() */

	/*
	 * The schema that names without one stand for, if the search path says
	 * so; else InvalidOid.  A plan is made anew whenever the search path is
	 * another one, so each schema has to have its own.
	 */
	Oid			schema;
} CrmStatement;

/* What is done with a plan; returns what SPI says of its execution. */
typedef int (*CrmPlanUser) (SPIPlanPtr plan, void *arg);

/*
 * Calls use with the plan of the statement, which is prepared now or was kept,
 * and returns what use returns.  The plan lasts until use returns, and is not
 * valid afterwards; use may come back here, even with the same statement, as
 * triggers do.  The caller is connected to SPI, and has the search path and
 * the rights that the statement is to run with.
 */
extern int	crm_use_plan(const CrmStatement *statement, CrmPlanUser use, void *arg);

/* Prepares the statement anew the next time it is used. */
extern void crm_forget_plan(const CrmStatement *statement);

#endif							/* CRM_BASE_PLAN_CACHE_H */
