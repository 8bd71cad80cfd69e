/*
 * undo.c
 *		Takes the last move of a deal back.
 *
 * The deal is put back as it was by an ordinary UPDATE, with the rights of
 * the caller.  The triggers, told so here, take the row as it is written and
 * record a move that names the one it reverts.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "api.h"
#include "errors.h"
#include "owner_rights.h"
#include "row_edit.h"
#include "stage_facts.h"
#include "table_kinds.h"
#include "undo.h"

typedef struct Undo
{
	Oid			deals;
	pg_uuid_t	deal_id;
	pg_uuid_t	tenant_id;
	pg_uuid_t	reverts;
	pg_uuid_t	stage_id;		/* where the deal goes back to */
	int64		move_no;		/* of the move that does it; 0: not yet */
} Undo;

static Undo *undo_in_progress = NULL;

/* Whether rel is the table that undo_move was called for, or a part of it. */
static bool
concerns(const Undo *undo, Relation rel)
{
	return undo->deals == RelationGetRelid(rel) ||
		(rel->rd_rel->relispartition &&
		 list_member_oid(get_partition_ancestors(RelationGetRelid(rel)), undo->deals));
}

bool
crm_undo_writes(Relation deals, const pg_uuid_t *deal_id, const pg_uuid_t *stage_id, int32 old_move_no)
{
	Undo	   *undo = undo_in_progress;
	int64		move_no = (int64) old_move_no + 1;

	if (undo == NULL || !concerns(undo, deals) ||
		!crm_uuid_equal(&undo->deal_id, deal_id) ||
		!crm_uuid_equal(&undo->stage_id, stage_id) ||
		(undo->move_no != 0 && undo->move_no != move_no))
		return false;
	undo->move_no = move_no;
	return true;
}

const pg_uuid_t *
crm_undo_reverts(Relation deals, const pg_uuid_t *deal_id, int32 move_no)
{
	const Undo *undo = undo_in_progress;

	if (undo == NULL || !concerns(undo, deals) ||
		!crm_uuid_equal(&undo->deal_id, deal_id) || undo->move_no != move_no)
		return NULL;
	return &undo->reverts;
}

/* What put_back() writes, as find_last_move() selects it. */
enum
{
	MOVE_ID = 1,
	MOVE_PIPELINE_ID,
	MOVE_STAGE_ID,
	MOVE_STATUS,
	MOVE_PROBABILITY,
	MOVE_ENTERED_AT,
	MOVE_WON_AT,
	MOVE_LOST_AT,
	MOVE_LOST_REASON,
	MOVE_NCOLUMNS = MOVE_LOST_REASON
};

/* Locks the deal for the caller, who must be allowed to update it. */
static void
lock_deal(Relation deals, Undo *undo)
{
	crm_api_require(psprintf("SELECT d.tenant_id FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
							 crm_sibling_name(deals, RelationGetRelationName(deals))),
					"deal", &undo->deal_id);
	undo->tenant_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID));
}

/*
 * The last move that stands: that is no revert and was not reverted.  The
 * history is read with the owner's rights, as the caller, who holds a lock on
 * the deal, need not see it; but not that of another tenant's deal, which had
 * the same id before it was deleted.
 */
static void
find_last_move(Relation deals, Undo *undo, Datum *values, char *nulls)
{
	char	   *query = psprintf("SELECT c.id::pg_catalog.uuid, c.from_pipeline_id::pg_catalog.uuid, c.from_stage_id::pg_catalog.uuid, "
								 "c.from_status::pg_catalog.text, c.from_probability::pg_catalog.numeric, c.entered_at::pg_catalog.timestamptz, "
								 "pg_catalog.jsonb_object_field_text(c.closing, 'won_at')::pg_catalog.timestamptz, "
								 "pg_catalog.jsonb_object_field_text(c.closing, 'lost_at')::pg_catalog.timestamptz, "
								 "pg_catalog.jsonb_object_field_text(c.closing, 'lost_reason') "
								 "FROM %1$s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND c.reverts_id IS NULL "
								 "AND NOT EXISTS (SELECT FROM %1$s r WHERE r.deal_id OPERATOR(pg_catalog.=) $1 "
								 "AND r.reverts_id OPERATOR(pg_catalog.=) c.id) "
								 "ORDER BY c.move_no DESC LIMIT 1",
								 crm_trusted_sibling(deals, "stage_changes"));
	Datum		args[] = {UUIDPGetDatum(&undo->deal_id), UUIDPGetDatum(&undo->tenant_id)};
	SavedUser	saved;
	uint64		found;

	crm_become_owner(deals, &saved);
	found = crm_api_run(query, 2, args);
	crm_restore_user(&saved);
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("deal %s has no move to take back", crm_uuid_text(&undo->deal_id))));

	for (int i = 1; i <= MOVE_NCOLUMNS; i++)
	{
		bool		isnull;

		values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i, &isnull);
		nulls[i] = isnull ? 'n' : ' ';
		if (isnull && i <= MOVE_STATUS)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("the last move of deal %s is recorded with nulls", crm_uuid_text(&undo->deal_id))));
	}
}

