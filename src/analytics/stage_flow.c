/*
 * analytics/stage_flow.c
 *		The pace of a pipeline: which deals entered and left its stages, by period.
 *
 * A deal counts once for each stage, flow and period, with the amount of its last move
 * of that kind.  Events are kept as they come, in whatever order; then those of each
 * deal, which are few, are put together and sorted.  Moves out of the pipeline's stages
 * and into them are enough: unless a deal first came from another pipeline, it was
 * created in the stage that it left first or, if it never moved, in its present one.
 * A deal that was deleted and inserted again was created then: earlier moves do not count.
 *
 * The queries run with the caller's rights and search path, so every operator and
 * type is named with its schema.  Memory: 90 bytes for each deal, and 52 for each
 * event, of which a move has two.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "analytics/conversion_day.h"
#include "analytics/deal_visits.h"
#include "analytics/lives.h"
#include "analytics/row_columns.h"
#include "analytics/stage_flow.h"
#include "base/query.h"
#include "base/report_shape.h"
#include "table/caller_query.h"
#include "table/columns.h"

enum
{
	ARG_CRM, ARG_PIPELINE, ARG_COHORTS, ARG_COHORT_CURRENCIES, ARG_STAGES, ARG_POSITIONS,
	ARG_PERIOD, ARG_FROM, ARG_BEFORE, ARG_CURRENCY, ARG_IN_CURRENCY
};

typedef struct UndoneKey
{
	uint32		deal;
	int32		move_no;
} UndoneKey;

typedef struct UndoneEntry
{
	UndoneKey	key;
	char		status;
} UndoneEntry;

#define SH_PREFIX flow_undone
#define SH_ELEMENT_TYPE UndoneEntry
#define SH_KEY_TYPE UndoneKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) \
	((uint32) crm_hash_mix((k).deal ^ ((HashSeed *) (tb)->private_data)->word[0], \
						   (uint32) (k).move_no ^ ((HashSeed *) (tb)->private_data)->word[1]))
#define SH_EQUAL(tb, a, b) ((a).deal == (b).deal && (a).move_no == (b).move_no)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* ---- the queries ---- */

/* $1 is the pipeline, $2 ids of deals; %1$s is the table, %2$s pipelines. */
#define TAKEN_BACK \
	"SELECT c.deal_id::pg_catalog.uuid, c.reverts_no::pg_catalog.int4 FROM %1$s c " \
	"WHERE c.reverts_no IS NOT NULL AND (c.to_pipeline_id OPERATOR(pg_catalog.=) $1 " \
	"OR c.from_pipeline_id OPERATOR(pg_catalog.=) $1)"

#define MOVES \
	"SELECT c.deal_id::pg_catalog.uuid, c.move_no::pg_catalog.int4, c.from_pipeline_id OPERATOR(pg_catalog.=) $1, " \
	"c.from_stage_id::pg_catalog.uuid, c.from_status::pg_catalog.text, c.to_pipeline_id OPERATOR(pg_catalog.=) $1, " \
	"c.to_stage_id::pg_catalog.uuid, c.to_status::pg_catalog.text, c.entered_at::pg_catalog.timestamptz, " \
	"c.changed_at::pg_catalog.timestamptz, c.amount::pg_catalog.numeric, c.currency::pg_catalog.text FROM %1$s c " \
	"WHERE (c.from_pipeline_id OPERATOR(pg_catalog.=) $1 OR c.to_pipeline_id OPERATOR(pg_catalog.=) $1 " \
	"AND c.from_pipeline_id OPERATOR(pg_catalog.<>) c.to_pipeline_id) AND c.reverts_no IS NULL"

enum
{
	MOVE_DEAL, MOVE_NO, MOVE_FROM_HERE, MOVE_FROM, MOVE_FROM_STATUS, MOVE_TO_HERE, MOVE_TO,
	MOVE_TO_STATUS, MOVE_ENTERED_AT, MOVE_CHANGED_AT, MOVE_AMOUNT, MOVE_CURRENCY
};

