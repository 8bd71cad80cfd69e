/*
 * history/stage_changes.c
 *		Records the moves of deals in stage_changes.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/session.h"
#include "base/uuid.h"
#include "history/stage_changes.h"
#include "history/undo.h"
#include "table/writer.h"

/* What a move stores, in the order of the writer's fields. */
typedef enum ChangeField
{
	CHANGE_TENANT_ID,
	CHANGE_DEAL_ID,
	CHANGE_FROM_PIPELINE_ID,
	CHANGE_FROM_STAGE_ID,
	CHANGE_TO_PIPELINE_ID,
	CHANGE_TO_STAGE_ID,
	CHANGE_ENTERED_AT,
	CHANGE_CHANGED_AT,
	CHANGE_MOVE_NO,
	CHANGE_FROM_STATUS,
	CHANGE_TO_STATUS,
	CHANGE_AMOUNT,
	CHANGE_CURRENCY,
	CHANGE_VALUE_PERIOD,
	CHANGE_PROBABILITY,
	CHANGE_FROM_PROBABILITY,
	CHANGE_REVERTS_ID,
	CHANGE_REVERTS_NO,
	CHANGE_CLOSING,
	CHANGE_CHANGED_BY,
	CHANGE_RECORDED_BY,
	CHANGE_NFIELDS
} ChangeField;

static const InsertField fields[CHANGE_NFIELDS] = {
	[CHANGE_TENANT_ID] = {"tenant_id", UUIDOID},
	[CHANGE_DEAL_ID] = {"deal_id", UUIDOID},
	[CHANGE_FROM_PIPELINE_ID] = {"from_pipeline_id", UUIDOID},
	[CHANGE_FROM_STAGE_ID] = {"from_stage_id", UUIDOID},
	[CHANGE_TO_PIPELINE_ID] = {"to_pipeline_id", UUIDOID},
	[CHANGE_TO_STAGE_ID] = {"to_stage_id", UUIDOID},
	[CHANGE_ENTERED_AT] = {"entered_at", TIMESTAMPTZOID},
	[CHANGE_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID},
	[CHANGE_MOVE_NO] = {"move_no", INT4OID},
	[CHANGE_FROM_STATUS] = {"from_status", TEXTOID},
	[CHANGE_TO_STATUS] = {"to_status", TEXTOID},
	[CHANGE_AMOUNT] = {"amount", NUMERICOID},
	[CHANGE_CURRENCY] = {"currency", TEXTOID},
	[CHANGE_VALUE_PERIOD] = {"value_period", TEXTOID},
	[CHANGE_PROBABILITY] = {"probability", NUMERICOID},
	[CHANGE_FROM_PROBABILITY] = {"from_probability", NUMERICOID},
	[CHANGE_REVERTS_ID] = {"reverts_id", UUIDOID},
	[CHANGE_REVERTS_NO] = {"reverts_no", INT4OID},
	[CHANGE_CLOSING] = {"closing", JSONBOID},
	[CHANGE_CHANGED_BY] = {"changed_by", TEXTOID},
	[CHANGE_RECORDED_BY] = {"recorded_by", TEXTOID},
};

static const InsertTarget stage_changes = {
	"stage_changes", fields, CHANGE_NFIELDS, "history cannot be recorded"
};

struct StageRecorder
{
	Relation	deals;
	const AttrNumber *columns;
	TupleTableSlot *old_deal;
	TupleTableSlot *new_deal;
	TableWriter *writer;
	Datum		changed_by;
	Datum		recorded_by;
	MemoryContext per_move;
};

