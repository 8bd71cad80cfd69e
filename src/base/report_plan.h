/*
 * base/report_plan.h
 *		The queries of sql/queries, planned for a CRM and kept.
 */
#ifndef CRM_BASE_REPORT_PLAN_H
#define CRM_BASE_REPORT_PLAN_H

#include "nodes/params.h"
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
 * then the statements of crm_query_NAME(), in order.
 *
 * The last of them is the query.  It is another CrmReport, without look-ups, as there is
 * one for each dimension that deals are grouped by, and for each shape of the arguments
 * (base/report_shape.h).
 */
typedef struct CrmReport
{
	CrmKeptPlans kept;			/* must be first; all plans */
	Oid			schema;
	Oid			deals;			/* its table, or the shard that is read in its
								 * place */
	char	   *query;			/* the text of it; NULL: this is the query */
	CrmQueryNames names;
	int			nlookups;
	CrmLookup  *lookups;
	List	   *statements;		/* SPIPlanPtr */
} CrmReport;

/*
 * What comes before the query.  It stays valid until crm_report_close(), which is to be
 * called after an error too; errors in a statement's text are raised here.
 */
extern CrmReport *crm_report_open(Oid function, Oid schema);

/*
 * The query, likewise, for these arguments.  dimension is what deals are grouped by, NULL:
 * nothing.  ERROR 22023 for a dimension that deals do not have, 42501 for one that the caller
 * may not read.
 */
extern CrmReport *crm_report_open_query(const CrmReport *report, const char *dimension,
										ParamListInfo params);
extern void crm_report_close(CrmReport *report);

/* Raises the error that opening the report and its query would, and keeps nothing. */
extern void crm_report_try(Oid function, Oid schema);

/*
 * ERROR 42804 unless what the query returns is what is declared.  It may become something
 * else with every new plan, as the tables may be altered.
 */
extern void crm_report_check_result(const CrmReport *report);

/* The statement of a plan. */
extern CachedPlanSource *crm_report_source(SPIPlanPtr plan);

#endif							/* CRM_BASE_REPORT_PLAN_H */
