/*
 * deal/rules.c
 *		The rules of a deal: its status, times, probability, currency, counters.
 *
 * crm_deal_rules is the BEFORE ROW trigger of deals.  It finds the stage that the
 * write puts the deal into (deal/placement.c) and the time as of which
 * (deal/effective_time.c), and sets the columns that follow from these, those of
 * closed deals among them (deal/closing.c).  crm_deal_audit (deal/audit.c) then
 * records what was stored.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/uuid.h"
#include "deal/deal.h"
#include "history/undo.h"
#include "table/running_writes.h"
#include "table/scan.h"
#include "table/tenant_guard.h"
#include "table/trigger.h"
#include "table/value_checks.h"
#include "totals/access.h"

/* What all rows of a statement need; lives in fn_extra. */
typedef struct DealStatement
{
	AttrNumber	columns[DEAL_NCOLUMNS];
	StageLookup *lookup;
	Upsert	   *upsert;			/* NULL: no row was inserted */
	DealsPast	past;			/* only inserted deals need it */
} DealStatement;

/* The timestamps that clients read and send back. */
static const DealColumn time_columns[] = {
	DEAL_STAGE_ENTERED_AT, DEAL_WON_AT, DEAL_LOST_AT, DEAL_CREATED_AT
};

bool
crm_deal_written(const DealWrite *deal, DealColumn column)
{
	Datum		value,
				old;

	if (deal_is_null(deal, column))
		return false;
	if (deal->insert || deal_old_is_null(deal, column))
		return true;

	value = deal_get(deal, column);
	old = deal_get_old(deal, column);
	if (column == DEAL_PROBABILITY)
		return !DatumGetBool(DirectFunctionCall2(numeric_eq, value, old));
	else
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(deal->row.rel),
											  deal->columns[column] - 1);

		return !datum_image_eq(value, old, att->attbyval, att->attlen);
	}
}

char *
crm_deal_id_text(const DealWrite *deal)
{
	return crm_uuid_text(DatumGetUUIDP(deal_get(deal, DEAL_ID)));
}

/*
 * JavaScript has no microseconds: a time that it reads and sends back unchanged
 * comes back truncated to milliseconds.  Such a value counts as the old one.
 */
static void
keep_microseconds(DealWrite *deal)
{
	for (int i = 0; i < lengthof(time_columns); i++)
	{
		DealColumn	column = time_columns[i];
		TimestampTz value,
					old;

		if (deal_is_null(deal, column) || deal_old_is_null(deal, column))
			continue;
		value = DatumGetTimestampTz(deal_get(deal, column));
		old = DatumGetTimestampTz(deal_get_old(deal, column));
		if (crm_deal_is_cut(value, old))
			deal_set(deal, column, TimestampTzGetDatum(old));
	}
}

static void
set_probability(DealWrite *deal, const StageFacts *stage)
{
	if (stage->status != DEAL_OPEN)
		deal_set(deal, DEAL_PROBABILITY, crm_closed_probability(stage->status));
	else if (crm_deal_written(deal, DEAL_PROBABILITY))
		return;
	else if (stage->has_probability)
		deal_set(deal, DEAL_PROBABILITY, stage->probability);
	else if (!deal->insert)
	{
		/* A reopened deal does not keep the 1 or 0 of a closed one. */
		if (crm_deal_old_status(deal) != DEAL_OPEN)
			deal_set_null(deal, DEAL_PROBABILITY);
		else if (deal_is_null(deal, DEAL_PROBABILITY) && !deal_old_is_null(deal, DEAL_PROBABILITY))
			deal_set(deal, DEAL_PROBABILITY, deal_get_old(deal, DEAL_PROBABILITY));
	}
}

static void
enter_stage(DealWrite *deal, const StageFacts *stage)
{
	TimestampTz effective = crm_deal_effective_time(deal, stage);

	crm_deal_close(deal, stage, effective);
	set_probability(deal, stage);

	deal_set(deal, DEAL_STAGE_ID, UUIDPGetDatum(&stage->id));
	deal_set(deal, DEAL_PIPELINE_ID, UUIDPGetDatum(&stage->pipeline_id));
	deal_set(deal, DEAL_STATUS, CStringGetTextDatum(crm_deal_status_name(stage->status)));
	deal_set(deal, DEAL_STAGE_ENTERED_AT, TimestampTzGetDatum(effective));
}

