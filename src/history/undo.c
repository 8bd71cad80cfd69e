/*
 * history/undo.c
 *		Takes the last move of a deal back.
 *
 * The deal is put back as it was by an ordinary UPDATE, with the rights of
 * the caller.  The request is part of that statement, CRM_UNDO in place of the status,
 * so that it reaches a shard as well, and no other update of the deal, by a
 * user's trigger, is taken for it.  The rules of deals then read the history
 * themselves; what they tell the trigger that records the move is kept here.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/uuid.h"
#include "history/undo.h"
#include "table/caller_query.h"
#include "table/kinds.h"
#include "table/owner_rights.h"

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

#define NREQUIRED 4				/* up to the status: never null */

StaticAssertDecl(lengthof(given_back) == UNDO_NVALUES, "given_back does not fit UndoValue");

/* A move that the rules have taken back, until it is recorded. */
typedef struct UndoNote
{
	Oid			deals;			/* the table, partition or shard */
	SubTransactionId subxact;
	pg_uuid_t	deal_id;
	int32		move_no;		/* of the move that takes it back */
	UndoneMove	undone;
} UndoNote;

static List *notes = NIL;		/* in TopTransactionContext */

static void
forget_notes(void *arg)
{
	notes = NIL;
}

/* A note stays if the row was not stored after all. */
void
crm_undo_forget(const pg_uuid_t *deal_id, int32 move_no)
{
	ListCell   *cell;

	foreach(cell, notes)
	{
		const UndoNote *note = lfirst(cell);

		if (note->move_no == move_no && crm_uuid_equal(&note->deal_id, deal_id))
			notes = foreach_delete_current(notes, cell);
	}
}

void
crm_undo_note(Relation deals, const pg_uuid_t *deal_id, int32 move_no, const UndoneMove *undone)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	UndoNote   *note = palloc(sizeof(UndoNote));

	if (notes == NIL)
	{
		MemoryContextCallback *ended = palloc0(sizeof(MemoryContextCallback));

		ended->func = forget_notes;
		MemoryContextRegisterResetCallback(TopTransactionContext, ended);
	}
	*note = (UndoNote)
	{
		RelationGetRelid(deals), GetCurrentSubTransactionId(), *deal_id, move_no, *undone
	};
	notes = lappend(notes, note);
	MemoryContextSwitchTo(caller);
}

/* Whether the note is of the table, or of its partition. */
static bool
is_of_table(const UndoNote *note, Oid deals)
{
	return note->deals == deals ||
		(get_rel_relispartition(note->deals) &&
		 list_member_oid(get_partition_ancestors(note->deals), deals));
}

const UndoneMove *
crm_undo_noted(Relation deals, const pg_uuid_t *deal_id, int32 move_no)
{
	ListCell   *cell;

	foreach(cell, notes)
	{
		const UndoNote *note = lfirst(cell);

		if (note->move_no == move_no && crm_uuid_equal(&note->deal_id, deal_id) &&
			note->subxact == GetCurrentSubTransactionId() &&
			is_of_table(note, RelationGetRelid(deals)))
			return &note->undone;
	}
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

/* The deal as it is, locked so that it stays so. */
static void
lock_deal(Relation deals, const pg_uuid_t *deal_id, UndoneDeal *deal)
{
	crm_api_require(psprintf("SELECT d.stage_id, d.stage_entered_at, d.tenant_id FROM %s d "
							 "WHERE d.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
							 crm_relation_name(RelationGetRelid(deals))),
					"deal", deal_id);
	deal->id = *deal_id;
	deal->stage_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	deal->stage_entered_at = DatumGetTimestampTz(crm_api_value(2, TIMESTAMPTZOID, NULL));
	deal->tenant_id = *DatumGetUUIDP(crm_api_value(3, UUIDOID, NULL));
}

/*
 * The last move that stands, being no revert nor reverted, if it is how the
 * deal came to be where it is.  The history is read with the owner's rights, as
 * the caller, who holds a lock on the deal, need not see it; but not that of
 * another tenant's deal, which had the id before it was deleted.
 */
UndoneMove
crm_find_last_move(Relation deals, const UndoneDeal *deal, UndoValues *was)
{
	Datum		present[] = {
		UUIDPGetDatum(&deal->id), UUIDPGetDatum(&deal->stage_id),
		TimestampTzGetDatum(deal->stage_entered_at), UUIDPGetDatum(&deal->tenant_id)
	};
	static const Oid types[] = {UUIDOID, UUIDOID, TIMESTAMPTZOID, UUIDOID};
	const char *history = crm_trusted_sibling(deals, "stage_changes");
	StringInfoData query;
	SavedUser	saved;
	uint64		found;
	UndoneMove	move;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT m.id, m.move_no");
	for (int i = 0; i < UNDO_NVALUES; i++)
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
				 errmsg("deal %s has no move to take back", crm_uuid_text(&deal->id)),
				 errhint("Its history tells what was taken back already.")));

	move.id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	move.move_no = DatumGetInt32(crm_api_value(2, INT4OID, NULL));
	for (int i = 0; i < UNDO_NVALUES; i++)
	{
		Oid			type = given_back[i].type;
		bool		isnull = false;

		was->values[i] = crm_api_value(i + 3, type, i < NREQUIRED ? NULL : &isnull);
		was->nulls[i] = isnull;
		if (!isnull)
			was->values[i] = SPI_datumTransfer(was->values[i], get_typbyval(type),
											   get_typlen(type));
	}
	return move;
}

/* The UPDATE is the caller's, who is given values, not the history. */
static void
put_back(Relation deals, const pg_uuid_t *deal_id, UndoValues *was)
{
	char	   *update = psprintf("UPDATE %s d SET pipeline_id = $2, stage_id = $3, status = '" CRM_UNDO "', probability = $5, "
								  "stage_entered_at = $6, "
								  "won_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'won' THEN COALESCE($7, d.won_at) END, "
								  "lost_at = CASE WHEN $4 OPERATOR(pg_catalog.=) 'lost' THEN COALESCE($8, d.lost_at) END, "
								  "lost_reason = CASE WHEN $4 OPERATOR(pg_catalog.<>) 'lost' THEN NULL "
								  "WHEN $10 THEN $9 ELSE d.lost_reason END "
								  "WHERE d.id OPERATOR(pg_catalog.=) $1",
								  crm_relation_name(RelationGetRelid(deals)));
	Oid			types[UNDO_NVALUES];
	char		nulls[UNDO_NVALUES];

	for (int i = 0; i < UNDO_NVALUES; i++)
	{
		types[i] = given_back[i].type;
		nulls[i] = was->nulls[i] ? 'n' : ' ';
	}
	if (crm_run_once(update, UNDO_NVALUES, types, was->values, nulls) != SPI_OK_UPDATE ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("deal %s could not be put back", crm_uuid_text(deal_id)),
				 crm_errdetail_suppressed()));
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
	const pg_uuid_t *deal_id = crm_api_uuid(fcinfo, 1, "deal_id");
	Relation	deals = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	UndoneDeal	deal;
	UndoValues	was;

	lock_deal(deals, deal_id, &deal);
	(void) crm_find_last_move(deals, &deal, &was);
	put_back(deals, deal_id, &was);
	crm_api_end(deals);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
