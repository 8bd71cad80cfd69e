/*
 * table/tenant_guard.h
 *		What a row that is given to another tenant may tell its writer: nothing.
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
 * Runs the rules for a row of a foreign tenant.  What they refuse is refused
 * the way row security does it, whatever the reason.
 */
typedef void (*CrmRules) (void *arg);
extern void crm_run_guarded(Relation rel, CrmRules rules, void *arg);

#endif							/* CRM_TABLE_TENANT_GUARD_H */
