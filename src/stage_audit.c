/*
 * stage_audit.c
 *		Records every move of every deal, whoever writes.
 *
 * crm_stage_audit is the AFTER UPDATE trigger of deals, one call a statement.
 * It walks the transition tables, which hold the old and the new rows in the
 * same order, and hands the moves to the writer.  A trigger that makes a
 * partitioned table skip the new row of a pair breaks that order; the rows
 * are then paired by id, which never changes.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "row_edit.h"
#include "stage_change_writer.h"
#include "table_kinds.h"
#include "undo.h"

typedef struct Audit
{
	Relation	rel;
	const AttrNumber *columns;
	TupleTableSlot *old_slot;
	TupleTableSlot *new_slot;
	StageChangeWriter *writer;	/* NULL until something moved */
	MemoryContext per_row;
} Audit;

static Datum
get(const Audit *audit, TupleTableSlot *slot, DealColumn column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, audit->columns[column], &isnull);

	crm_check_not_null(audit->rel, audit->columns[column], isnull);
	return value;
}

static bool
same_uuid(const Audit *audit, DealColumn column)
{
	return crm_uuid_equal(DatumGetUUIDP(get(audit, audit->old_slot, column)),
						  DatumGetUUIDP(get(audit, audit->new_slot, column)));
}

/* Appends "name": value of the old row, if the new row has another one. */
static void
append_replaced(const Audit *audit, StringInfo json, DealColumn column, const char *name, Oid type)
{
	bool		old_null,
				new_null;
	Datum		old_value = slot_getattr(audit->old_slot, audit->columns[column], &old_null);
	Datum		new_value = slot_getattr(audit->new_slot, audit->columns[column], &new_null);

	if (old_null)
	{
		/*
		 * A reason given to a deal that was lost without one: undo_move needs
		 * to know.
		 */
		if (column == DEAL_LOST_REASON && !new_null &&
			!slot_attisnull(audit->old_slot, audit->columns[DEAL_LOST_AT]))
			appendStringInfo(json, "%c\"%s\": null", json->len == 0 ? '{' : ',', name);
		return;
	}
	if (!new_null && (type == TEXTOID ?
					  DatumGetBool(DirectFunctionCall2Coll(texteq, DEFAULT_COLLATION_OID, old_value, new_value)) :
					  DatumGetTimestampTz(old_value) == DatumGetTimestampTz(new_value)))
		return;

	appendStringInfo(json, "%c\"%s\": ", json->len == 0 ? '{' : ',', name);
	if (type == TEXTOID)
		escape_json(json, TextDatumGetCString(old_value));
	else
	{
		char		buf[MAXDATELEN + 1];

		JsonEncodeDateTime(buf, old_value, type, NULL);
		appendStringInfo(json, "\"%s\"", buf);
	}
}

/* What the move cleared or replaced of how the deal was closed; false: nothing. */
static bool
closing(const Audit *audit, Datum *result)
{
	StringInfoData json;

	initStringInfo(&json);
	append_replaced(audit, &json, DEAL_WON_AT, "won_at", TIMESTAMPTZOID);
	append_replaced(audit, &json, DEAL_LOST_AT, "lost_at", TIMESTAMPTZOID);
	append_replaced(audit, &json, DEAL_LOST_REASON, "lost_reason", TEXTOID);
	if (json.len == 0)
		return false;
	appendStringInfoChar(&json, '}');
	*result = PointerGetDatum(cstring_to_text_with_len(json.data, json.len));
	return true;
}

/*
 * The rules count the moves, and what they did not count they have not seen:
 * not its time, nor the status that goes with the stage.
 */
static void
check_counted(const Audit *audit)
{
	Datum		old_move_no = get(audit, audit->old_slot, DEAL_MOVE_NO);
	Datum		new_move_no = get(audit, audit->new_slot, DEAL_MOVE_NO);

	if (DatumGetInt32(new_move_no) != DatumGetInt32(old_move_no))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("deal %s was moved past the rules of the CRM",
					crm_uuid_text(DatumGetUUIDP(get(audit, audit->new_slot, DEAL_ID)))),
			 errdetail("Its stage changed, but not the number of its moves."),
			 errhint("The trigger with function \"%s\" must be enabled, and the last of the BEFORE triggers of table \"%s\": they run in the order of their names.",
					 "crm_deal_rules", RelationGetRelationName(audit->rel)),
			 errtable(audit->rel)));
}

