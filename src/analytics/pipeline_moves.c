/*
 * analytics/pipeline_moves.c
 *		The moves out of the stages of a pipeline, read from its CRM.
 *
 * The queries run with the caller's rights and search path, so every operator and
 * type is named with its schema.  The moves that were taken back are few, and have
 * an index, as have deals that were inserted again; the others are passed on row by row,
 * and nothing is kept of them here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "analytics/deal_visits.h"
#include "analytics/lives.h"
#include "analytics/row_columns.h"
#include "base/query.h"
#include "table/caller_query.h"
#include "table/columns.h"

/* %1$s is the table, and %2$s the select list, if it is not told; $1 is the pipeline. */
#define TAKEN_BACK \
	"SELECT c.deal_id::pg_catalog.uuid, c.reverts_no::pg_catalog.int4 FROM %1$s c " \
	"WHERE c.reverts_no IS NOT NULL AND c.to_pipeline_id OPERATOR(pg_catalog.=) $1"

#define ALL_MOVES	"SELECT %2$s FROM %1$s c"

#define MOVES \
	ALL_MOVES " WHERE c.from_pipeline_id OPERATOR(pg_catalog.=) $1 AND c.reverts_no IS NULL"

/* The columns of a move; those before MOVE_REVERTS_NO are not null. */
enum
{
	MOVE_PIPELINE_ID,
	MOVE_DEAL_ID,
	MOVE_STAGE_ID,
	MOVE_NEXT_ID,
	MOVE_ENTERED_AT,
	MOVE_CHANGED_AT,
	MOVE_MOVE_NO,
	MOVE_REVERTS_NO,
	MOVE_NCOLUMNS
};

static const RowColumn move_columns[] = {
	[MOVE_PIPELINE_ID] = {"from_pipeline_id", UUIDOID},
	[MOVE_DEAL_ID] = {"deal_id", UUIDOID},
	[MOVE_STAGE_ID] = {"from_stage_id", UUIDOID},
	[MOVE_NEXT_ID] = {"to_stage_id", UUIDOID},
	[MOVE_ENTERED_AT] = {"entered_at", TIMESTAMPTZOID},
	[MOVE_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID},
	[MOVE_MOVE_NO] = {"move_no", INT4OID},
	[MOVE_REVERTS_NO] = {"reverts_no", INT4OID},
};

/* The moves out of a pipeline, as they are read. */
typedef struct PipelineMoves
{
	DealVisits *visits;
	RowFilter	filter;			/* by the pipeline */
	RowColumns	columns;
} PipelineMoves;

static void
receive_recreated(TupleTableSlot *row, void *visits)
{
	if (crm_row_has(row, RECREATED_VERSION))
		crm_add_past(visits, crm_uuid_key(DatumGetPointer(row->tts_values[RECREATED_DEAL])),
					 DatumGetInt32(row->tts_values[RECREATED_MOVE_NO]));
}

static void
receive_taken_back(TupleTableSlot *row, void *visits)
{
	if (crm_row_has(row, 2))
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
receive_move(TupleTableSlot *row, void *arg)
{
	PipelineMoves *moves = arg;
	DealVisits *visits = moves->visits;
	const Datum *values = moves->columns.values;
	VisitMove  *move = crm_new_move(visits);

	if (!crm_read_row(&moves->columns, row, &moves->filter) ||
		!moves->columns.nulls[MOVE_REVERTS_NO])
		return;
	move->deal = crm_uuid_key(DatumGetUUIDP(values[MOVE_DEAL_ID]));
	move->move_no = DatumGetInt32(values[MOVE_MOVE_NO]);
	move->stage = crm_stage_number(visits, crm_uuid_key(DatumGetUUIDP(values[MOVE_STAGE_ID])));
	if (crm_asked(visits)->next)
		move->next = crm_stage_number(visits, crm_uuid_key(DatumGetUUIDP(values[MOVE_NEXT_ID])));
	set_times(move, DatumGetTimestampTz(values[MOVE_ENTERED_AT]),
			  DatumGetTimestampTz(values[MOVE_CHANGED_AT]));
	crm_add_move(visits);
}

/* The best plan depends on the pipeline's share of all moves. */
static CrmStatement
make_statement(const char *query)
{
	static const Oid types[] = {UUIDOID};
	CrmStatement statement = {
		.text = query,
		.nargs = lengthof(types),
		.argtypes = types,
		.cursor_options = CURSOR_OPT_CUSTOM_PLAN,
	};

	return statement;
}

static void
read_taken_back(DealVisits *visits, const char *table, const pg_uuid_t *pipeline_id)
{
	CrmStatement statement = make_statement(psprintf(TAKEN_BACK, table));
	Datum		args[] = {UUIDPGetDatum(pipeline_id)};

	crm_receive_rows(&statement, args, NULL, true, receive_taken_back, visits);
}

/* All conditions are checked for each row once more, which costs less than they do. */
static void
read_moves(DealVisits *visits, Relation deals, const char *table, const pg_uuid_t *pipeline_id)
{
	PipelineMoves moves = {.visits = visits,.filter.id = pipeline_id};
	Oid			relid = get_relname_relid("stage_changes", RelationGetNamespace(deals));
	const char *list = crm_select_list(relid, "c", move_columns, MOVE_NCOLUMNS,
									   MOVE_REVERTS_NO, (1U << MOVE_NCOLUMNS) - 1, &moves.columns);
	CrmStatement statement = make_statement(psprintf(MOVES, table, list));
	Datum		args[] = {UUIDPGetDatum(pipeline_id)};

	if (moves.columns.stored && crm_look_at_plan(&statement, args, NULL).reads_all)
		statement.text = psprintf(ALL_MOVES, table, list);
	crm_receive_rows(&statement, args, NULL, true, receive_move, &moves);
}

void
crm_add_moves_of_pipeline(DealVisits *visits, FunctionCallInfo fcinfo)
{
	const pg_uuid_t *pipeline_id = crm_api_uuid(fcinfo, 1, "pipeline_id");
	MemoryContext context = CurrentMemoryContext;
	Relation	deals = crm_api_begin(fcinfo, "deals", NULL);
	const char *table;

	MemoryContextSwitchTo(context);
	table = crm_sibling_name(deals, "stage_changes");
	crm_receive_recreated(deals, pipeline_id, false, receive_recreated, visits);
	read_taken_back(visits, table, pipeline_id);
	crm_add_moves(visits);
	read_moves(visits, deals, table, pipeline_id);
	crm_api_end(deals);
	MemoryContextSwitchTo(context);
}
