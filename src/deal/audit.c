/*
 * deal/audit.c
 *		Records every write to deals, in the history and in the totals.
 *
 * crm_deal_audit is the AFTER STATEMENT trigger of deals.  It walks the
 * transition tables once and hands the moves to history/stage_changes.c, other
 * changes to history/deal_changes.c, and the sums of the old and the new rows to
 * totals/sums.c.
 *
 * On UPDATE the two transition tables hold the old and the new rows in the same
 * order.  In a partitioned table, a trigger may suppress the new row of a pair,
 * which breaks that order; the rows are then paired by id, which never changes.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/shard.h"
#include "base/uuid.h"
#include "history/deal_changes.h"
#include "history/past.h"
#include "history/stage_changes.h"
#include "table/running_writes.h"
#include "table/trigger.h"
#include "totals/sums.h"
#include "totals/writer.h"

typedef struct DealAudit
{
	Relation	deals;
	const AttrNumber *columns;
	bool		history;
	bool		keep_changes;
	DealTotals *totals;			/* NULL: not kept */
	TupleTableSlot *old_deal;
	TupleTableSlot *new_deal;
	bool		connected;		/* to SPI, once something is to be written */
	StageRecorder *moves;		/* NULL until something moved */
	DealChangeAudit changes;
} DealAudit;

static Datum
get(const DealAudit *audit, TupleTableSlot *deal, DealColumn column)
{
	return crm_required_slot_value(audit->deals, deal, audit->columns[column]);
}

/* The next row of a transition table; false at its end. */
static bool
next_row(Tuplestorestate *rows, TupleTableSlot *deal)
{
	CHECK_FOR_INTERRUPTS();
	return tuplestore_gettupleslot(rows, true, false, deal);
}

static bool
same_uuid(const DealAudit *audit, DealColumn column)
{
	return crm_uuid_equal(DatumGetUUIDP(get(audit, audit->old_deal, column)),
						  DatumGetUUIDP(get(audit, audit->new_deal, column)));
}

static void
connect_spi(DealAudit *audit)
{
	if (!audit->connected)
		SPI_connect();
	audit->connected = true;
}

static void
record_move(DealAudit *audit)
{
	if (audit->moves == NULL)
	{
		connect_spi(audit);
		audit->moves = crm_stage_recorder_begin(audit->deals, audit->columns);
	}
	crm_stage_recorder_add(audit->moves, audit->old_deal, audit->new_deal);
}

/* Records the update of a deal, as far as the trigger's arguments ask for it. */
static void
record_update(DealAudit *audit)
{
	bool		moved = !same_uuid(audit, DEAL_STAGE_ID);

	/*
	 * crm_deal_rules keeps the id, but a trigger of the user's may run after
	 * it.
	 */
	if (!same_uuid(audit, DEAL_ID))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("column \"id\" of table \"%s\" never changes",
						RelationGetRelationName(audit->deals)),
				 errhint("A trigger of your own has changed it."),
				 errtablecol(audit->deals, audit->columns[DEAL_ID])));

	if (audit->keep_changes &&
		crm_deal_is_changed(&audit->changes, audit->old_deal, audit->new_deal, moved))
	{
		connect_spi(audit);
		crm_deal_was_updated(&audit->changes, audit->old_deal, audit->new_deal, moved);
	}
	if (audit->history && moved)
		record_move(audit);
}

/* The new row of a deal, found by its id. */
typedef struct NewRow
{
	pg_uuid_t	id;				/* hash key */
	MinimalTuple tuple;
} NewRow;

/* Records an old row without a new one as deleted: a trigger suppressed the new row. */
static void
record_by_id(DealAudit *audit, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	HASHCTL		ctl = {0};
	HTAB	   *by_id;
	NewRow	   *row;

	ctl.keysize = UUID_LEN;
	ctl.entrysize = sizeof(NewRow);
	ctl.hcxt = CurrentMemoryContext;
	ctl.hash = crm_hash_ids;
	by_id = hash_create("crm new rows", 1024, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_CONTEXT);

	tuplestore_rescan(new_rows);
	while (next_row(new_rows, audit->new_deal))
	{
		row = hash_search(by_id, DatumGetUUIDP(get(audit, audit->new_deal, DEAL_ID)),
						  HASH_ENTER, NULL);
		row->tuple = ExecCopySlotMinimalTuple(audit->new_deal);
	}

	tuplestore_rescan(old_rows);
	while (next_row(old_rows, audit->old_deal))
	{
		row = hash_search(by_id, DatumGetUUIDP(get(audit, audit->old_deal, DEAL_ID)),
						  HASH_FIND, NULL);
		if (row != NULL)
		{
			ExecStoreMinimalTuple(row->tuple, audit->new_deal, false);
			record_update(audit);
		}
		else if (audit->keep_changes)
		{
			connect_spi(audit);
			crm_deal_was_deleted(&audit->changes, audit->old_deal);
		}
	}
	hash_destroy(by_id);
}