#define CREATIONS \
	"SELECT c.deal_id::pg_catalog.uuid, c.new_amount::pg_catalog.numeric, c.new_currency::pg_catalog.text FROM %1$s c " \
	"WHERE c.change OPERATOR(pg_catalog.=) 'created' AND ($2 IS NULL OR c.deal_id OPERATOR(pg_catalog.=) ANY ($2)) " \
	"AND " OF_TENANT("c", "%2$s")

static inline UuidKey
get_uuid(TupleTableSlot *row, int column)
{
	return crm_uuid_key(DatumGetPointer(row->tts_values[column]));
}

static inline uint32
currency_key(Datum currency)
{
	const text *code = DatumGetTextPP(currency);

	return (uint32) crm_summary_currency_key(VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
}

/* From two columns. */
static inline FlowAmount
get_amount(const StageFlow *flow, TupleTableSlot *row, int column)
{
	FlowAmount	result = {.currency = flow->currency};

	result.is_there = !row->tts_isnull[column];
	if (result.is_there)
		result.amount = crm_amount_to_fixed(row->tts_values[column]);
	if (!row->tts_isnull[column + 1])
		result.currency = currency_key(row->tts_values[column + 1]);
	return result;
}

static inline uint32
stage_number(StageFlow *flow, UuidKey stage)
{
	bool		found;

	return crm_deal_number(flow->stages_index, stage, crm_deal_hash(flow->stages_index, stage),
						   &found);
}

static inline uint32
find_deal(const StageFlow *flow, UuidKey id)
{
	return crm_deal_find(flow->deals_index, id, crm_deal_hash(flow->deals_index, id));
}

/* ---- counting ---- */

static FlowEvent *
new_event(StageFlow *flow)
{
	uint32		chunk = flow->nevents / CHUNK_EVENTS;

	if (flow->nevents == PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the pipeline has too many moves"),
				 errhint("Choose fewer of them, by a period.")));
	if (chunk == flow->chunks_room)
	{
		flow->chunks_room *= 2;
		flow->chunks = repalloc_huge(flow->chunks, flow->chunks_room * sizeof(FlowEvent *));
	}
	if (flow->nevents % CHUNK_EVENTS == 0)
		flow->chunks[chunk] = MemoryContextAlloc(flow->context, CHUNK_EVENTS * sizeof(FlowEvent));
	return get_event(flow, flow->nevents++);
}

/* Keeps that the deal flowed then, if that is in the period asked for. */
static void
add_event(StageFlow *flow, uint32 deal, uint32 stage, Flow kind, int32 move_no, TimestampTz at,
		  const FlowAmount *amount)
{
	DateADT		day;
	FlowEvent  *event;

	if (TIMESTAMP_NOT_FINITE(at))
		return;
	day = DatumGetDateADT(DirectFunctionCall1(timestamptz_date, TimestampTzGetDatum(at)));
	if (day < flow->from || day >= flow->before)
		return;
	event = new_event(flow);
	event->deal = deal;
	event->stage = stage;
	event->start = crm_period_first_day(flow->period, day);
	event->move_no = move_no;
	event->amount = *amount;
	event->flow = kind;
	event->rate_day = flow->in_currency == 0 || amount->currency == flow->in_currency ? 0 :
		crm_day_of(at);
}

static Flow
flow_of_move(const StageFlow *flow, TupleTableSlot *row, uint32 from, uint32 to)
{
	DealStatus	from_status;
	DealStatus	to_status;

	if (!DatumGetBool(row->tts_values[MOVE_TO_HERE]))
		return FLOW_MOVED_OUT;
	if (crm_parse_deal_status(row->tts_values[MOVE_TO_STATUS], &to_status) &&
		to_status != DEAL_OPEN)
		return to_status == DEAL_LOST ? FLOW_LOST : FLOW_FORWARD;
	if (!crm_parse_deal_status(row->tts_values[MOVE_FROM_STATUS], &from_status) ||
		from_status != DEAL_OPEN)
		return FLOW_BACKWARD;
	/* Of a stage that is no more nobody knows where it was. */
	if (from < flow->npositions && to < flow->npositions && !flow->positions_null[from] &&
		!flow->positions_null[to] &&
		DatumGetInt32(flow->positions[to]) < DatumGetInt32(flow->positions[from]))
		return FLOW_BACKWARD;
	return FLOW_FORWARD;
}