static void
record_move(Audit *audit)
{
	static const struct
	{
		ChangeField field;
		bool		of_old;
		DealColumn	column;
	}			copied[] =
	{
		{CHANGE_TENANT_ID, false, DEAL_TENANT_ID},
		{CHANGE_DEAL_ID, false, DEAL_ID},
		{CHANGE_FROM_PIPELINE_ID, true, DEAL_PIPELINE_ID},
		{CHANGE_FROM_STAGE_ID, true, DEAL_STAGE_ID},
		{CHANGE_TO_PIPELINE_ID, false, DEAL_PIPELINE_ID},
		{CHANGE_TO_STAGE_ID, false, DEAL_STAGE_ID},
		{CHANGE_ENTERED_AT, true, DEAL_STAGE_ENTERED_AT},
		{CHANGE_CHANGED_AT, false, DEAL_STAGE_ENTERED_AT},
		{CHANGE_MOVE_NO, false, DEAL_MOVE_NO},
		{CHANGE_FROM_STATUS, true, DEAL_STATUS},
		{CHANGE_TO_STATUS, false, DEAL_STATUS},
		{CHANGE_AMOUNT, false, DEAL_AMOUNT},
		{CHANGE_CURRENCY, false, DEAL_CURRENCY},
		{CHANGE_PROBABILITY, false, DEAL_PROBABILITY},
		{CHANGE_FROM_PROBABILITY, true, DEAL_PROBABILITY},
	};
	StageChange change;
	const pg_uuid_t *reverts;
	MemoryContext caller;

	check_counted(audit);
	if (audit->writer == NULL)
		audit->writer = crm_stage_changes_begin(audit->rel);

	for (int i = 0; i < lengthof(copied); i++)
		change.values[copied[i].field] =
			slot_getattr(copied[i].of_old ? audit->old_slot : audit->new_slot,
						 audit->columns[copied[i].column], &change.nulls[copied[i].field]);

	reverts = crm_undo_in_progress(audit->rel, DatumGetUUIDP(change.values[CHANGE_DEAL_ID]),
								   DatumGetUUIDP(change.values[CHANGE_TO_STAGE_ID]),
								   DatumGetInt32(change.values[CHANGE_MOVE_NO]));
	change.nulls[CHANGE_REVERTS_ID] = reverts == NULL;
	if (reverts != NULL)
	{
		/* The deal is as it was; that it was put back happens now. */
		change.values[CHANGE_REVERTS_ID] = UUIDPGetDatum(reverts);
		change.values[CHANGE_CHANGED_AT] =
			TimestampTzGetDatum(Max(GetCurrentTimestamp(),
									DatumGetTimestampTz(change.values[CHANGE_ENTERED_AT])));
	}

	caller = MemoryContextSwitchTo(audit->per_row);
	change.nulls[CHANGE_CLOSING] = !closing(audit, &change.values[CHANGE_CLOSING]);
	MemoryContextSwitchTo(caller);
	crm_stage_changes_add(audit->writer, &change);
	MemoryContextReset(audit->per_row);
}

/* Where the new row of a deal is, when it has to be found by its id. */
typedef struct NewRow
{
	pg_uuid_t	id;				/* hash key */
	MinimalTuple tuple;
} NewRow;

