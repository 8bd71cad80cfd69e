/*
 * table/tenant_guard.h
 *		Hiding errors of the rules for a row that is written to another tenant.
 *
 * Triggers run before row security refuses the row.  An error of the rules
 * would speak of the pipelines and stages of that tenant.
 */
#ifndef CRM_TABLE_TENANT_GUARD_H
#define CRM_TABLE_TENANT_GUARD_H

#include "utils/relcache.h"
#include "utils/uuid.h"

/*
 * Whether row security keeps the user from a row of that tenant, as far as
 * the tenant of the session tells.
 */
extern bool crm_is_foreign_tenant(Relation rel, const pg_uuid_t *tenant_id);

/*
 * Runs the rules for a row of another tenant.  Whatever they refuse gets the error of
 * row security, so that it tells nothing of that tenant.
 */
typedef void (*CrmRules) (void *arg);
extern void crm_run_guarded(Relation rel, CrmRules rules, void *arg);

#endif							/* CRM_TABLE_TENANT_GUARD_H */