/* Notes a move that may be the first one, and so tell where the deal was created. */
static inline void
note_first(StageFlow *flow, FlowDeal *deal, TupleTableSlot *row, int32 move_no, uint32 from)
{
	if (move_no >= deal->move_no)
		return;
	deal->move_no = move_no;
	deal->stage = DatumGetBool(row->tts_values[MOVE_FROM_HERE]) ? from : NOT_A_DEAL;
	deal->entered_at = DatumGetTimestampTz(row->tts_values[MOVE_ENTERED_AT]);
}

/* Whether a move is of an earlier life of the deal. */
static inline bool
is_past(const FlowDeal *deal, int32 move_no)
{
	return deal->was_recreated && move_no <= deal->past_no;
}

static void
receive_move(TupleTableSlot *row, void *arg)
{
	StageFlow  *flow = arg;
	UndoneKey	key;
	TimestampTz at;
	FlowAmount	amount;
	uint32		from;
	uint32		to;

	if (!crm_row_has(row, MOVE_AMOUNT))
		return;
	key.deal = find_deal(flow, get_uuid(row, MOVE_DEAL));
	key.move_no = DatumGetInt32(row->tts_values[MOVE_NO]);
	if (key.deal == NOT_A_DEAL || is_past(&flow->deals[key.deal], key.move_no) ||
		flow_undone_lookup(flow->undone, key) != NULL)
		return;
	from = stage_number(flow, get_uuid(row, MOVE_FROM));
	to = stage_number(flow, get_uuid(row, MOVE_TO));
	at = DatumGetTimestampTz(row->tts_values[MOVE_CHANGED_AT]);
	amount = get_amount(flow, row, MOVE_AMOUNT);
	note_first(flow, &flow->deals[key.deal], row, key.move_no, from);
	if (DatumGetBool(row->tts_values[MOVE_TO_HERE]))
		add_event(flow, key.deal, to, FLOW_ENTERED, key.move_no, at, &amount);
	if (DatumGetBool(row->tts_values[MOVE_FROM_HERE]))
		add_event(flow, key.deal, from, flow_of_move(flow, row, from, to), key.move_no, at,
				  &amount);
}

static void
receive_taken_back(TupleTableSlot *row, void *arg)
{
	StageFlow  *flow = arg;
	UndoneKey	key;
	bool		found;

	if (!crm_row_has(row, 2))
		return;
	key.deal = find_deal(flow, get_uuid(row, 0));
	key.move_no = DatumGetInt32(row->tts_values[1]);
	if (key.deal != NOT_A_DEAL)
		(void) flow_undone_insert(flow->undone, key, &found);
}

/* The last time that the deal was inserted again is when it was created. */
static void
receive_recreated(TupleTableSlot *row, void *arg)
{
	StageFlow  *flow = arg;
	FlowDeal   *deal;
	uint32		number;
	int32		move_no;
	int32		version;

	if (!crm_row_has(row, RECREATED_AMOUNT))
		return;
	number = find_deal(flow, get_uuid(row, RECREATED_DEAL));
	if (number == NOT_A_DEAL)
		return;
	deal = &flow->deals[number];
	move_no = DatumGetInt32(row->tts_values[RECREATED_MOVE_NO]);
	version = DatumGetInt32(row->tts_values[RECREATED_VERSION]);
	if (!deal->was_recreated || version > deal->version)
	{
		deal->version = version;
		deal->amount = get_amount(flow, row, RECREATED_AMOUNT);
	}
	deal->past_no = deal->was_recreated ? Max(deal->past_no, move_no) : move_no;
	deal->was_recreated = true;
}

static void
receive_creation(TupleTableSlot *row, void *arg)
{
	StageFlow  *flow = arg;
	uint32		deal;

	if (!crm_row_has(row, 1))
		return;
	deal = find_deal(flow, get_uuid(row, 0));
	if (deal != NOT_A_DEAL && !flow->deals[deal].was_recreated)
		flow->deals[deal].amount = get_amount(flow, row, 1);
}

static void
add_creations(StageFlow *flow)
{
	for (uint32 i = 0; i < flow->deals_index->count; i++)
	{
		const FlowDeal *deal = &flow->deals[i];

		CHECK_FOR_INTERRUPTS();
		if (deal->stage != NOT_A_DEAL)
			add_event(flow, i, deal->stage, FLOW_ENTERED, 0, deal->entered_at, &deal->amount);
	}
}

