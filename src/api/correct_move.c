/*
 * api/correct_move.c
 *		Corrects when a move of a deal happened: called by correct_move of a CRM.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/query.h"
#include "base/time.h"
#include "base/uuid.h"
#include "deal/deal.h"
#include "history/timeline.h"
#include "table/caller_query.h"

/* Locks the deal, and reads it, its version and when it was created. */
static void
lock_deal(Relation deals, TimelineDeal *deal, int32 *version, TimestampTz *created_at)
{
	bool		isnull;
	Datum		status;

	crm_api_require(psprintf("SELECT d.tenant_id, d.move_no, d.status, d.stage_entered_at, "
							 "COALESCE(d.won_at, d.lost_at), d.version, d.created_at FROM %s d "
							 "WHERE d.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
							 crm_relation_name(RelationGetRelid(deals))),
					"deal", &deal->id);
	deal->tenant_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	deal->move_no = DatumGetInt32(crm_api_value(2, INT4OID, NULL));
	status = crm_api_value(3, TEXTOID, NULL);
	if (!crm_parse_deal_status(status, &deal->status))
		deal->status = DEAL_OPEN;
	deal->entered_at = DatumGetTimestampTz(crm_api_value(4, TIMESTAMPTZOID, NULL));
	deal->closed_at = DatumGetTimestampTz(crm_api_value(5, TIMESTAMPTZOID, &isnull));
	if (isnull)
		deal->closed_at = DT_NOBEGIN;
	*version = DatumGetInt32(crm_api_value(6, INT4OID, NULL));
	*created_at = DatumGetTimestampTz(crm_api_value(7, TIMESTAMPTZOID, NULL));
}

static void
check_past(const TimelineDeal *deal, TimestampTz at, TimestampTz clock)
{
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("changed_at must be finite"),
				 errhint("Give the moment when the deal really moved.")));
	if (at > clock)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s cannot have moved at %s, which is in the future",
						crm_uuid_text(&deal->id), crm_time_text(at)),
				 errdetail("The clock says %s.", crm_time_text(clock)),
				 errhint("Give a moment of the past.")));
}

/* Sets the deal's times to those of its history, by an UPDATE with the caller's rights. */
static void
update_deal(Relation deals, const TimelineDeal *deal, bool beginning, TimestampTz at)
{
	static const Oid types[] = {UUIDOID, TIMESTAMPTZOID};
	Datum		args[] = {UUIDPGetDatum(&deal->id), TimestampTzGetDatum(at)};
	char	   *table = crm_relation_name(RelationGetRelid(deals));

	if (crm_api_run_typed(psprintf("UPDATE %s d SET move_no = %d%s WHERE d.id OPERATOR(pg_catalog.=) $1",
								   table, CRM_FOLLOW_HISTORY,
								   beginning ? ", created_at = $2" : ""),
						  beginning ? 2 : 1, types, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", table),
						  "deal", &deal->id);
}

static void
correct_move(Relation deals, TimelineDeal *deal, const int32 *move_no, TimestampTz at,
			 const char *reason)
{
	TimestampTz clock = GetCurrentTimestamp();
	TimestampTz created_at;
	Timeline   *timeline;
	int32		version;
	int			move;

	lock_deal(deals, deal, &version, &created_at);
	timeline = crm_timeline_read(deals, deal);
	move = move_no != NULL ? crm_timeline_find(timeline, *move_no) : crm_timeline_last(timeline);
	at = crm_moment(at, crm_timeline_earliest(timeline, move), clock);
	check_past(deal, at, clock);
	if (at == crm_timeline_time(timeline, move) &&
		(move != TIMELINE_BEGINNING || at == created_at))
		return;
	crm_timeline_correct(timeline, move, at);
	crm_timeline_write(timeline, version == PG_INT32_MAX ? version : version + 1, clock, reason);
	update_deal(deals, deal, move == TIMELINE_BEGINNING, at);
}

/*
 * crm_correct_move(crm regnamespace, deal_id uuid, changed_at timestamptz,
 *					move_no integer, reason text) -> uuid
 *		Returns deal_id.  Errors: PT404 for a deal that the caller does not see
 *		or a move that the deal has not made, PT409 for a move that cannot be
 *		corrected, 23514 for a time that is not possible.
 */
PG_FUNCTION_INFO_V1(crm_correct_move);
Datum
crm_correct_move(PG_FUNCTION_ARGS)
{
	TimelineDeal deal = {.id = *crm_api_uuid(fcinfo, 1, "deal_id")};
	int32		move_no = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	char	   *reason = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	Relation	deals;

	crm_api_require_argument(fcinfo, 2, "changed_at");
	deals = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	correct_move(deals, &deal, PG_ARGISNULL(3) ? NULL : &move_no, PG_GETARG_TIMESTAMPTZ(2), reason);
	crm_api_end(deals);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