/* An amount without a currency gets the deal's old currency, else the pipeline's. */
static void
set_currency(DealWrite *deal)
{
	const PipelineFacts *pipeline;

	if (deal_is_null(deal, DEAL_AMOUNT) || !deal_is_null(deal, DEAL_CURRENCY))
		return;
	if (!deal->insert && !deal_old_is_null(deal, DEAL_CURRENCY))
	{
		deal_set(deal, DEAL_CURRENCY, deal_get_old(deal, DEAL_CURRENCY));
		return;
	}
	pipeline = crm_find_pipeline(deal->lookup, DatumGetUUIDP(deal_get(deal, DEAL_PIPELINE_ID)));
	if (pipeline != NULL)
		deal_set(deal, DEAL_CURRENCY, pipeline->currency);
}

static void
open_past(const DealWrite *deal)
{
	if (deal->past->is_open)
		return;
	crm_deal_history_open(&deal->past->moves, deal->row.rel);
	crm_deal_past_open(&deal->past->changes, deal->row.rel);
	deal->past->is_open = true;
}

/*
 * Row security may have hidden a deleted deal from the user, and its history is seen by
 * whoever sees a deal of that id.
 */
static void
check_may_bring_back(const DealWrite *deal, const pg_uuid_t *id)
{
	if (crm_sees_all(deal->fcinfo, deal->row.rel))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("deal %s was deleted, and you cannot bring it back", crm_uuid_text(id)),
			 errdetail("Row security hides deals from you, and the history of the deleted one would be seen with it."),
			 errhint("Insert the deal under another id.")));
}

/*
 * The counters continue after those of a deleted deal that had the same id.  If
 * that deal is being moved or deleted now, this waits for the transaction.  Before
 * the row is stored, others can still insert and delete a deal of that id, so
 * crm_deal_audit checks again.
 */
static void
set_counters(DealWrite *deal)
{
	const pg_uuid_t *id = DatumGetUUIDP(deal_get(deal, DEAL_ID));
	const pg_uuid_t *tenant_id = DatumGetUUIDP(deal_get(deal, DEAL_TENANT_ID));
	int32		version = 1,
				move_no = 0;
	LastChange	last;

	if (!crm_upsert_id_is_new(deal->row.upsert))
	{
		crm_wait_for_writers(deal->row.rel, deal->columns[DEAL_ID], id);
		crm_note_given_id(RelationGetRelid(deal->row.rel));
		open_past(deal);
		move_no = crm_last_move_no(&deal->past->moves, id, tenant_id);
		if (crm_last_change(&deal->past->changes, id, tenant_id, &last))
		{
			if (last.deleted)
				check_may_bring_back(deal, id);
			if (last.version < PG_INT32_MAX)
				version = last.version + 1;
		}
	}
	deal_set(deal, DEAL_MOVE_NO, Int32GetDatum(move_no));
	deal_set(deal, DEAL_VERSION, Int32GetDatum(version));
}

/*
 * The default of created_at: when the deal entered its stage, or when it was closed
 * if that was earlier, in another stage.
 */
static void
set_created_at(DealWrite *deal)
{
	static const DealColumn events[] = {DEAL_WON_AT, DEAL_LOST_AT};
	TimestampTz created = DatumGetTimestampTz(deal_get(deal, DEAL_STAGE_ENTERED_AT));

	if (!deal_is_null(deal, DEAL_CREATED_AT))
		return;
	for (int i = 0; i < lengthof(events); i++)
	{
		if (!deal_is_null(deal, events[i]))
			created = Min(created, DatumGetTimestampTz(deal_get(deal, events[i])));
	}
	deal_set(deal, DEAL_CREATED_AT, TimestampTzGetDatum(created));
}

/*
 * The moment that created_at means, if it was written.  It cannot be in the future, as
 * the deal could not be closed until then.
 */
