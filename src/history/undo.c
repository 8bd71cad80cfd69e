/*
 * history/undo.c
 *		Takes the last move of a deal back.
 *
 * The deal is put back as it was by an ordinary UPDATE, with the rights of
 * the caller.  The triggers, told so here, take the row as it is written and
 * record a move that names the one it reverts.  They know that UPDATE by the
 * deal, the stage and the number of the move: users' triggers may update the
 * same deal, before or after.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/uuid.h"
#include "history/undo.h"
#include "table/caller_query.h"
#include "table/kinds.h"
#include "table/owner_rights.h"

typedef struct Undo
{
	Oid			deals;
	pg_uuid_t	deal_id;
	pg_uuid_t	stage_id;		/* where the deal goes back to */
	int64		move_no;		/* of the move that takes it there */
	UndoneMove	undone;
} Undo;

/* What the deal is given back, as the parameters of an UPDATE; 1 is its id. */
static const struct
{
	Oid			type;
	const char *of_move;		/* where it is in the history */
}			given_back[] = {
	{UUIDOID, "m.deal_id"},
	{UUIDOID, "m.from_pipeline_id"},
	{UUIDOID, "m.from_stage_id"},
	{TEXTOID, "m.from_status"},
	{NUMERICOID, "m.from_probability"},
	{TIMESTAMPTZOID, "m.entered_at"},
	{TIMESTAMPTZOID, "pg_catalog.jsonb_object_field_text(m.closing, 'won_at')::pg_catalog.timestamptz"},
	{TIMESTAMPTZOID, "pg_catalog.jsonb_object_field_text(m.closing, 'lost_at')::pg_catalog.timestamptz"},
	{TEXTOID, "pg_catalog.jsonb_object_field_text(m.closing, 'lost_reason')"},
	/* A reason that was null, but then was given, is there as null. */
	{BOOLOID, "COALESCE(pg_catalog.jsonb_exists(m.closing, 'lost_reason'), false)"},
};

#define NGIVEN lengthof(given_back)
#define NREQUIRED 4				/* up to the status: never null */

static const Undo *undo_in_progress = NULL;

static bool
is_table(Relation rel, Oid relid)
{
	return RelationGetRelid(rel) == relid ||
		(rel->rd_rel->relispartition &&
		 list_member_oid(get_partition_ancestors(RelationGetRelid(rel)), relid));
}

const UndoneMove *
crm_undo_in_progress(Relation deals, const pg_uuid_t *deal_id,
					 const pg_uuid_t *stage_id, int32 move_no)
{
	const Undo *undo = undo_in_progress;

	if (undo != NULL &&
		undo->move_no == move_no &&
		crm_uuid_equal(&undo->deal_id, deal_id) &&
		crm_uuid_equal(&undo->stage_id, stage_id) &&
		is_table(deals, undo->deals))
		return &undo->undone;
	return NULL;
}

void
crm_undo_impossible(const pg_uuid_t *deal_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("the last move of deal %s cannot be taken back", crm_uuid_text(deal_id)),
			 errdetail("The stage that it left has been deleted, or is for deals of another status now."),
			 errhint("Move the deal with move_deal instead.")));
}

/* The deal, locked so that it stays in the version that is read. */
static void
lock_deal(Relation deals, Undo *undo, Datum *present)
{
	crm_api_require(psprintf("SELECT d.move_no, d.stage_id, d.stage_entered_at, d.tenant_id FROM %s d "
							 "WHERE d.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
							 crm_sibling_name(deals, RelationGetRelationName(deals))),
					"deal", &undo->deal_id);
	undo->move_no = (int64) DatumGetInt32(crm_api_value(1, INT4OID, NULL)) + 1;
	present[0] = UUIDPGetDatum(&undo->deal_id);
	present[1] = crm_api_value(2, UUIDOID, NULL);
	present[2] = crm_api_value(3, TIMESTAMPTZOID, NULL);
	present[3] = crm_api_value(4, UUIDOID, NULL);
}

/*
 * The last move that stands, being no revert nor reverted, if it is how the
 * deal came to be where it is.  The history is read with the owner's rights, as
 * the caller, who holds a lock on the deal, need not see it; but not that of
 * another tenant's deal, which had the id before it was deleted.
 */
