/*
 * base/report_group.h
 *		What the deals of a report are grouped by.
 */
#ifndef CRM_BASE_REPORT_GROUP_H
#define CRM_BASE_REPORT_GROUP_H

#include "parser/parse_node.h"

/* An argument of reports; its value is a dimension. */
#define CRM_GROUP_ARGUMENT	"group_by"

/*
 * The dimension in its canonical form: words become the columns that they stand for.
 * palloc'd.
 */
extern char *crm_group_dimension(const char *dimension);

/* What a dimension is looked up in. */
typedef struct CrmGroupSource
{
	Oid			extension;		/* schemas */
	Oid			schema;
	const char *dimension;		/* by crm_group_dimension(); NULL: none */
} CrmGroupSource;

/* ERROR 22023 if deals have no such dimension. */
extern void crm_group_check(const CrmGroupSource *source);

/*
 * ERROR 42501 if the caller may not read the column of deals that the dimension is of: what
 * PostgreSQL says names the table alone.
 */
extern void crm_group_check_rights(const CrmGroupSource *source);

/*
 * The deal's value of that dimension, as an expression for the query that is being
 * analyzed, in which the table deals has that alias; a null if there is no dimension.
 * Errors as for crm_group_check().
 */
extern Node *crm_group_expression(ParseState *pstate, const CrmGroupSource *source,
								  const char *alias);

#endif							/* CRM_BASE_REPORT_GROUP_H */
