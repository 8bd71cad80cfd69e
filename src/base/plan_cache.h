/*
 * base/plan_cache.h
 *		Prepared statements that are kept for the session: a bounded number.
 */
#ifndef CRM_BASE_PLAN_CACHE_H
#define CRM_BASE_PLAN_CACHE_H

#include "executor/spi.h"

/*
 * A statement.  Two are the same if all members are equal.  The text is compared,
 * so that the caller may free it; after a schema was renamed, the statement is
 * another one.
 */
typedef struct CrmStatement
{
	const char *text;
	int			nargs;
	const Oid  *argtypes;
	int			cursor_options; /* as for SPI_prepare_cursor() */

	/*
	 * The schema in which unqualified names are found by the search path;
	 * InvalidOid if there are none.  The server plans a statement again when
	 * the search path has changed, so each schema has its own plan.
	 */
	Oid			schema;
} CrmStatement;

/* Executes a plan; returns SPI's result. */
typedef int (*CrmPlanUser) (SPIPlanPtr plan, void *arg);

/*
 * Calls use with the plan of the statement, which is prepared if it was not kept,
 * and returns its result.  The plan is valid until use returns; use may call this
 * function again, even with the same statement, as triggers do.  The caller is
 * connected to SPI, and has set the search path and the user for the statement.
 */
extern int	crm_use_plan(const CrmStatement *statement, CrmPlanUser use, void *arg);

/* Forgets the plan: the statement is prepared again when it is used next. */
extern void crm_forget_plan(const CrmStatement *statement);

#endif							/* CRM_BASE_PLAN_CACHE_H */
