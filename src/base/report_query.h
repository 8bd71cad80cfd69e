/*
 * base/report_query.h
 *		Parsing the text of a report's query.
 */
#ifndef CRM_BASE_REPORT_QUERY_H
#define CRM_BASE_REPORT_QUERY_H

#include "executor/spi.h"

#include "base/declaration.h"
#include "base/report_group.h"

/* The meaning of the names in a query. */
typedef struct CrmQueryNames
{
	CrmDeclaration declaration; /* of the function whose query it is */
	CrmGroupSource group;
	const char *shape;			/* of the arguments; NULL: of all calls */
} CrmQueryNames;

/*
 * Pins what gives a query its meaning, for analyzing and planning it, until
 * AtEOXact_GUC(true, level) of the level returned.
 */
extern int	crm_report_pin_settings(void);

/*
 * Whether the query has the same plan for all values of the arguments that are given, but not
 * if deals are grouped by a dimension, as it gathers them then.
 */
extern bool crm_has_one_plan(const char *query, const char *dimension);

/*
 * Prepares a query of the function's, in which NAME.argument stands for an
 * argument, and NAME.group_of.ALIAS for what a row of deals is grouped by.  The names
 * have to stay as long as the plan does.  generic: it is planned once, not for the
 * arguments of each call.  The caller is connected to SPI and has pinned the settings.
 */
extern SPIPlanPtr crm_report_prepare(const char *query, CrmQueryNames *names, bool generic);

/*
 * The columns that the query returns; NULL: none.  Raises the errors that preparing it would,
 * and plans nothing.
 */
extern TupleDesc crm_report_columns(const char *query, CrmQueryNames *names);

/*
 * ERROR unless that is the current user: analysis ends with the rights of the
 * caller, unless a hook of another library kept ours from being called.
 */
extern void crm_report_check_user(Oid user);

/* For the module's initialisation. */
extern void crm_report_install_hook(void);

#endif							/* CRM_BASE_REPORT_QUERY_H */
