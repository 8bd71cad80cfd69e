/*
 * base/report_shape.h
 *		What the plan of a report's query depends on, of a call's arguments.
 */
#ifndef CRM_BASE_REPORT_SHAPE_H
#define CRM_BASE_REPORT_SHAPE_H

#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/declaration.h"

/*
 * The shape of the arguments: calls of the same shape share a plan.  palloc'd; deals is
 * the table that is read, InvalidOid if no sizes matter.
 */
extern char *crm_report_shape(const CrmDeclaration *declaration, ParamListInfo params, Oid deals);

/*
 * The argument's value, if it is the same in all calls of that shape; NULL if it is not.
 */
extern Node *crm_shape_constant(const char *shape, const CrmDeclaration *declaration, int argument);

/*
 * Whether, of the pipeline that is asked about, it is faster to read what its deals have than
 * to look for it among what others have: they are few, or a small share.
 */
extern bool crm_shape_has_few_deals(const char *shape, const CrmDeclaration *declaration);

/*
 * Up to so many deals of the pipeline are few: what they have may be looked up by their ids,
 * which is faster than to read what all deals have.
 */
extern int	crm_few_deals(Relation deals, const pg_uuid_t *pipeline_id);

/*
 * Replaces, in a query prepared for a shape, the question whether an argument is null: one
 * that may be null has the default and is a constant.
 */
extern void crm_shape_fold_null_tests(Query *query);

#endif							/* CRM_BASE_REPORT_SHAPE_H */