static void
audit_by_id(Audit *audit, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	HASHCTL		ctl = {0};
	HTAB	   *by_id;
	NewRow	   *row;

	ctl.keysize = UUID_LEN;
	ctl.entrysize = sizeof(NewRow);
	ctl.hcxt = CurrentMemoryContext;
	by_id = hash_create("crm new rows", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	tuplestore_rescan(new_rows);
	while (tuplestore_gettupleslot(new_rows, true, false, audit->new_slot))
	{
		row = hash_search(by_id, DatumGetUUIDP(get(audit, audit->new_slot, DEAL_ID)), HASH_ENTER, NULL);
		row->tuple = ExecCopySlotMinimalTuple(audit->new_slot);
	}

	tuplestore_rescan(old_rows);
	while (tuplestore_gettupleslot(old_rows, true, false, audit->old_slot))
	{
		row = hash_search(by_id, DatumGetUUIDP(get(audit, audit->old_slot, DEAL_ID)), HASH_FIND, NULL);
		if (row == NULL)
			continue;			/* not stored after all */
		ExecStoreMinimalTuple(row->tuple, audit->new_slot, false);
		if (!same_uuid(audit, DEAL_STAGE_ID))
			record_move(audit);
	}
	hash_destroy(by_id);
}

/* False if the rows turn out not to be in step; nothing was recorded then. */
static bool
in_step(Audit *audit, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	if (tuplestore_tuple_count(old_rows) != tuplestore_tuple_count(new_rows))
		return false;
	while (tuplestore_gettupleslot(old_rows, true, false, audit->old_slot))
	{
		if (!tuplestore_gettupleslot(new_rows, true, false, audit->new_slot) ||
			!same_uuid(audit, DEAL_ID))
			return false;
	}
	return true;
}

static void
audit_statement(Audit *audit, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	bool		partitioned = audit->rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;

	tuplestore_rescan(old_rows);
	tuplestore_rescan(new_rows);

	/* Only partitions can get out of step; know it before writing anything. */
	if (partitioned)
	{
		if (!in_step(audit, old_rows, new_rows))
		{
			audit_by_id(audit, old_rows, new_rows);
			return;
		}
		tuplestore_rescan(old_rows);
		tuplestore_rescan(new_rows);
	}

	while (tuplestore_gettupleslot(old_rows, true, false, audit->old_slot))
	{
		if (!tuplestore_gettupleslot(new_rows, true, false, audit->new_slot))
			elog(ERROR, "transition tables of \"%s\" are out of step",
				 RelationGetRelationName(audit->rel));
		if (!same_uuid(audit, DEAL_STAGE_ID))
		{
			/* The rules see to that, if no trigger runs after them. */
			if (!same_uuid(audit, DEAL_ID))
				ereport(ERROR,
						(errcode(ERRCODE_CHECK_VIOLATION),
						 errmsg("column \"id\" of table \"%s\" never changes",
								RelationGetRelationName(audit->rel)),
						 errtablecol(audit->rel, audit->columns[DEAL_ID])));
			record_move(audit);
		}
	}
}

/*
 * crm_stage_audit(version): AFTER UPDATE trigger FOR EACH STATEMENT of deals,
 * with both transition tables
 *		Writes a row of stage_changes for each deal whose stage changed, with
 *		the rights of the table's owner.
 */
PG_FUNCTION_INFO_V1(crm_stage_audit);
Datum
crm_stage_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_stage_audit", TRIGGER_EVENT_AFTER,
											 CRM_ON(TRIGGER_EVENT_UPDATE));
	Audit		audit = {trigdata->tg_relation};

	if (trigdata->tg_oldtable == NULL || trigdata->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" must be fired for UPDATE, with an old and a new transition table",
						"crm_stage_audit")));

	if (tuplestore_tuple_count(trigdata->tg_newtable) == 0)
		return PointerGetDatum(NULL);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	audit.columns = crm_columns(audit.rel, &crm_deal_kind);
	audit.old_slot = MakeSingleTupleTableSlot(RelationGetDescr(audit.rel), &TTSOpsMinimalTuple);
	audit.new_slot = MakeSingleTupleTableSlot(RelationGetDescr(audit.rel), &TTSOpsMinimalTuple);
	audit.per_row = AllocSetContextCreate(CurrentMemoryContext, "crm stage audit row",
										  ALLOCSET_SMALL_SIZES);

	audit_statement(&audit, trigdata->tg_oldtable, trigdata->tg_newtable);
	if (audit.writer != NULL)
		crm_stage_changes_end(audit.writer);

	ExecDropSingleTupleTableSlot(audit.old_slot);
	ExecDropSingleTupleTableSlot(audit.new_slot);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * crm_history_guard(version): BEFORE UPDATE trigger FOR EACH STATEMENT of
 * stage_changes
 *		History is not rewritten, not even by its owner: always ERROR 42501.
 */
PG_FUNCTION_INFO_V1(crm_history_guard);
Datum
crm_history_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_history_guard", TRIGGER_EVENT_BEFORE,
											 CRM_ON(TRIGGER_EVENT_UPDATE));

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("rows of \"%s\" are never updated", RelationGetRelationName(trigdata->tg_relation)),
			 errhint("A move that was wrong is taken back with undo_move, which adds a row.")));
}
