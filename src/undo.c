/*
 * undo.c
 *		Takes the last move of a deal back.
 *
 * The deal is put back as it was by an ordinary UPDATE, with the rights of
 * the caller.  The triggers, told so here, take the row as it is written and
 * record a move that names the one it reverts.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "errors.h"
#include "owner_rights.h"
#include "row_edit.h"
#include "table_info.h"
#include "undo.h"

typedef struct Undo
{
	Oid			deals;
	pg_uuid_t	deal_id;
	pg_uuid_t	reverts;
} Undo;

static const Undo *undo_in_progress = NULL;

const pg_uuid_t *
crm_undo_in_progress(Relation deals, const pg_uuid_t *deal_id)
{
	if (undo_in_progress != NULL &&
		undo_in_progress->deals == RelationGetRelid(deals) &&
		crm_uuid_equal(&undo_in_progress->deal_id, deal_id))
		return &undo_in_progress->reverts;
	return NULL;
}

/* Runs a query whose first parameter is the deal's id; true if it found a row. */
static bool
run(const char *query, int nargs, Datum *args, int expected)
{
	Oid			argtypes[] = {UUIDOID, UUIDOID};

	if (SPI_execute_with_args(query, nargs, argtypes, args, NULL, false, 0) != expected)
		elog(ERROR, "undo of a move failed");
	return SPI_processed > 0;
}

/*
 * The last move that stands: that is no revert and was not reverted.  The
 * history is read with the owner's rights, as the caller, who holds a lock on
 * the deal, need not see it.
 */
static void
find_last_move(Relation deals, Undo *undo)
{
	char	   *query = psprintf("SELECT c.id, EXISTS (SELECT FROM %2$s s WHERE s.id OPERATOR(pg_catalog.=) c.from_stage_id "
								 "AND s.deal_status OPERATOR(pg_catalog.=) c.from_status) "
								 "FROM %1$s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.reverts_id IS NULL "
								 "AND NOT EXISTS (SELECT FROM %1$s r WHERE r.deal_id OPERATOR(pg_catalog.=) $1 "
								 "AND r.reverts_id OPERATOR(pg_catalog.=) c.id) "
								 "ORDER BY c.move_no DESC LIMIT 1",
								 crm_sibling_name(deals, "stage_changes"),
								 crm_sibling_name(deals, "stages"));
	Datum		args[] = {UUIDPGetDatum(&undo->deal_id)};
	SavedUser	saved;
	HeapTuple	tuple;
	bool		found,
				isnull;

	crm_become_owner(deals, &saved);
	found = run(query, 1, args, SPI_OK_SELECT);
	crm_restore_user(&saved);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("deal %s has no move to take back", crm_uuid_text(&undo->deal_id))));

	tuple = SPI_tuptable->vals[0];
	undo->reverts = *DatumGetUUIDP(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
	if (!DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("the last move of deal %s cannot be taken back", crm_uuid_text(&undo->deal_id)),
				 errdetail("The stage that it left has been deleted, or is for deals of another status now."),
				 errhint("Move the deal with move_deal instead.")));
}

/*
 * Puts the deal back.  The history is read by the owner, so the caller's UPDATE
 * is given the values, not the table.
 */
static void
put_back(Relation deals, const Undo *undo)
{
	char	   *history = psprintf("SELECT from_pipeline_id, from_stage_id, from_status, from_probability, entered_at, to_status, "
								   ""
								   "pg_catalog.jsonb_object_field_text(closing, 'won_at'), "
								   "pg_catalog.jsonb_object_field_text(closing, 'lost_at'), "
								   "pg_catalog.jsonb_object_field_text(closing, 'lost_reason') "
								   "FROM %s WHERE id OPERATOR(pg_catalog.=) $1", crm_sibling_name(deals, "stage_changes"));
	char	   *update = psprintf("UPDATE %s d SET pipeline_id = $2, stage_id = $3, status = $4, probability = $5, stage_entered_at = $6, "
								  "won_at = CASE WHEN $4 = 'won' THEN coalesce($8::pg_catalog.timestamptz, d.won_at) END, "
								  "lost_at = CASE WHEN $4 = 'lost' THEN coalesce($9::pg_catalog.timestamptz, d.lost_at) END, "
								  "lost_reason = CASE WHEN $4 = 'lost' THEN coalesce($10, d.lost_reason) END "
								  "WHERE d.id = $1 AND $7 IS NOT NULL",
								  crm_sibling_name(deals, "deals"));
	Oid			argtypes[] = {UUIDOID, UUIDOID, UUIDOID, TEXTOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		id[] = {UUIDPGetDatum(&undo->reverts)};
	Datum		args[lengthof(argtypes)];
	char		nulls[lengthof(argtypes)];
	SavedUser	saved;

	crm_become_owner(deals, &saved);
	if (!run(history, 1, id, SPI_OK_SELECT))
		elog(ERROR, "stage change to revert has vanished");
	crm_restore_user(&saved);

	args[0] = UUIDPGetDatum(&undo->deal_id);
	nulls[0] = ' ';
	for (int i = 1; i < lengthof(argtypes); i++)
	{
		bool		isnull;

		args[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i, &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	if (SPI_execute_with_args(update, lengthof(argtypes), argtypes, args, nulls, false, 0) != SPI_OK_UPDATE ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("deal %s could not be put back", crm_uuid_text(&undo->deal_id)),
				 errdetail("The update of the deal was suppressed by a policy or a trigger.")));
}

/*
 * crm_undo_move(deals regclass, deal_id uuid)
 *		Takes back the last move of the deal that still stands.  Errors: PT404
 *		for a deal that the caller does not see, PT409 if there is nothing to
 *		take back.
 */
PG_FUNCTION_INFO_V1(crm_undo_move);
Datum
crm_undo_move(PG_FUNCTION_ARGS)
{
	Relation	deals = table_open(PG_GETARG_OID(0), AccessShareLock);
	Datum		args[] = {PG_GETARG_DATUM(1)};
	const Undo *outer = undo_in_progress;
	Undo		undo = {RelationGetRelid(deals), *PG_GETARG_UUID_P(1)};

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (!run(psprintf("SELECT FROM %s WHERE id = $1 FOR UPDATE", crm_sibling_name(deals, "deals")),
			 1, args, SPI_OK_SELECT))
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("deal %s does not exist", crm_uuid_text(&undo.deal_id))));

	find_last_move(deals, &undo);
	PG_TRY();
	{
		undo_in_progress = &undo;
		put_back(deals, &undo);
	}
	PG_FINALLY();
	{
		undo_in_progress = outer;
	}
	PG_END_TRY();

	SPI_finish();
	table_close(deals, AccessShareLock);
	PG_RETURN_VOID();
}
