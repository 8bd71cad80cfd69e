/*
 * stage/stage_use.h
 *		What uses a stage: the deals that stand in it, and the history.
 *
 * Read with the latest snapshot and the rights of the owner of stages.
 */
#ifndef CRM_STAGE_STAGE_USE_H
#define CRM_STAGE_STAGE_USE_H

#include "utils/relcache.h"
#include "utils/uuid.h"

extern bool crm_stage_has_deals(Relation stages, const pg_uuid_t *stage_id);

/* Whether stage_changes or deal_changes of the tenant mention the stage. */
extern bool crm_stage_in_history(Relation stages, const pg_uuid_t *stage_id,
								 const pg_uuid_t *tenant_id);

/*
 * For errdetail_internal(): a translated sentence with the titles of some deals that
 * stand in the stage, as far as the user may see them.  It runs a query, so it is to be
 * called before ereport().
 */
extern char *crm_describe_stage_deals(Relation stages, const pg_uuid_t *stage_id);

/* ERROR 23503 if deals stand in the stage. */
extern void crm_check_stage_empty(Relation stages, const pg_uuid_t *stage_id, const char *name);

#endif							/* CRM_STAGE_STAGE_USE_H */