/* Appends "name": value of the old row, if the new row has another one. */
static void
append_replaced(const StageRecorder *recorder, StringInfo json, DealColumn column,
				const char *name, Oid type)
{
	bool		old_null,
				new_null;
	Datum		old_value = slot_getattr(recorder->old_deal, recorder->columns[column], &old_null);
	Datum		new_value = slot_getattr(recorder->new_deal, recorder->columns[column], &new_null);

	if (old_null)
	{
		/*
		 * A reason given to a deal that was lost without one: undo_move needs
		 * to know.
		 */
		if (column == DEAL_LOST_REASON && !new_null &&
			!slot_attisnull(recorder->old_deal, recorder->columns[DEAL_LOST_AT]))
			appendStringInfo(json, "%c\"%s\": null", json->len == 0 ? '{' : ',', name);
		return;
	}
	if (!new_null && (type == TEXTOID ?
					  DatumGetBool(DirectFunctionCall2Coll(texteq, DEFAULT_COLLATION_OID,
														   old_value, new_value)) :
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
closing(const StageRecorder *recorder, Datum *result)
{
	StringInfoData json;

	initStringInfo(&json);
	append_replaced(recorder, &json, DEAL_WON_AT, "won_at", TIMESTAMPTZOID);
	append_replaced(recorder, &json, DEAL_LOST_AT, "lost_at", TIMESTAMPTZOID);
	append_replaced(recorder, &json, DEAL_LOST_REASON, "lost_reason", TEXTOID);
	if (json.len == 0)
		return false;
	appendStringInfoChar(&json, '}');
	*result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
	return true;
}

StageRecorder *
crm_stage_recorder_begin(Relation deals, const AttrNumber *columns)
{
	StageRecorder *recorder = palloc0(sizeof(StageRecorder));

	recorder->deals = deals;
	recorder->columns = columns;
	recorder->writer = crm_writer_begin(deals, &stage_changes);
	recorder->changed_by = CStringGetTextDatum(crm_session_actor());
	recorder->recorded_by = CStringGetTextDatum(crm_session_recorder());
	recorder->per_move = AllocSetContextCreate(CurrentMemoryContext, "crm stage recorder move",
											   ALLOCSET_SMALL_SIZES);
	return recorder;
}

static Datum
get(const StageRecorder *recorder, TupleTableSlot *deal, DealColumn column)
{
	return crm_required_slot_value(recorder->deals, deal, recorder->columns[column]);
}

/*
 * The rules count the moves.  A move that they did not count has not been checked: its
 * time and its status may be wrong.
 */
static void
check_counted(const StageRecorder *recorder)
{
	Datum		old_move_no = get(recorder, recorder->old_deal, DEAL_MOVE_NO);
	Datum		new_move_no = get(recorder, recorder->new_deal, DEAL_MOVE_NO);

	if (DatumGetInt32(new_move_no) != DatumGetInt32(old_move_no))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("deal %s was moved past the rules of the CRM",
					crm_uuid_text(DatumGetUUIDP(get(recorder, recorder->new_deal, DEAL_ID)))),
			 errdetail("Its stage changed, but not the number of its moves."),
			 errhint("The trigger with function \"%s\" must be enabled, and the last of the BEFORE triggers of table \"%s\": they run in the order of their names.",
					 "crm_deal_rules", RelationGetRelationName(recorder->deals)),
			 errtable(recorder->deals)));
}

/* A field that is a column of the deal, before the move or after it. */
typedef struct CopiedField
{
	ChangeField field;
	bool		of_old;
	DealColumn	column;
} CopiedField;

static const CopiedField copied[] = {
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
	{CHANGE_VALUE_PERIOD, false, DEAL_VALUE_PERIOD},
	{CHANGE_PROBABILITY, false, DEAL_PROBABILITY},
	{CHANGE_FROM_PROBABILITY, true, DEAL_PROBABILITY},
};

/* Whether the move takes another one back, and which. */
static void
note_undone(const StageRecorder *recorder, Datum *values, bool *nulls)
{
	const pg_uuid_t *deal_id = DatumGetUUIDP(values[CHANGE_DEAL_ID]);
	const UndoneMove *undone = crm_undo_noted(recorder->deals, deal_id,
											  DatumGetInt32(values[CHANGE_MOVE_NO]));

	nulls[CHANGE_REVERTS_ID] = nulls[CHANGE_REVERTS_NO] = undone == NULL;
	if (undone != NULL)
	{
		/* The deal is as it was; that it was put back happens now. */
		values[CHANGE_REVERTS_ID] = UUIDPGetDatum(&undone->id);
		values[CHANGE_REVERTS_NO] = Int32GetDatum(undone->move_no);
		values[CHANGE_CHANGED_AT] =
			TimestampTzGetDatum(Max(GetCurrentTimestamp(),
									DatumGetTimestampTz(values[CHANGE_ENTERED_AT])));
	}
}

void
crm_stage_recorder_add(StageRecorder *recorder, TupleTableSlot *old_deal, TupleTableSlot *new_deal)
{
	Datum		values[CHANGE_NFIELDS];
	bool		nulls[CHANGE_NFIELDS];
	MemoryContext caller;

	recorder->old_deal = old_deal;
	recorder->new_deal = new_deal;
	check_counted(recorder);
	for (int i = 0; i < lengthof(copied); i++)
		values[copied[i].field] =
			crm_slot_value(copied[i].of_old ? recorder->old_deal : recorder->new_deal,
						   recorder->columns[copied[i].column], &nulls[copied[i].field]);

	note_undone(recorder, values, nulls);
	caller = MemoryContextSwitchTo(recorder->per_move);
	nulls[CHANGE_CLOSING] = !closing(recorder, &values[CHANGE_CLOSING]);
	MemoryContextSwitchTo(caller);
	values[CHANGE_CHANGED_BY] = recorder->changed_by;
	values[CHANGE_RECORDED_BY] = recorder->recorded_by;
	nulls[CHANGE_CHANGED_BY] = nulls[CHANGE_RECORDED_BY] = false;
	crm_writer_add(recorder->writer, values, nulls);
	MemoryContextReset(recorder->per_move);
}

void
crm_stage_recorder_end(StageRecorder *recorder)
{
	crm_writer_end(recorder->writer);
	MemoryContextDelete(recorder->per_move);
}
