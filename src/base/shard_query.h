/*
 * base/shard_query.h
 *		Planning a query on the shards that this node has, in place of the tables.
 */
#ifndef CRM_BASE_SHARD_QUERY_H
#define CRM_BASE_SHARD_QUERY_H

#include "utils/plancache.h"

/* Installs a hook on the planner, if the server has Citus. */
extern void crm_shard_query_install_hook(void);

/* As GetCachedPlan(), but what is planned reads shards where crm_table_to_read() knows them. */
extern CachedPlan *crm_plan_on_shards(CachedPlanSource *source, ParamListInfo params);

#endif							/* CRM_BASE_SHARD_QUERY_H */
