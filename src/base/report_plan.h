/*
 * base/report_plan.h
 *		The queries of sql/queries, planned for a CRM and kept.
 */
#ifndef CRM_BASE_REPORT_PLAN_H
#define CRM_BASE_REPORT_PLAN_H

#include "utils/plancache.h"

#include "base/plan_cache.h"
#include "base/report_query.h"

/* Arguments that are the id of a row, and what the row is. */
typedef struct CrmIdArgument
{
	const char *argument;
	const char *what;
	const char *table;
} CrmIdArgument;

/* A look-up of the row whose id is an argument. */
typedef struct CrmLookup
{
	SPIPlanPtr	plan;
	const CrmIdArgument *id;
	int			argument;		/* its number */
} CrmLookup;

/*
 * What a function crm_NAME(crm regnamespace, ...) of the extension runs for
 * the CRM in that schema: look-ups for the arguments that are the id of a row,
 * then the statements of crm_query_NAME(), in order.  Each dimension that deals
 * are grouped by has plans of its own.
 */
typedef struct CrmReport
{
	CrmKeptPlans kept;			/* must be first; plans of both */
	Oid			schema;
	Oid			deals;			/* its table, or the shard that is read in its
								 * place */
	CrmQueryNames names;
	int			nlookups;
	CrmLookup  *lookups;
	List	   *statements;		/* SPIPlanPtr */
} CrmReport;

/*
 * dimension is what deals are grouped by, NULL: nothing.  It stays valid until
 * crm_report_close(), which is to be called after an error too; errors in a query's
 * text are raised by crm_report_open(), and 22023 for a dimension that deals do not
 * have.
 */
extern CrmReport *crm_report_open(Oid function, Oid schema, const char *dimension);
extern void crm_report_close(CrmReport *report);

/* Raises the error that crm_report_open() would, and keeps nothing. */
extern void crm_report_try(Oid function, Oid schema);

/* The statement of a plan. */
extern CachedPlanSource *crm_report_source(SPIPlanPtr plan);

#endif							/* CRM_BASE_REPORT_PLAN_H */
