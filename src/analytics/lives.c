/*
 * analytics/lives.c
 *		Deals that were deleted and inserted again under their old ids.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "analytics/lives.h"
#include "table/columns.h"

/* Up to so many deals are looked up by their ids. */
#define FEW_DEALS		1000

Datum
crm_ids_of_few(const DealIndex *deals)
{
	Datum	   *ids;
	Datum		result;

	if (deals->count > FEW_DEALS)
		return (Datum) 0;
	ids = palloc((deals->count + 1) * sizeof(Datum));
	for (uint32 i = 0; i < deals->count; i++)
		ids[i] = PointerGetDatum(&deals->ids[i]);
	result = PointerGetDatum(construct_array(ids, deals->count, UUIDOID, UUID_LEN, false,
											 TYPALIGN_CHAR));
	pfree(ids);
	return result;
}

/* $1 is the pipeline, $2 ids of deals; %1$s is deal_changes, %2$s pipelines. */
#define RESTORED(list) \
	"SELECT c.deal_id::pg_catalog.uuid, c.move_no::pg_catalog.int4, c.version::pg_catalog.int4" list " FROM %1$s c " \
	"WHERE c.change OPERATOR(pg_catalog.=) 'restored' AND ($2 IS NULL OR c.deal_id OPERATOR(pg_catalog.=) ANY ($2)) " \
	"AND " OF_TENANT("c", "%2$s") " AND NOT EXISTS (SELECT " \
	"FROM (SELECT k.stage_id, k.stage_entered_at, k.move_no FROM %1$s k " \
	"WHERE k.deal_id OPERATOR(pg_catalog.=) c.deal_id AND k.tenant_id OPERATOR(pg_catalog.=) c.tenant_id " \
	"AND k.change OPERATOR(pg_catalog.=) 'deleted' AND k.changed_at OPERATOR(pg_catalog.<=) c.changed_at " \
	"ORDER BY k.changed_at DESC, k.recorded_at DESC LIMIT 1) k " \
	"WHERE k.stage_id OPERATOR(pg_catalog.=) c.stage_id AND k.move_no OPERATOR(pg_catalog.=) c.move_no " \
	"AND pg_catalog.date_trunc('milliseconds', k.stage_entered_at) OPERATOR(pg_catalog.=) " \
	"pg_catalog.date_trunc('milliseconds', c.stage_entered_at))"

#define AMOUNTS	", c.new_amount::pg_catalog.numeric, c.new_currency::pg_catalog.text"

void
crm_receive_restored(Relation deals, const pg_uuid_t *pipeline_id, Datum ids, bool with_amounts,
					 CrmRowReceiver receive, void *arg)
{
	static const Oid types[] = {UUIDOID, UUIDARRAYOID};
	Datum		args[] = {UUIDPGetDatum(pipeline_id), ids};
	const char	nulls[] = {' ', ids == (Datum) 0 ? 'n' : ' ', '\0'};
	CrmStatement statement = {
		.text = psprintf(with_amounts ? RESTORED(AMOUNTS) : RESTORED(""),
						 crm_sibling_name(deals, "deal_changes"),
						 crm_sibling_name(deals, "pipelines")),
		.nargs = lengthof(types),
		.argtypes = types,
		/* The best plan depends on the number of ids. */
		.cursor_options = CURSOR_OPT_CUSTOM_PLAN,
	};

	crm_receive_rows(&statement, args, nulls, true, receive, arg);
}