/* The deal can go back only where deals still have the status that it had. */
static void
check_stage(Relation deals, const Undo *undo, Datum status)
{
	const AttrNumber *columns = crm_columns(deals, &crm_deal_kind);
	StageLookup *lookup = crm_stage_lookup_create(deals, columns[DEAL_PIPELINE_ID],
												  columns[DEAL_STAGE_ID], CurrentMemoryContext);
	const StageFacts *stage = crm_find_stage(lookup, &undo->stage_id);
	DealStatus	had;

	if (stage != NULL && crm_uuid_equal(&stage->tenant_id, &undo->tenant_id) &&
		crm_parse_deal_status(status, &had) && had == stage->status)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("the last move of deal %s cannot be taken back", crm_uuid_text(&undo->deal_id)),
			 errdetail("The stage that it left has been deleted, or is for deals of another status now."),
			 errhint("Move the deal with move_deal instead.")));
}

/* Puts the deal back, with the rights of the caller. */
static void
put_back(Relation deals, Datum *values, char *nulls)
{
	char	   *update = psprintf("UPDATE %s d SET pipeline_id = $2, stage_id = $3, status = $4, probability = $5, stage_entered_at = $6, "
								  "won_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'won' THEN COALESCE($7, d.won_at) END, "
								  "lost_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'lost' THEN COALESCE($8, d.lost_at) END, "
								  "lost_reason = CASE WHEN $4 OPERATOR(pg_catalog.=) 'lost' THEN COALESCE($9, d.lost_reason) END "
								  "WHERE d.id OPERATOR(pg_catalog.=) $1",
								  crm_sibling_name(deals, RelationGetRelationName(deals)));
	Oid			argtypes[] = {UUIDOID, UUIDOID, UUIDOID, TEXTOID, NUMERICOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
	Datum		args[MOVE_NCOLUMNS];
	char		arg_nulls[MOVE_NCOLUMNS];

	StaticAssertStmt(lengthof(argtypes) == MOVE_NCOLUMNS, "a parameter for each column");
	args[0] = UUIDPGetDatum(&undo_in_progress->deal_id);
	arg_nulls[0] = ' ';
	for (int i = 1; i < MOVE_NCOLUMNS; i++)
	{
		args[i] = values[i + 1];
		arg_nulls[i] = nulls[i + 1];
	}
	if (SPI_execute_with_args(update, lengthof(argtypes), argtypes, args, arg_nulls, false, 0) != SPI_OK_UPDATE ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("deal %s could not be put back", crm_uuid_text(&undo_in_progress->deal_id)),
				 errdetail("The update of the deal was suppressed by a policy or a trigger.")));
}

/*
 * crm_undo_move(deals regclass, deal_id uuid)
 *		Takes back the last move of the deal that still stands.  Errors: PT404
 *		for a deal that the caller does not see, PT409 if there is nothing to
 *		take back, 42501 without the right to update the deal.
 */
PG_FUNCTION_INFO_V1(crm_undo_move);
Datum
crm_undo_move(PG_FUNCTION_ARGS)
{
	Relation	deals = crm_api_begin(fcinfo, &crm_deal_kind);
	Undo	   *outer = undo_in_progress;
	Undo		undo = {RelationGetRelid(deals), *PG_GETARG_UUID_P(1)};
	Datum		values[MOVE_NCOLUMNS + 1];
	char		nulls[MOVE_NCOLUMNS + 1];

	lock_deal(deals, &undo);
	find_last_move(deals, &undo, values, nulls);
	undo.reverts = *DatumGetUUIDP(values[MOVE_ID]);
	undo.stage_id = *DatumGetUUIDP(values[MOVE_STAGE_ID]);
	check_stage(deals, &undo, values[MOVE_STATUS]);
	PG_TRY();
	{
		undo_in_progress = &undo;
		put_back(deals, values, nulls);
	}
	PG_FINALLY();
	{
		undo_in_progress = outer;
	}
	PG_END_TRY();

	crm_api_end(deals);
	PG_RETURN_VOID();
}