static void
read_created_at(DealWrite *deal)
{
	TimestampTz created;

	if (!crm_deal_written(deal, DEAL_CREATED_AT))
		return;
	created = DatumGetTimestampTz(deal_get(deal, DEAL_CREATED_AT));
	created = crm_deal_moment(deal, created, DT_NOBEGIN);
	crm_deal_check_past(deal, DEAL_CREATED_AT, "created_at", created);
	deal_set(deal, DEAL_CREATED_AT, TimestampTzGetDatum(created));
}

static void
insert_deal(void *arg)
{
	DealWrite  *deal = arg;

	read_created_at(deal);
	enter_stage(deal, crm_deal_target_stage(deal));
	set_currency(deal);
	set_counters(deal);
	set_created_at(deal);
	crm_deal_check_closed_after_creation(deal);
	deal_set(deal, DEAL_UPDATED_AT, TimestampTzGetDatum(deal->clock));
}

/* The rules for a deal that stays in its stage. */
static void
stay(DealWrite *deal)
{
	if (crm_deal_written(deal, DEAL_STAGE_ENTERED_AT))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("stage_entered_at of deal %s changes only when the deal moves", crm_deal_id_text(deal)),
				 errhint("Correct when it moved with correct_move."),
				 errtablecol(deal->row.rel, deal->columns[DEAL_STAGE_ENTERED_AT])));
	crm_deal_stay_closed(deal);
}

static int32
successor(const DealWrite *deal, DealColumn column, const char *name)
{
	int32		old = DatumGetInt32(deal_get_old(deal, column));

	if (old == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s of deal %s is out of range", name, crm_deal_id_text(deal)),
				 errhint("It counts the deal's writes: copy the deal to a new one.")));
	return old + 1;
}

/* Moves the deal to the stage that was written; false if it stays in its stage. */
static bool
move_deal(DealWrite *deal)
{
	const StageFacts *stage;
	bool		moves;

	keep_microseconds(deal);
	read_created_at(deal);
	stage = crm_deal_target_stage(deal);
	moves = stage != NULL &&
		!crm_uuid_equal(&stage->id, DatumGetUUIDP(deal_get_old(deal, DEAL_STAGE_ID)));
	if (moves)
		enter_stage(deal, stage);
	else
		stay(deal);
	crm_deal_check_closed_after_creation(deal);
	return moves;
}

static void
update_deal(DealWrite *deal)
{
	int32		move_no = DatumGetInt32(deal_get_old(deal, DEAL_MOVE_NO));
	bool		undoes = crm_deal_is_undone(deal);

	crm_row_keep_id(&deal->row, deal->columns[DEAL_ID]);
	crm_row_keep(&deal->row, deal->columns[DEAL_TENANT_ID]);

	if (crm_deal_follows_history(deal))
		crm_deal_follow_history(deal);
	else
	{
		if (undoes)
		{
			move_no = successor(deal, DEAL_MOVE_NO, "move_no");
			crm_deal_undo(deal, move_no);
		}
		else if (move_deal(deal))
		{
			move_no = successor(deal, DEAL_MOVE_NO, "move_no");
			crm_undo_forget(DatumGetUUIDP(deal_get(deal, DEAL_ID)), move_no);
		}
		deal_set(deal, DEAL_MOVE_NO, Int32GetDatum(move_no));
	}

	set_currency(deal);
	deal_set(deal, DEAL_VERSION, Int32GetDatum(successor(deal, DEAL_VERSION, "version")));
	deal_set(deal, DEAL_UPDATED_AT, TimestampTzGetDatum(deal->clock));
}

/*
 * The columns that the rules cannot do without.  NULL in one of them means "not
 * given", even if the user has dropped the NOT NULL constraint.
 */
static void
check_required(DealWrite *deal)
{
	static const DealColumn required[] = {
		DEAL_ID, DEAL_TENANT_ID, DEAL_PIPELINE_ID, DEAL_STAGE_ID, DEAL_STATUS,
		DEAL_STAGE_ENTERED_AT, DEAL_MOVE_NO, DEAL_VERSION
	};

	crm_check_not_null(deal->row.rel, deal->columns[DEAL_ID], deal_is_null(deal, DEAL_ID));
	crm_check_not_null(deal->row.rel, deal->columns[DEAL_TENANT_ID],
					   deal_is_null(deal, DEAL_TENANT_ID));
	for (int i = 0; !deal->insert && i < lengthof(required); i++)
	{
		DealColumn	column = required[i];

		crm_check_not_null(deal->row.rel, deal->columns[column], deal_old_is_null(deal, column));
		if (deal_is_null(deal, column))
			deal_set(deal, column, deal_get_old(deal, column));
	}
}

