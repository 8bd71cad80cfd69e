/*
 * analytics/lives.c
 *		Deals that were deleted and inserted again under their old ids.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "analytics/lives.h"
#include "base/shard.h"
#include "history/put_back.h"
#include "table/columns.h"

/* $1 is the pipeline; %1$s is deal_changes, %2$s pipelines. */
#define RESTORED(list) \
	"SELECT c.deal_id::pg_catalog.uuid, c.move_no::pg_catalog.int4, c.version::pg_catalog.int4" list " FROM %1$s c " \
	"WHERE c.change OPERATOR(pg_catalog.=) 'restored' AND " OF_TENANT("c", "%2$s") " " \
	"AND NOT " CRM_IS_PUT_BACK("c", "%1$s")

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
