/*
 * analytics/visit_log_aggregates.c
 *		crm_stage_history() and crm_deal_cohort(): transition, combine and
 *		final functions.
 *
 * They only store their arguments; crm_stage_times() and crm_stage_steps() count.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "analytics/visit_log.h"
#include "base/argument_errors.h"
#include "base/money.h"
#include "stage/deal_status.h"

/* The arguments of crm_stage_history_add(); 0 is the state. */
#define MOVE_DEAL		1
#define MOVE_NO			2
#define MOVE_REVERTS_NO 3
#define MOVE_STAGE		4
#define MOVE_NEXT		5
#define MOVE_ENTERED_AT	6
#define MOVE_EXITED_AT	7

/* The arguments of crm_deal_cohort_add(). */
#define DEAL_ID			1
#define DEAL_STATUS		2
#define DEAL_STAGE		3
#define DEAL_ENTERED_AT	4
#define DEAL_AMOUNT		5		/* may be missing */

static inline UuidKey
uuid_arg(FunctionCallInfo fcinfo, int arg)
{
	return crm_uuid_key(PG_GETARG_POINTER(arg));
}

/* When a visit began, if that is a time at all. */
static inline void
get_entered_at(FunctionCallInfo fcinfo, int arg, VisitRecord *record)
{
	record->has_entered_at = !PG_ARGISNULL(arg) &&
		!TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(arg));
	if (record->has_entered_at)
		record->entered_at = PG_GETARG_TIMESTAMPTZ(arg);
}

/* How long a visit took that ended then, if both times are known and finite. */
static inline void
get_duration(FunctionCallInfo fcinfo, int arg, VisitRecord *record)
{
	record->has_duration = record->has_entered_at && !PG_ARGISNULL(arg) &&
		!TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(arg)) &&
		!pg_sub_s64_overflow(PG_GETARG_TIMESTAMPTZ(arg), record->entered_at, &record->duration);
}

/*
 * crm_stage_history_add(bytea, deal_id uuid, move_no integer, reverts_no integer,
 *		stage_id uuid, next_stage_id uuid, entered_at timestamptz, exited_at timestamptz)
 *		Transition of crm_stage_history().  A row without a deal or a number
 *		is not a move; one without a stage is kept only if it takes a move back.
 */
PG_FUNCTION_INFO_V1(crm_stage_history_add);
Datum
crm_stage_history_add(PG_FUNCTION_ARGS)
{
	VisitLog   *log = crm_visit_log_state(fcinfo, VISIT_LOG_MOVES);
	VisitRecord record;
	UuidKey		stage;
	UuidKey		next;

	record.is_revert = !PG_ARGISNULL(MOVE_REVERTS_NO);
	if (PG_ARGISNULL(MOVE_DEAL) || PG_ARGISNULL(MOVE_NO) ||
		(PG_ARGISNULL(MOVE_STAGE) && !record.is_revert))
		PG_RETURN_POINTER(log);
	record.deal = uuid_arg(fcinfo, MOVE_DEAL);
	if (record.is_revert)
	{
		record.reverts_no = PG_GETARG_INT32(MOVE_REVERTS_NO);
		crm_visit_log_add(&log, &record, NULL, NULL);
		PG_RETURN_POINTER(log);
	}
	record.move_no = PG_GETARG_INT32(MOVE_NO);
	stage = uuid_arg(fcinfo, MOVE_STAGE);
	if (!PG_ARGISNULL(MOVE_NEXT))
		next = uuid_arg(fcinfo, MOVE_NEXT);
	get_entered_at(fcinfo, MOVE_ENTERED_AT, &record);
	get_duration(fcinfo, MOVE_EXITED_AT, &record);
	crm_visit_log_add(&log, &record, &stage, PG_ARGISNULL(MOVE_NEXT) ? NULL : &next);
	PG_RETURN_POINTER(log);
}

static inline void
get_amount(FunctionCallInfo fcinfo, VisitRecord *record)
{
	record->has_amount = PG_NARGS() > DEAL_AMOUNT && !PG_ARGISNULL(DEAL_AMOUNT);
	if (record->has_amount)
		record->amount = crm_amount_to_fixed(PG_GETARG_DATUM(DEAL_AMOUNT));
}

/*
 * crm_deal_cohort_add(bytea, deal_id uuid, status text, stage_id uuid, entered_at timestamptz
 *		[, amount numeric])
 *		Transition of crm_deal_cohort().  A row without a deal is none.
 */