static void
find_last_move(Relation deals, Undo *undo, const Datum *present, Datum *values, char *nulls)
{
	static const Oid types[] = {UUIDOID, UUIDOID, TIMESTAMPTZOID, UUIDOID};
	const char *history = crm_trusted_sibling(deals, "stage_changes");
	StringInfoData query;
	SavedUser	saved;
	uint64		found;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT m.id, m.move_no");
	for (int i = 0; i < NGIVEN; i++)
		appendStringInfo(&query, ", %s", given_back[i].of_move);
	appendStringInfo(&query, " FROM (SELECT c.* FROM %1$s c "
					 "WHERE c.deal_id OPERATOR(pg_catalog.=) $1 "
					 "AND c.tenant_id OPERATOR(pg_catalog.=) $4 AND c.reverts_no IS NULL "
					 "AND NOT EXISTS (SELECT FROM %1$s r WHERE r.deal_id OPERATOR(pg_catalog.=) $1 "
					 "AND r.tenant_id OPERATOR(pg_catalog.=) $4 "
					 "AND r.reverts_no OPERATOR(pg_catalog.=) c.move_no) "
					 "ORDER BY c.move_no DESC LIMIT 1) m "
					 "WHERE m.to_stage_id OPERATOR(pg_catalog.=) $2 AND m.changed_at OPERATOR(pg_catalog.=) $3",
					 history);

	crm_become_owner(deals, &saved);
	found = crm_api_run_typed(query.data, lengthof(types), types, present);
	crm_restore_user(&saved);
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("deal %s has no move to take back", crm_uuid_text(&undo->deal_id))));

	undo->undone.id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	undo->undone.move_no = DatumGetInt32(crm_api_value(2, INT4OID, NULL));
	for (int i = 0; i < NGIVEN; i++)
	{
		bool		isnull = false;

		values[i] = crm_api_value(i + 3, given_back[i].type, i < NREQUIRED ? NULL : &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	undo->stage_id = *DatumGetUUIDP(values[2]);
}

/* The UPDATE is the caller's, who is given values, not the history. */
static void
put_back(Relation deals, const Undo *undo, Datum *values, const char *nulls)
{
	char	   *update = psprintf("UPDATE %s d SET pipeline_id = $2, stage_id = $3, status = $4, probability = $5, "
								  "stage_entered_at = $6, "
								  "won_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'won' THEN COALESCE($7, d.won_at) END, "
								  "lost_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'lost' THEN COALESCE($8, d.lost_at) END, "
								  "lost_reason = CASE WHEN $4 OPERATOR(pg_catalog.<>) 'lost' THEN NULL "
								  "WHEN $10 THEN $9 ELSE d.lost_reason END "
								  "WHERE d.id OPERATOR(pg_catalog.=) $1",
								  crm_sibling_name(deals, RelationGetRelationName(deals)));
	Oid			types[NGIVEN];

	for (int i = 0; i < NGIVEN; i++)
		types[i] = given_back[i].type;
	if (crm_run_once(update, NGIVEN, types, values, nulls) != SPI_OK_UPDATE ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("deal %s could not be put back", crm_uuid_text(&undo->deal_id)),
				 errdetail("The update of the deal was suppressed by a policy or a trigger.")));
}

/*
 * crm_undo_move(crm regnamespace, deal_id uuid) -> uuid
 *		Takes back the last move of the deal that still stands; returns deal_id.
 *		Errors: PT404 for a deal that the caller does not see, PT409 if there is
 *		nothing to take back.
 */
PG_FUNCTION_INFO_V1(crm_undo_move);
Datum
crm_undo_move(PG_FUNCTION_ARGS)
{
	Relation	deals = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	const Undo *outer = undo_in_progress;
	Undo		undo = {RelationGetRelid(deals), *crm_api_uuid(fcinfo, 1, "deal_id")};
	Datum		present[4];
	Datum		values[NGIVEN];
	char		nulls[NGIVEN];

	lock_deal(deals, &undo, present);
	find_last_move(deals, &undo, present, values, nulls);
	PG_TRY();
	{
		undo_in_progress = &undo;
		put_back(deals, &undo, values, nulls);
	}
	PG_FINALLY();
	{
		undo_in_progress = outer;
	}
	PG_END_TRY();

	crm_api_end(deals);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