/* ---- reading ---- */

/* The present visit of a deal, and its amount. */
static void
add_deal(StageFlow *flow, const VisitLogReader *reader, const VisitRecord *record, uint32 cohort,
		 uint32 currency)
{
	bool		found;
	uint32		number = crm_deal_number(flow->deals_index, record->deal,
										 crm_deal_hash(flow->deals_index, record->deal), &found);
	FlowDeal   *deal;

	if (number >= flow->room)
	{
		flow->room *= 2;
		flow->deals = repalloc_huge(flow->deals, flow->room * sizeof(FlowDeal));
	}
	deal = &flow->deals[number];
	deal->amount.amount = record->has_amount ? record->amount : 0;
	deal->amount.currency = currency;
	deal->amount.is_there = record->has_amount;
	deal->entered_at = record->has_entered_at ? record->entered_at : DT_NOBEGIN;
	deal->move_no = PG_INT32_MAX;
	deal->stage = record->stage == 0 ? NOT_A_DEAL :
		stage_number(flow, crm_visit_log_stage(reader, record->stage));
	deal->cohort = cohort;
	deal->was_recreated = false;
}

static void
read_cohorts(FunctionCallInfo fcinfo, StageFlow *flow)
{
	int			ncohorts;
	int			ncurrencies;
	Datum	   *cohorts;
	Datum	   *currencies;
	bool	   *nulls;

	if (PG_ARGISNULL(ARG_COHORTS) || PG_ARGISNULL(ARG_COHORT_CURRENCIES))
		return;
	cohorts = crm_get_cohorts(fcinfo, ARG_COHORTS, &ncohorts);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_COHORT_CURRENCIES), TEXTOID, -1, false,
					  TYPALIGN_INT, &currencies, &nulls, &ncurrencies);
	for (int i = 0; i < Min(ncohorts, ncurrencies); i++)
	{
		uint32		currency = nulls[i] ? flow->currency : currency_key(currencies[i]);
		VisitLogReader reader;
		VisitRecord record;

		crm_visit_log_read(&reader, cohorts[i], VISIT_LOG_DEALS);
		while (crm_visit_log_next(&reader, &record))
			add_deal(flow, &reader, &record, i, currency);
	}
}

/* The ids of the deals; 0 if there are many. */
static Datum
ids_of_few(const StageFlow *flow, Relation deals, const pg_uuid_t *pipeline_id)
{
	uint32		count = flow->deals_index->count;
	Datum	   *ids;

	if (count > (uint32) crm_few_deals(deals, pipeline_id))
		return (Datum) 0;
	ids = palloc((count + 1) * sizeof(Datum));
	for (uint32 i = 0; i < count; i++)
		ids[i] = PointerGetDatum(&flow->deals_index->ids[i]);
	return PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

static void
read_rows(StageFlow *flow, Relation deals, const char *text, const char *table,
		  const pg_uuid_t *pipeline_id, Datum ids, CrmRowReceiver receive)
{
	static const Oid types[] = {UUIDOID, UUIDARRAYOID};
	Datum		args[] = {UUIDPGetDatum(pipeline_id), ids};
	const char	nulls[] = {' ', ids == (Datum) 0 ? 'n' : ' ', '\0'};
	CrmStatement statement = {
		.text = psprintf(text, crm_sibling_name(deals, table),
						 crm_sibling_name(deals, "pipelines")),
		.nargs = lengthof(types),
		.argtypes = types,
		/* The best plan depends on the pipeline's share of all moves. */
		.cursor_options = CURSOR_OPT_CUSTOM_PLAN,
	};

	crm_receive_rows(&statement, args, nulls, true, receive, flow);
}

static void
read_history(FunctionCallInfo fcinfo, StageFlow *flow)
{
	const pg_uuid_t *pipeline_id = crm_api_uuid(fcinfo, ARG_PIPELINE, "pipeline_id");
	MemoryContext context = CurrentMemoryContext;
	Relation	deals = crm_api_begin(fcinfo, "deals", NULL);

	MemoryContextSwitchTo(context);
	crm_receive_recreated(deals, pipeline_id, true, receive_recreated, flow);
	read_rows(flow, deals, TAKEN_BACK, "stage_changes", pipeline_id, (Datum) 0, receive_taken_back);
	read_rows(flow, deals, MOVES, "stage_changes", pipeline_id, (Datum) 0, receive_move);
	read_rows(flow, deals, CREATIONS, "deal_changes", pipeline_id,
			  ids_of_few(flow, deals, pipeline_id), receive_creation);
	crm_api_end(deals);
	MemoryContextSwitchTo(context);
}

/* ---- the function ---- */

/* The stages whose positions are known have the first numbers. */
static void
read_stages(FunctionCallInfo fcinfo, StageFlow *flow)
{
	Datum	   *stages;
	bool	   *nulls;
	int			nstages;
	int			npositions;

	if (PG_ARGISNULL(ARG_STAGES) || PG_ARGISNULL(ARG_POSITIONS))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_STAGES), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
					  &stages, &nulls, &nstages);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_POSITIONS), INT4OID, sizeof(int32), true,
					  TYPALIGN_INT, (Datum **) &flow->positions, (bool **) &flow->positions_null,
					  &npositions);
	for (int i = 0; i < nstages; i++)
	{
		if (nulls[i] || stage_number(flow, crm_uuid_key(DatumGetPointer(stages[i]))) != i)
			crm_refuse_stages();
	}
	flow->npositions = Min(nstages, npositions);
}