PG_FUNCTION_INFO_V1(crm_deal_cohort_add);
Datum
crm_deal_cohort_add(PG_FUNCTION_ARGS)
{
	VisitLog   *log = crm_visit_log_state(fcinfo, VISIT_LOG_DEALS);
	VisitRecord record;
	DealStatus	status;
	UuidKey		stage;

	if (PG_ARGISNULL(DEAL_ID))
		PG_RETURN_POINTER(log);
	if (PG_ARGISNULL(DEAL_STATUS) || !crm_parse_deal_status(PG_GETARG_DATUM(DEAL_STATUS), &status))
		crm_refuse_value("a status", PG_ARGISNULL(DEAL_STATUS) ? NULL :
						 text_to_cstring(PG_GETARG_TEXT_PP(DEAL_STATUS)),
						 _("It is open, won or lost."));
	record.deal = uuid_arg(fcinfo, DEAL_ID);
	record.status = status;
	get_entered_at(fcinfo, DEAL_ENTERED_AT, &record);
	get_amount(fcinfo, &record);
	if (!PG_ARGISNULL(DEAL_STAGE))
		stage = uuid_arg(fcinfo, DEAL_STAGE);
	crm_visit_log_add(&log, &record, PG_ARGISNULL(DEAL_STAGE) ? NULL : &stage, NULL);
	PG_RETURN_POINTER(log);
}

/* The state with the records of another one, whose stages have other numbers. */
static Datum
combine(FunctionCallInfo fcinfo, VisitLogKind kind)
{
	VisitLog   *log = crm_visit_log_state(fcinfo, kind);
	VisitLogReader reader;
	VisitRecord record;

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(log);
	crm_visit_log_read(&reader, PG_GETARG_DATUM(1), kind);
	while (crm_visit_log_next(&reader, &record))
	{
		UuidKey		stage;
		UuidKey		next;
		bool		is_revert = kind == VISIT_LOG_MOVES && record.is_revert;
		bool		has_stage = !is_revert && record.stage != 0;
		bool		has_next = kind == VISIT_LOG_MOVES && !is_revert && record.next != 0;

		if (has_stage)
			stage = crm_visit_log_stage(&reader, record.stage);
		if (has_next)
			next = crm_visit_log_stage(&reader, record.next);
		crm_visit_log_add(&log, &record, has_stage ? &stage : NULL, has_next ? &next : NULL);
	}
	PG_RETURN_POINTER(log);
}

/* crm_stage_history_combine(bytea, bytea) -> bytea */
PG_FUNCTION_INFO_V1(crm_stage_history_combine);
Datum
crm_stage_history_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, VISIT_LOG_MOVES);
}

/* crm_deal_cohort_combine(bytea, bytea) -> bytea */
PG_FUNCTION_INFO_V1(crm_deal_cohort_combine);
Datum
crm_deal_cohort_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, VISIT_LOG_DEALS);
}

/* The state without its hash table and spare room; an empty log for NULL. */
static Datum
final(FunctionCallInfo fcinfo, VisitLogKind kind)
{
	VisitLogReader reader = {.kind = kind};
	Size		stages;
	Size		records;
	VisitLog   *log;

	if (!PG_ARGISNULL(0))
		crm_visit_log_read(&reader, PG_GETARG_DATUM(0), kind);
	stages = reader.nstages * sizeof(UuidKey);
	records = reader.end - reader.place;
	log = palloc(sizeof(VisitLog) + stages + records);
	memset(log, 0, sizeof(VisitLog));
	SET_VARSIZE(log, sizeof(VisitLog) + stages + records);
	log->kind = kind;
	log->nrecords = reader.nrecords;
	log->used = records;
	log->nstages = reader.nstages;
	if (stages > 0)
		memcpy(log + 1, reader.stages, stages);
	if (records > 0)
		memcpy((char *) (log + 1) + stages, reader.place, records);
	PG_RETURN_POINTER(log);
}

/* crm_stage_history_final(bytea) -> bytea */
PG_FUNCTION_INFO_V1(crm_stage_history_final);
Datum
crm_stage_history_final(PG_FUNCTION_ARGS)
{
	return final(fcinfo, VISIT_LOG_MOVES);
}

/* crm_deal_cohort_final(bytea) -> bytea */
PG_FUNCTION_INFO_V1(crm_deal_cohort_final);
Datum
crm_deal_cohort_final(PG_FUNCTION_ARGS)
{
	return final(fcinfo, VISIT_LOG_DEALS);
}
