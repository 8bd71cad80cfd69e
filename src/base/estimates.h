/*
 * base/estimates.h
 *		Planning with values that the plan does not depend on.
 */
#ifndef CRM_BASE_ESTIMATES_H
#define CRM_BASE_ESTIMATES_H

#include "utils/plancache.h"

/*
 * The plan of a statement, as by GetCachedPlan(), in the current resource owner.  A generic
 * one is made, if it has to be made, as the planner would estimate it for these values, but
 * it can be run with any others.
 */
extern CachedPlan *crm_plan_for(CachedPlanSource *source, ParamListInfo params);

/* For the module's initialisation. */
extern void crm_estimates_install_hook(void);

#endif							/* CRM_BASE_ESTIMATES_H */
