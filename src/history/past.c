/*
 * history/past.c
 *		What the history says of a deal that is being written.
 *
 * History outlives its deals: a deal may be inserted again under the id of one
 * that was deleted, and then goes on where that one ended.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/query.h"
#include "base/shard.h"
#include "base/uuid.h"
#include "history/erasure.h"
#include "history/past.h"
#include "table/kinds.h"
#include "table/owner_rights.h"
#include "table/scan.h"

typedef enum PastColumn
{
	PAST_DEAL_ID,
	PAST_TENANT_ID,
	PAST_CHANGE,
	PAST_VERSION,
	PAST_MOVE_NO,
	PAST_STAGE_ID,
	PAST_ENTERED_AT,
	PAST_CHANGED_AT
} PastColumn;

static const CrmColumn past_columns[] = {
	[PAST_DEAL_ID] = {"deal_id", UUIDOID},
	[PAST_TENANT_ID] = {"tenant_id", UUIDOID},
	[PAST_CHANGE] = {"change", TEXTOID},
	[PAST_VERSION] = {"version", INT4OID},
	[PAST_MOVE_NO] = {"move_no", INT4OID},
	[PAST_STAGE_ID] = {"stage_id", UUIDOID},
	[PAST_ENTERED_AT] = {"stage_entered_at", TIMESTAMPTZOID},
	[PAST_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID},
};

static const CrmTableKind past_kind = {"deal_changes", past_columns, lengthof(past_columns)};

/*
 * Reads the table directly, for speed, as each inserted row needs it.  Where this is not
 * possible, as the table is partitioned, deals have no past.
 */
void
crm_deal_history_open(DealHistory *history, Relation deals)
{
	Oid			relid = crm_sibling(deals, "stage_changes");
	Relation	rel;

	history->relid = InvalidOid;
	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return;
	(void) crm_trusted_sibling(deals, "stage_changes");
	rel = table_open(relid, AccessShareLock);
	history->deal_id = crm_optional_column(rel, "deal_id", UUIDOID);
	history->tenant_id = crm_optional_column(rel, "tenant_id", UUIDOID);
	history->move_no = crm_optional_column(rel, "move_no", INT4OID);
	if (history->deal_id != InvalidAttrNumber && history->tenant_id != InvalidAttrNumber &&
		history->move_no != InvalidAttrNumber)
	{
		history->index = crm_index_on_column(rel, history->deal_id);
		history->relid = OidIsValid(history->index) ? relid : InvalidOid;
	}
	table_close(rel, NoLock);
}

/*
 * The rows of a deal that is just being inserted do not change, so no snapshot
 * is needed.  With one, serializable transactions that insert deals would be
 * in conflict with those that move others.
 */
int32
crm_last_move_no(const DealHistory *history, const pg_uuid_t *deal_id, const pg_uuid_t *tenant_id)
{
	int32		last = 0;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(history->relid))
		return 0;
	rel = table_open(history->relid, NoLock);
	ScanKeyInit(&key, history->deal_id, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(deal_id));
	scan = systable_beginscan(rel, history->index, true, SnapshotSelf, 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		Datum		tenant = crm_required_value(rel, tuple, history->tenant_id);

		CHECK_FOR_INTERRUPTS();
		if (crm_uuid_equal(DatumGetUUIDP(tenant), tenant_id))
			last = Max(last, DatumGetInt32(crm_required_value(rel, tuple, history->move_no)));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return last;
}

/*
 * While the table is empty, no deal has a past: the first bulk load is spared the index
 * scans.
 */
void
crm_deal_past_open(DealPast *past, Relation deals)
{
	Oid			relid = crm_sibling(deals, "deal_changes");
	Relation	rel;

	past->relid = InvalidOid;
	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return;
	(void) crm_trusted_sibling(deals, "deal_changes");
	rel = table_open(relid, AccessShareLock);
	if (RelationGetNumberOfBlocks(rel) > 0)
	{
		past->columns = crm_columns(rel, &past_kind);
		past->index = crm_index_on_column(rel, past->columns[PAST_DEAL_ID]);
		past->relid = OidIsValid(past->index) ? relid : InvalidOid;
	}
	table_close(rel, NoLock);
}