/* Whether both tables have the rows in the same order; records nothing. */
static bool
in_step(DealAudit *audit, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	if (tuplestore_tuple_count(old_rows) != tuplestore_tuple_count(new_rows))
		return false;
	tuplestore_rescan(old_rows);
	tuplestore_rescan(new_rows);
	while (next_row(old_rows, audit->old_deal))
	{
		if (!next_row(new_rows, audit->new_deal) ||
			!same_uuid(audit, DEAL_ID))
			return false;
	}
	return true;
}

/* Counts the rows of one transition table. */
static void
count_rows(DealAudit *audit, Tuplestorestate *rows, TupleTableSlot *deal,
		   void (*count) (DealTotals *totals, TupleTableSlot *deal))
{
	if (audit->totals == NULL)
		return;
	tuplestore_rescan(rows);
	while (next_row(rows, deal))
		count(audit->totals, deal);
}

/* Records the rows of one transition table, of inserted or deleted deals. */
static void
record_rows(DealAudit *audit, Tuplestorestate *rows, TupleTableSlot *deal,
			void (*record) (DealChangeAudit *changes, TupleTableSlot *deal))
{
	if (!audit->keep_changes || tuplestore_tuple_count(rows) == 0)
		return;
	connect_spi(audit);
	tuplestore_rescan(rows);
	while (next_row(rows, deal))
		record(&audit->changes, deal);
}

/*
 * Checks the numbers of inserted deals against the history.  Only now that the rows
 * are stored, no other transaction can insert or delete a deal of the same id.
 */
static void
check_numbers(DealAudit *audit, Tuplestorestate *rows)
{
	DealHistory history;

	crm_deal_history_open(&history, audit->deals);
	tuplestore_rescan(rows);
	while (next_row(rows, audit->new_deal))
	{
		const pg_uuid_t *id = DatumGetUUIDP(get(audit, audit->new_deal, DEAL_ID));
		int32		move_no = DatumGetInt32(get(audit, audit->new_deal, DEAL_MOVE_NO));

		if (crm_last_move_no(&history, id,
							 DatumGetUUIDP(get(audit, audit->new_deal, DEAL_TENANT_ID))) > move_no)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent delete"),
					 errdetail("A deal with the id %s was moved and deleted while it was inserted again.",
							   crm_uuid_text(id)),
					 errhint("The transaction might succeed if retried.")));
	}
}

static void
follow_update(DealAudit *audit, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	/*
	 * Only partitioned tables can get out of step; checked before anything is
	 * recorded.
	 */
	if (audit->deals->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		!in_step(audit, old_rows, new_rows))
	{
		if (audit->history || audit->keep_changes)
			record_by_id(audit, old_rows, new_rows);
		count_rows(audit, old_rows, audit->old_deal, crm_deal_totals_subtract);
		count_rows(audit, new_rows, audit->new_deal, crm_deal_totals_add);
		return;
	}

	tuplestore_rescan(old_rows);
	tuplestore_rescan(new_rows);
	while (next_row(old_rows, audit->old_deal))
	{
		if (!next_row(new_rows, audit->new_deal))
			elog(ERROR, "transition tables of \"%s\" are out of step",
				 RelationGetRelationName(audit->deals));
		if (audit->totals != NULL)
			crm_deal_totals_replace(audit->totals, audit->old_deal, audit->new_deal);
		if (audit->history || audit->keep_changes)
			record_update(audit);
	}
}

