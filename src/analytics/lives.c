/*
 * analytics/lives.c
 *		Deals that were deleted and inserted again under their old ids.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "analytics/lives.h"
#include "base/shard.h"
#include "table/columns.h"

/* $1 is the pipeline; %1$s is deal_changes, %2$s pipelines. */
#define RESTORED(list) \
	"SELECT c.deal_id::pg_catalog.uuid, c.move_no::pg_catalog.int4, c.version::pg_catalog.int4" list " FROM %1$s c " \
	"WHERE c.change OPERATOR(pg_catalog.=) 'restored' AND " OF_TENANT("c", "%2$s") " AND NOT EXISTS (SELECT " \
	"FROM (SELECT k.stage_id, k.stage_entered_at, k.move_no FROM %1$s k " \
	"WHERE k.deal_id OPERATOR(pg_catalog.=) c.deal_id AND k.tenant_id OPERATOR(pg_catalog.=) c.tenant_id " \
	"AND k.change OPERATOR(pg_catalog.=) 'deleted' AND k.changed_at OPERATOR(pg_catalog.<=) c.changed_at " \
	"ORDER BY k.changed_at DESC, k.recorded_at DESC LIMIT 1) k " \
	"WHERE k.stage_id OPERATOR(pg_catalog.=) c.stage_id AND k.move_no OPERATOR(pg_catalog.=) c.move_no " \
	"AND pg_catalog.date_trunc('milliseconds', k.stage_entered_at) OPERATOR(pg_catalog.=) " \
	"pg_catalog.date_trunc('milliseconds', c.stage_entered_at))"

#define AMOUNTS	", c.new_amount::pg_catalog.numeric, c.new_currency::pg_catalog.text"

void
crm_receive_restored(Relation deals, const pg_uuid_t *pipeline_id, bool with_amounts,
					 CrmRowReceiver receive, void *arg)
{
	static const Oid types[] = {UUIDOID};
	Datum		args[] = {UUIDPGetDatum(pipeline_id)};
	CrmStatement statement = {
		.text = psprintf(with_amounts ? RESTORED(AMOUNTS) : RESTORED(""),
						 crm_sibling_name(deals, "deal_changes"),
						 crm_sibling_name(deals, "pipelines")),
		.nargs = lengthof(types),
		.argtypes = types,

		/*
		 * It is the same for all pipelines, and planning takes longer than
		 * reading.
		 */
		.cursor_options = crm_generic_plan(deals),
	};

	crm_receive_rows(&statement, args, NULL, true, receive, arg);
}
