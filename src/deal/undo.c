/*
 * deal/undo.c
 *		Takes the last move of a deal back, as undo_move asks (history/undo.c).
 *
 * All that the deal is given is read from the history here, whatever was written beside
 * the request.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/uuid.h"
#include "deal/deal.h"
#include "history/undo.h"

bool
crm_deal_is_undone(const DealWrite *deal)
{
	text	   *status;

	if (deal_is_null(deal, DEAL_STATUS))
		return false;
	status = DatumGetTextPP(deal_get(deal, DEAL_STATUS));
	return VARSIZE_ANY_EXHDR(status) == strlen(CRM_UNDO) &&
		memcmp(VARDATA_ANY(status), CRM_UNDO, strlen(CRM_UNDO)) == 0;
}

static UndoneMove
find_last_move(const DealWrite *deal, UndoValues *was)
{
	UndoneDeal	is = {
		.id = *DatumGetUUIDP(deal_get_old(deal, DEAL_ID)),
		.tenant_id = *DatumGetUUIDP(deal_get_old(deal, DEAL_TENANT_ID)),
		.stage_id = *DatumGetUUIDP(deal_get_old(deal, DEAL_STAGE_ID)),
		.stage_entered_at = DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT)),
	};
	UndoneMove	move;

	SPI_connect();
	move = crm_find_last_move(deal->row.rel, &is, was);
	SPI_finish();
	return move;
}

static void
give_back(DealWrite *deal, DealColumn column, Datum value, bool isnull)
{
	if (isnull)
		deal_set_null(deal, column);
	else
		deal_set(deal, column, value);
}

/* When the deal was closed, if it is closed again: as the history has it, or as now. */
static void
give_back_time(DealWrite *deal, DealColumn column, bool closed, const UndoValues *was,
			   UndoValue value)
{
	if (!closed)
		deal_set_null(deal, column);
	else if (!was->nulls[value])
		deal_set(deal, column, was->values[value]);
	else
		give_back(deal, column, deal_get_old(deal, column), deal_old_is_null(deal, column));
}

static void
give_back_closing(DealWrite *deal, DealStatus status, const UndoValues *was)
{
	give_back_time(deal, DEAL_WON_AT, status == DEAL_WON, was, UNDO_WON_AT);
	give_back_time(deal, DEAL_LOST_AT, status == DEAL_LOST, was, UNDO_LOST_AT);
	if (status != DEAL_LOST)
		deal_set_null(deal, DEAL_LOST_REASON);
	else if (DatumGetBool(was->values[UNDO_HAS_LOST_REASON]))
		give_back(deal, DEAL_LOST_REASON, was->values[UNDO_LOST_REASON],
				  was->nulls[UNDO_LOST_REASON]);
	else
		give_back(deal, DEAL_LOST_REASON, deal_get_old(deal, DEAL_LOST_REASON),
				  deal_old_is_null(deal, DEAL_LOST_REASON));
}

/* ERROR PT409 if the stage has changed since; looking it up also locks it. */
static DealStatus
check_stage(const DealWrite *deal, const UndoValues *was)
{
	const StageFacts *stage = crm_find_stage(deal->lookup,
											 DatumGetUUIDP(was->values[UNDO_STAGE_ID]),
											 DatumGetUUIDP(deal_get_old(deal, DEAL_TENANT_ID)));
	DealStatus	status;

	if (stage == NULL ||
		!crm_parse_deal_status(was->values[UNDO_STATUS], &status) ||
		stage->status != status ||
		!crm_uuid_equal(&stage->pipeline_id, DatumGetUUIDP(was->values[UNDO_PIPELINE_ID])))
		crm_undo_impossible(DatumGetUUIDP(deal_get_old(deal, DEAL_ID)));
	return status;
}

/* A trigger of the user's may have written another stage than undo_move. */
static void
check_written(const DealWrite *deal, const UndoValues *was)
{
	Datum		written = deal_get(deal, DEAL_STAGE_ID);

	if (!crm_deal_written(deal, DEAL_STAGE_ID) ||
		crm_uuid_equal(DatumGetUUIDP(written), DatumGetUUIDP(was->values[UNDO_STAGE_ID])))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("deal %s goes back to stage %s, not to %s", crm_deal_id_text(deal),
					crm_uuid_text(DatumGetUUIDP(was->values[UNDO_STAGE_ID])),
					crm_uuid_text(DatumGetUUIDP(written))),
			 errhint("To take its last move back, write status '%s' alone.", CRM_UNDO),
			 errtablecol(deal->row.rel, deal->columns[DEAL_STAGE_ID])));
}

void
crm_deal_undo(DealWrite *deal, int32 move_no)
{
	UndoValues	was;
	UndoneMove	move = find_last_move(deal, &was);
	DealStatus	status = check_stage(deal, &was);

	check_written(deal, &was);
	deal_set(deal, DEAL_PIPELINE_ID, was.values[UNDO_PIPELINE_ID]);
	deal_set(deal, DEAL_STAGE_ID, was.values[UNDO_STAGE_ID]);
	deal_set(deal, DEAL_STATUS, was.values[UNDO_STATUS]);
	deal_set(deal, DEAL_STAGE_ENTERED_AT, was.values[UNDO_STAGE_ENTERED_AT]);
	give_back(deal, DEAL_PROBABILITY, was.values[UNDO_PROBABILITY], was.nulls[UNDO_PROBABILITY]);
	give_back_closing(deal, status, &was);
	crm_undo_note(deal->row.rel, DatumGetUUIDP(deal_get_old(deal, DEAL_ID)), move_no, &move);
}