static void
begin(FunctionCallInfo fcinfo, StageFlow *flow)
{
	if (PG_ARGISNULL(ARG_PERIOD) || PG_ARGISNULL(ARG_CURRENCY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("period and currency must not be null"),
				 errhint("Give a period such as month, and a currency such as EUR.")));
	flow->context = CurrentMemoryContext;
	flow->seed = crm_new_hash_seed();
	flow->deals_index = crm_deal_index_create(0);
	flow->stages_index = crm_deal_index_create(0);
	flow->room = 256;
	flow->deals = palloc(flow->room * sizeof(FlowDeal));
	flow->undone = flow_undone_create(CurrentMemoryContext, 16, &flow->seed);
	flow->chunks_room = 64;
	flow->chunks = palloc(flow->chunks_room * sizeof(FlowEvent *));
	flow->period = crm_get_period(PG_GETARG_TEXT_PP(ARG_PERIOD));
	flow->from = PG_ARGISNULL(ARG_FROM) ? DATEVAL_NOBEGIN : PG_GETARG_DATEADT(ARG_FROM);
	flow->before = PG_ARGISNULL(ARG_BEFORE) ? DATEVAL_NOEND : PG_GETARG_DATEADT(ARG_BEFORE);
	flow->currency = currency_key(PG_GETARG_DATUM(ARG_CURRENCY));
	if (!PG_ARGISNULL(ARG_IN_CURRENCY))
		flow->in_currency = currency_key(PG_GETARG_DATUM(ARG_IN_CURRENCY));
}

/*
 * crm_pipeline_stage_flow(crm regnamespace, pipeline_id uuid, cohorts bytea[],
 *		cohort_currencies text[], stages uuid[], positions int[], period text,
 *		period_from date, period_before date, currency text, in_currency text)
 *	-> setof (cohort_no int, stage_id uuid, flow text, period_start date, currency text,
 *		rate_day date, deals bigint, amounts bigint, value numeric)
 *		How many deals of cohorts of crm_deal_cohort() entered and left stages of a
 *		pipeline, in each period, by days of the session's time zone.  A cohort has
 *		present visits in the pipeline (NULL: elsewhere), amounts and one currency;
 *		currency is that of amounts without one.
 */
PG_FUNCTION_INFO_V1(crm_pipeline_stage_flow);
Datum
crm_pipeline_stage_flow(PG_FUNCTION_ARGS)
{
	StageFlow	flow = {0};
	MemoryContext context;
	MemoryContext caller;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "crm stage flow", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	begin(fcinfo, &flow);
	read_stages(fcinfo, &flow);
	read_cohorts(fcinfo, &flow);
	if (flow.deals_index->count > 0)
	{
		read_history(fcinfo, &flow);
		add_creations(&flow);
		crm_put_flow_sums(&flow, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}