static Datum
past_value(const DealPast *past, Relation rel, HeapTuple tuple, PastColumn column)
{
	return crm_required_value(rel, tuple, past->columns[column]);
}

static bool
is_text(const text *value, const char *string)
{
	return VARSIZE_ANY_EXHDR(value) == strlen(string) &&
		memcmp(VARDATA_ANY(value), string, strlen(string)) == 0;
}

/*
 * A correction speaks of the past, but is made now; an edit of other columns may
 * be later than a change of values that is recorded after it.
 */
static bool
is_change_of_values(const text *change)
{
	return !is_text(change, "corrected") && !is_text(change, "edited") && !is_text(change, CRM_ERASED);
}

/* Without a snapshot, for the same reason. */
bool
crm_last_change(const DealPast *past, const pg_uuid_t *deal_id, const pg_uuid_t *tenant_id,
				LastChange *last)
{
	bool		found = false;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(past->relid))
		return false;
	rel = table_open(past->relid, NoLock);
	ScanKeyInit(&key, past->columns[PAST_DEAL_ID], BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(deal_id));
	scan = systable_beginscan(rel, past->index, true, SnapshotSelf, 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		const pg_uuid_t *tenant = DatumGetUUIDP(past_value(past, rel, tuple, PAST_TENANT_ID));
		TimestampTz changed_at = DatumGetTimestampTz(past_value(past, rel, tuple, PAST_CHANGED_AT));
		int32		version = DatumGetInt32(past_value(past, rel, tuple, PAST_VERSION));
		const text *change = DatumGetTextPP(past_value(past, rel, tuple, PAST_CHANGE));

		CHECK_FOR_INTERRUPTS();
		if (memcmp(tenant, tenant_id, UUID_LEN) != 0 || !is_change_of_values(change) ||
			(found && (changed_at < last->changed_at ||
					   (changed_at == last->changed_at && version < last->version))))
			continue;
		found = true;
		last->changed_at = changed_at;
		last->version = version;
		last->move_no = DatumGetInt32(past_value(past, rel, tuple, PAST_MOVE_NO));
		last->stage_id = *DatumGetUUIDP(past_value(past, rel, tuple, PAST_STAGE_ID));
		last->stage_entered_at =
			DatumGetTimestampTz(past_value(past, rel, tuple, PAST_ENTERED_AT));
		last->deleted = is_text(change, "deleted");
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return found;
}

/* Statements that reopen deals ask for each of them. */
static void
select_open_stage(const char *history, const pg_uuid_t *deal_id, const pg_uuid_t *tenant_id)
{
	static const Oid argtypes[] = {UUIDOID, UUIDOID};
	CrmStatement statement = {
		.text = psprintf("SELECT from_stage_id::pg_catalog.uuid FROM %s WHERE deal_id OPERATOR(pg_catalog.=) $1 "
						 "AND tenant_id OPERATOR(pg_catalog.=) $2 AND from_stage_id IS NOT NULL "
						 "AND from_status OPERATOR(pg_catalog.=) 'open' AND reverts_no IS NULL "
						 "ORDER BY move_no DESC LIMIT 1", history),
		.nargs = lengthof(argtypes),
		.argtypes = argtypes
	};
	Datum		args[] = {UUIDPGetDatum(deal_id), UUIDPGetDatum(tenant_id)};

	crm_select_kept(&statement, args, 1);
}

bool
crm_last_open_stage(Relation deals, const pg_uuid_t *deal_id, const pg_uuid_t *tenant_id,
					pg_uuid_t *stage_id)
{
	const char *history = crm_trusted_sibling(deals, "stage_changes");
	SavedUser	saved;
	bool		found;

	SPI_connect();
	crm_become_owner(deals, &saved);
	select_open_stage(history, deal_id, tenant_id);
	crm_restore_user(&saved);
	found = SPI_processed > 0;
	if (found)
		*stage_id = *DatumGetUUIDP(crm_result_value(0, 1, UUIDOID, NULL));
	SPI_finish();
	return found;
}
