/*
 * base/report_run.h
 *		Running the queries of a report.
 */
#ifndef CRM_BASE_REPORT_RUN_H
#define CRM_BASE_REPORT_RUN_H

#include "nodes/params.h"
#include "tcop/dest.h"

#include "base/report_plan.h"

/*
 * Looks for the rows whose ids are among the arguments; ERROR PT404 if the
 * caller sees none.  If the running statement itself has just made one of them,
 * a snapshot that shows it is the active one from then on: the result is true,
 * and the caller pops it after the run.
 */
extern bool crm_report_check_ids(const CrmReport *report, ParamListInfo params);

/*
 * Runs the statements and the query with the caller's rights, and sends what the query
 * returns to dest.  dimension is what deals are grouped by, NULL: nothing.
 */
extern void crm_report_run(const CrmReport *report, const char *dimension, ParamListInfo params,
						   DestReceiver *dest);

#endif							/* CRM_BASE_REPORT_RUN_H */
