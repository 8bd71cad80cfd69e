/*
 * deal_history.c
 *		What the history says of a deal that is being written.
 *
 * History outlives its deals: a deal may be inserted again under the id of one
 * that was deleted, and then goes on where that one ended.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "deal_history.h"
#include "owner_rights.h"
#include "table_info.h"

/*
 * Reads the table directly, as every inserted row asks.  Where that cannot be
 * done, as the table is partitioned or bears another name here, deals have no
 * past.
 */
void
crm_deal_history_open(DealHistory *history, Relation deals)
{
	Oid			relid = get_relname_relid("stage_changes", RelationGetNamespace(deals));
	Relation	rel;

	history->relid = InvalidOid;
	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return;
	rel = table_open(relid, AccessShareLock);
	history->deal_id = crm_optional_column(rel, "deal_id", UUIDOID);
	history->move_no = crm_optional_column(rel, "move_no", INT4OID);
	if (history->deal_id != InvalidAttrNumber && history->move_no != InvalidAttrNumber)
	{
		history->index = crm_index_on_column(rel, history->deal_id);
		history->relid = OidIsValid(history->index) ? relid : InvalidOid;
	}
	table_close(rel, NoLock);
}

/* A search for the highest number. */
typedef struct LastMove
{
	AttrNumber	move_no;
	int32		last;
} LastMove;

static bool
consider_move(Relation rel, HeapTuple tuple, void *arg)
{
	LastMove   *search = arg;

	search->last = Max(search->last, DatumGetInt32(crm_required_value(rel, tuple, search->move_no)));
	return true;
}

int32
crm_last_move_no(const DealHistory *history, const pg_uuid_t *deal_id)
{
	LastMove	search = {history->move_no, 0};
	Relation	rel;

	if (!OidIsValid(history->relid))
		return 0;
	rel = table_open(history->relid, NoLock);
	crm_visit_rows(rel, history->index, history->deal_id, deal_id, consider_move, &search);
	table_close(rel, NoLock);
	return search.last;
}

bool
crm_last_open_stage(Relation deals, const pg_uuid_t *deal_id, pg_uuid_t *stage_id)
{
	char	   *query = psprintf("SELECT from_stage_id FROM %s WHERE deal_id OPERATOR(pg_catalog.=) $1 "
								 "AND from_status OPERATOR(pg_catalog.=) 'open' AND reverts_id IS NULL "
								 "ORDER BY move_no DESC LIMIT 1",
								 crm_trusted_sibling(deals, "stage_changes"));
	Oid			argtypes[] = {UUIDOID};
	Datum		args[] = {UUIDPGetDatum(deal_id)};
	SavedUser	saved;
	bool		found;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	crm_become_owner(deals, &saved);
	if (SPI_execute_with_args(query, 1, argtypes, args, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the history of a deal");
	crm_restore_user(&saved);
	found = SPI_processed > 0;
	if (found)
	{
		bool		isnull;

		*stage_id = *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
												 1, &isnull));
	}
	SPI_finish();
	return found;
}