static void
check_protocol(TriggerData *trigdata)
{
	TriggerEvent event = trigdata->tg_event;

	if (!((TRIGGER_FIRED_BY_UPDATE(event) && trigdata->tg_oldtable == NULL) ||
		  (TRIGGER_FIRED_BY_DELETE(event) && trigdata->tg_oldtable == NULL) ||
		  (TRIGGER_FIRED_BY_UPDATE(event) && trigdata->tg_newtable == NULL) ||
		  (TRIGGER_FIRED_BY_INSERT(event) && trigdata->tg_newtable == NULL)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger function \"%s\" needs the transition tables of its event",
					"crm_deal_audit"),
			 errhint("Declare them with REFERENCING OLD TABLE and NEW TABLE.")));
}

static void
write_totals(DealAudit *audit, TriggerEvent event)
{
	if (TRIGGER_FIRED_BY_TRUNCATE(event))
	{
		if (crm_is_distributed(RelationGetRelid(audit->deals)))
			return;				/* its shard is truncated, too */
		connect_spi(audit);
		crm_totals_truncate(audit->deals);
	}
	else if (!crm_deal_totals_are_zero(audit->totals))
	{
		connect_spi(audit);
		crm_totals_insert_and_compact(audit->deals, audit->totals);
	}
}

/* Writes what was recorded, history before totals. */
static void
write_all(DealAudit *audit, TriggerEvent event)
{
	if (audit->moves != NULL)
		crm_stage_recorder_end(audit->moves);
	crm_deal_change_audit_end(&audit->changes);
	if (audit->totals != NULL)
		write_totals(audit, event);
	if (audit->connected)
		SPI_finish();
}

/*
 * crm_deal_audit(version [, 'history'] [, 'changes'] [, 'totals']): AFTER
 * trigger FOR EACH STATEMENT of deals, with the transition tables that its
 * event has
 *		Writes, with the rights of the table's owner, a row of stage_changes
 *		for each deal whose stage changed, a row of deal_changes for each deal
 *		that was inserted, deleted or changed otherwise, and rows of
 *		stage_totals by which the sums of the stages change.
 */
PG_FUNCTION_INFO_V1(crm_deal_audit);
Datum
crm_deal_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_deal_audit", TRIGGER_EVENT_AFTER,
											 CRM_ON_WRITE | CRM_ON(TRIGGER_EVENT_DELETE) |
											 CRM_ON(TRIGGER_EVENT_TRUNCATE));
	TriggerEvent event = trigdata->tg_event;
	DealAudit	audit = {trigdata->tg_relation};

	check_protocol(trigdata);
	audit.history = crm_trigger_has_argument(trigdata->tg_trigger, CRM_AUDIT_HISTORY);
	audit.keep_changes = crm_trigger_has_argument(trigdata->tg_trigger, CRM_AUDIT_CHANGES);
	audit.columns = crm_columns(audit.deals, &crm_deal_kind);
	crm_deal_change_audit_begin(&audit.changes, audit.deals, audit.columns);
	if (crm_trigger_has_argument(trigdata->tg_trigger, CRM_AUDIT_TOTALS))
		audit.totals = crm_deal_totals_begin(audit.deals, audit.columns);
	audit.old_deal = MakeSingleTupleTableSlot(RelationGetDescr(audit.deals), &TTSOpsMinimalTuple);
	audit.new_deal = MakeSingleTupleTableSlot(RelationGetDescr(audit.deals), &TTSOpsMinimalTuple);

	if (TRIGGER_FIRED_BY_UPDATE(event))
		follow_update(&audit, trigdata->tg_oldtable, trigdata->tg_newtable);
	else if (TRIGGER_FIRED_BY_INSERT(event))
	{
		count_rows(&audit, trigdata->tg_newtable, audit.new_deal, crm_deal_totals_add);
		record_rows(&audit, trigdata->tg_newtable, audit.new_deal, crm_deal_was_inserted);
		if (crm_ids_were_given())
			check_numbers(&audit, trigdata->tg_newtable);
	}
	else if (TRIGGER_FIRED_BY_DELETE(event))
	{
		count_rows(&audit, trigdata->tg_oldtable, audit.old_deal, crm_deal_totals_subtract);
		record_rows(&audit, trigdata->tg_oldtable, audit.old_deal, crm_deal_was_deleted);
	}
	ExecDropSingleTupleTableSlot(audit.old_deal);
	ExecDropSingleTupleTableSlot(audit.new_deal);

	write_all(&audit, event);
	return PointerGetDatum(NULL);
}
