/*
 * totals/access.h
 *		Whether a user may get totals in place of the sums over deals.
 */
#ifndef CRM_TOTALS_ACCESS_H
#define CRM_TOTALS_ACCESS_H

#include "fmgr.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

typedef enum TotalsAccess
{
	TOTALS_NONE,				/* they may differ from what the user sees */
	TOTALS_OF_TENANT,			/* the user sees all deals of one tenant */
	TOTALS_OF_ALL				/* the user sees all deals */
} TotalsAccess;

/*
 * Whether the totals are, exactly, what the deals add up to that the current
 * user sees.  ERROR 42501 for a user who has to have a tenant and has none.
 */
extern TotalsAccess crm_totals_access(FunctionCallInfo fcinfo, Relation deals,
									  pg_uuid_t *tenant_id);

/*
 * Whether row security hides no deal from the current user, but for those of
 * other tenants.  fcinfo is of a function of the extension.
 */
extern bool crm_sees_all(FunctionCallInfo fcinfo, Relation deals);

#endif							/* CRM_TOTALS_ACCESS_H */
