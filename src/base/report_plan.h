/*
 * base/report_plan.h
 *		The queries of sql/queries, planned for a CRM.
 */
#ifndef CRM_BASE_REPORT_PLAN_H
#define CRM_BASE_REPORT_PLAN_H

#include "nodes/params.h"
#include "tcop/dest.h"

#include "base/declaration.h"

typedef struct CrmReport CrmReport;

/*
 * What a function crm_NAME(crm regnamespace, ...) of the extension runs for
 * the CRM in that schema: the statements of crm_query_NAME(), in order, and
 * before them a look-up for each argument that is the id of a row.
 *
 * It stays valid until crm_report_close(), or the end of the transaction's
 * error; errors in a query's text are raised by crm_report_open().
 */
extern CrmReport *crm_report_open(Oid function, Oid schema);
extern void crm_report_close(CrmReport *report);

/* Raises the error that crm_report_open() would, and keeps nothing. */
extern void crm_report_try(Oid function, Oid schema);

extern const CrmDeclaration *crm_report_declaration(const CrmReport *report);

/*
 * Looks for the rows whose ids are among the arguments; ERROR PT404 if the
 * caller sees none.  If the running statement itself has just made one of them,
 * a snapshot that shows it is the active one from then on: the result is true,
 * and the caller pops it after the run.
 */
extern bool crm_report_check_ids(CrmReport *report, ParamListInfo params);

/*
 * Runs the statements with the caller's rights and sends what the last one
 * returns to dest.
 */
extern void crm_report_run(CrmReport *report, ParamListInfo params, DestReceiver *dest);

/* For the module's initialisation. */
extern void crm_report_install_hook(void);

/* The text with the names of the schemas in place of @crm@ and @extension@; palloc'd. */
extern char *crm_fill_in_schemas(const char *text, Oid crm, Oid extension);

/* The text that a function of the extension's without arguments returns. */
extern char *crm_packed_text(Oid extension, const char *function);

#endif							/* CRM_BASE_REPORT_PLAN_H */
