/*
 * analytics/pipeline_moves.c
 *		The moves out of the stages of a pipeline, read from its CRM.
 *
 * The queries run with the caller's rights and search path, so every operator and
 * type is named with its schema.  The moves that were taken back are few, and have
 * an index; the others are passed on row by row, and nothing is kept of them here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "analytics/deal_visits.h"
#include "base/query.h"
#include "table/caller_query.h"
#include "table/columns.h"

#define TAKEN_BACK \
	"SELECT c.deal_id::pg_catalog.uuid, c.reverts_no::pg_catalog.int4 FROM %s c " \
	"WHERE c.reverts_no IS NOT NULL AND c.to_pipeline_id OPERATOR(pg_catalog.=) $1"

#define MOVES \
	"SELECT c.deal_id::pg_catalog.uuid, c.move_no::pg_catalog.int4, c.from_stage_id::pg_catalog.uuid, " \
	"c.to_stage_id::pg_catalog.uuid, c.entered_at::pg_catalog.timestamptz, " \
	"c.changed_at::pg_catalog.timestamptz FROM %s c " \
	"WHERE c.from_pipeline_id OPERATOR(pg_catalog.=) $1 AND c.reverts_no IS NULL"

/* Whether a row has all that the CRM always writes. */
static inline bool
is_whole(TupleTableSlot *row)
{
	slot_getallattrs(row);
	for (int i = 0; i < row->tts_nvalid; i++)
	{
		if (unlikely(row->tts_isnull[i]))
			return false;
	}
	return true;
}

static void
receive_taken_back(TupleTableSlot *row, void *visits)
{
	if (is_whole(row))
		crm_add_taken_back(visits, crm_uuid_key(DatumGetPointer(row->tts_values[0])),
						   DatumGetInt32(row->tts_values[1]));
}

static inline void
set_times(VisitMove *move, TimestampTz entered_at, TimestampTz exited_at)
{
	move->entered_at = entered_at;
	move->has_entered_at = !TIMESTAMP_NOT_FINITE(entered_at);
	move->has_duration = move->has_entered_at && !TIMESTAMP_NOT_FINITE(exited_at) &&
		!pg_sub_s64_overflow(exited_at, entered_at, &move->duration);
}

static void
receive_move(TupleTableSlot *row, void *visits)
{
	VisitMove  *move = crm_new_move(visits);

	if (!is_whole(row))
		return;
	move->deal = crm_uuid_key(DatumGetPointer(row->tts_values[0]));
	move->move_no = DatumGetInt32(row->tts_values[1]);
	move->stage = crm_stage_number(visits, crm_uuid_key(DatumGetPointer(row->tts_values[2])));
	if (crm_asked(visits)->next)
		move->next = crm_stage_number(visits, crm_uuid_key(DatumGetPointer(row->tts_values[3])));
	set_times(move, DatumGetTimestampTz(row->tts_values[4]),
			  DatumGetTimestampTz(row->tts_values[5]));
	crm_add_move(visits);
}

static void
read_rows(const char *text, Relation deals, const pg_uuid_t *pipeline_id,
		  CrmRowReceiver receive, DealVisits *visits)
{
	static const Oid types[] = {UUIDOID};
	Datum		args[] = {UUIDPGetDatum(pipeline_id)};
	CrmStatement statement = {
		.text = psprintf(text, crm_sibling_name(deals, "stage_changes")),
		.nargs = lengthof(types),
		.argtypes = types,
		/* The best plan depends on the pipeline's share of all moves. */
		.cursor_options = CURSOR_OPT_CUSTOM_PLAN,
	};

	crm_receive_rows(&statement, args, NULL, true, receive, visits);
}

void
crm_add_moves_of_pipeline(DealVisits *visits, FunctionCallInfo fcinfo)
{
	const pg_uuid_t *pipeline_id = crm_api_uuid(fcinfo, 1, "pipeline_id");
	MemoryContext context = CurrentMemoryContext;
	Relation	deals = crm_api_begin(fcinfo, "deals", NULL);

	MemoryContextSwitchTo(context);
	read_rows(TAKEN_BACK, deals, pipeline_id, receive_taken_back, visits);
	crm_add_moves(visits);
	read_rows(MOVES, deals, pipeline_id, receive_move, visits);
	crm_api_end(deals);
	MemoryContextSwitchTo(context);
}
