/*
 * analytics/lives.h
 *		Deals that were deleted and inserted again under their old ids.
 *
 * Such a deal is a new one: reports on the deals that there are now count only what happened
 * since it was inserted again.  Its moves are numbered on, so the number of the last move
 * before tells which ones are of its present life.  But if it was put back as it had been
 * deleted, in its stage and since the same time, it goes on, and nothing of this concerns it
 * (history/put_back.h).
 */
#ifndef CRM_ANALYTICS_LIVES_H
#define CRM_ANALYTICS_LIVES_H

#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/query.h"

/*
 * Condition of a query: the tenant of a pipeline is that of the row.  Another one may have
 * had deals of the same ids.  alias: of the row; pipelines: name of the table; $1: the pipeline.
 */
#define OF_TENANT(alias, pipelines) \
	alias ".tenant_id OPERATOR(pg_catalog.=) " \
	"(SELECT p.tenant_id FROM " pipelines " p WHERE p.id OPERATOR(pg_catalog.=) $1 LIMIT 1)"

enum
{
	RESTORED_DEAL, RESTORED_MOVE_NO, RESTORED_VERSION, RESTORED_AMOUNT, RESTORED_CURRENCY
};

/*
 * Reads when deals of the pipeline's tenant began new lives, with the caller's rights: a
 * row for each time, of the columns above, without the last two unless with_amounts.
 * These rows are few, and have an index.
 */
extern void crm_receive_restored(Relation deals, const pg_uuid_t *pipeline_id,
								 bool with_amounts, CrmRowReceiver receive, void *arg);

#endif							/* CRM_ANALYTICS_LIVES_H */