static DealStatement *
begin_statement(FmgrInfo *flinfo, Relation rel)
{
	DealStatement *statement = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(DealStatement));

	memcpy(statement->columns, crm_columns(rel, &crm_deal_kind), sizeof(statement->columns));
	statement->lookup = crm_stage_lookup_create(rel, statement->columns[DEAL_PIPELINE_ID],
												statement->columns[DEAL_STAGE_ID],
												flinfo->fn_mcxt);
	crm_note_running_write(RelationGetRelid(rel), flinfo->fn_mcxt);
	flinfo->fn_extra = statement;
	return statement;
}

/*
 * Whether an UPDATE names stage_entered_at to date the move.  Then even the old
 * value counts as written, as real logs have several moves at one time.  An
 * UPDATE that also names a column which only the CRM fills is taken for an
 * object-relational mapper's, which sends all columns back and dates nothing.
 */
static bool
names_entered_at(const TriggerData *trigdata, const RowEdit *row, const AttrNumber *columns)
{
	static const DealColumn kept[] = {
		DEAL_CREATED_AT, DEAL_UPDATED_AT, DEAL_VERSION, DEAL_MOVE_NO
	};
	const Bitmapset *named = trigdata->tg_updatedcols;
	AttrNumber	entered_at = columns[DEAL_STAGE_ENTERED_AT];

	for (int i = 0; i < lengthof(kept); i++)
	{
		if (bms_is_member(columns[kept[i]] - FirstLowInvalidHeapAttributeNumber, named))
			return false;
	}
	return bms_is_member(entered_at - FirstLowInvalidHeapAttributeNumber, named) &&
		crm_row_is_given(row, entered_at);
}

static void
apply_rules(DealWrite *deal)
{
	if (deal->row.stands)
		crm_deal_fit_standing(deal);
	else if (!deal->insert)
		update_deal(deal);
	else if (crm_is_foreign_tenant(deal->row.rel, DatumGetUUIDP(deal_get(deal, DEAL_TENANT_ID))))
		crm_run_guarded(deal->row.rel, insert_deal, deal);
	else
		insert_deal(deal);
}

/*
 * crm_deal_rules(version): BEFORE INSERT OR UPDATE trigger FOR EACH ROW of deals
 *		Errors: 23514 for a row that breaks the rules, 23503 for a stage or
 *		pipeline that does not exist.
 */
PG_FUNCTION_INFO_V1(crm_deal_rules);
Datum
crm_deal_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_deal_rules",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
											 CRM_ON_WRITE);
	MemoryContext statement_memory = fcinfo->flinfo->fn_mcxt;
	DealStatement *statement = fcinfo->flinfo->fn_extra;
	DealWrite	deal;

	/* fn_extra is NULL at the first row of each statement. */
	if (statement == NULL)
		statement = begin_statement(fcinfo->flinfo, trigdata->tg_relation);

	crm_row_open(&deal.row, trigdata, statement->columns[DEAL_STATUS], &statement->upsert,
				 statement_memory);
	deal.fcinfo = fcinfo;
	deal.columns = statement->columns;
	if (deal.row.restored ||
		(deal.row.insert && crm_deal_comes_from_partition(&deal, statement_memory)))
		return PointerGetDatum(crm_row_close(&deal.row));
	crm_stage_lookup_refresh(statement->lookup);
	deal.lookup = statement->lookup;
	deal.past = &statement->past;
	deal.insert = deal.row.insert && !deal.row.stands;
	deal.dated = !deal.row.insert && names_entered_at(trigdata, &deal.row, statement->columns);
	deal.clock = GetCurrentTimestamp();
	check_required(&deal);
	apply_rules(&deal);
	crm_check_values(&deal.row);
	if (!deal.row.insert)
		crm_deal_note_update(&deal, statement_memory);
	return PointerGetDatum(crm_row_close(&deal.row));
}
