/*
 * api/move_deal.c
 *		Moves a deal: called by move_deal of a CRM.
 *
 * The move itself is an ordinary UPDATE, to which the rules of deals apply.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/time.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "table/kinds.h"

typedef struct Move
{
	Relation	deals;
	const pg_uuid_t *deal_id;
	const pg_uuid_t *stage_id;
	const pg_uuid_t *expected;	/* NULL: anywhere */
	bool		dated;
	TimestampTz effective;		/* if dated */
	char	   *lost_reason;	/* NULL: not given */

	/* the deal, once it is locked */
	pg_uuid_t	stands_in;
	TimestampTz entered;
	bool		is_lost;
	char	   *old_reason;
} Move;

/* Whether that column of the last query's row is the status lost. */
static bool
is_lost(int column)
{
	char	   *status = crm_api_text(column);

	return status != NULL && strcmp(status, "lost") == 0;
}

static void
lock_deal(Move *move)
{
	crm_api_require(psprintf("SELECT d.stage_id, d.stage_entered_at, d.status, d.lost_reason FROM %s d "
							 "WHERE d.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
							 crm_relation_name(RelationGetRelid(move->deals))),
					"deal", move->deal_id);
	move->stands_in = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	move->entered = DatumGetTimestampTz(crm_api_value(2, TIMESTAMPTZOID, NULL));
	move->is_lost = is_lost(3);
	move->old_reason = crm_api_text(4);

	/*
	 * JavaScript has no microseconds: a time that it read from the deal comes
	 * back rounded to milliseconds.
	 */
	if (move->dated && move->effective % 1000 == 0 &&
		move->effective < move->entered + 1000 && move->effective > move->entered - 1000)
		move->effective = move->entered;
}

/* The stage's name if the caller may know it, and its id. */
static char *
stage_label(const Move *move, const pg_uuid_t *stage_id)
{
	Oid			stages = get_relname_relid("stages", RelationGetNamespace(move->deals));
	Datum		args[] = {UUIDPGetDatum(stage_id)};

	if (pg_class_aclcheck(stages, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		crm_api_run(psprintf("SELECT s.name FROM %s s WHERE s.id OPERATOR(pg_catalog.=) $1",
							 crm_sibling_name(move->deals, "stages")), 1, args) > 0)
		return psprintf("stage \"%s\" (%s)", crm_api_text(1), crm_uuid_text(stage_id));
	return psprintf("stage %s", crm_uuid_text(stage_id));
}

static void
check_expected(const Move *move)
{
	if (move->expected == NULL || crm_uuid_equal(move->expected, &move->stands_in))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("deal %s is not in the expected stage", crm_uuid_text(move->deal_id)),
			 errdetail("It stands in %s, since %s, not in %s.", stage_label(move, &move->stands_in),
					   crm_time_text(move->entered), stage_label(move, move->expected)),
			 errhint("Read the deal again before you move it.")));
}

/*
 * Updates the deal.  The UPDATE names only the columns that are given, as the caller
 * may have no right to write the others.
 */
static void
update_deal(Move *move, bool enters)
{
	static const Oid types[] = {UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID};
	Datum		args[] = {UUIDPGetDatum(move->deal_id), UUIDPGetDatum(move->stage_id),
		TimestampTzGetDatum(move->effective),
	CStringGetTextDatum(move->lost_reason != NULL ? move->lost_reason : "")};
	StringInfoData set;

	initStringInfo(&set);
	if (enters)
		appendStringInfoString(&set, ", stage_id = $2");
	if (enters && move->dated)
		appendStringInfoString(&set, ", stage_entered_at = $3");
	if (move->lost_reason != NULL)
		appendStringInfoString(&set, ", lost_reason = $4");
	if (crm_api_run_typed(psprintf("UPDATE %s d SET %s WHERE d.id OPERATOR(pg_catalog.=) $1 RETURNING d.status",
								   crm_relation_name(RelationGetRelid(move->deals)),
								   set.data + 2),
						  lengthof(types), types, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1",
								   crm_relation_name(RelationGetRelid(move->deals))),
						  "deal", move->deal_id);
	move->is_lost = is_lost(1);
}

/* The deal is in that stage already: a repeated request changes nothing. */
static void
stay(Move *move)
{
	if (move->dated && move->effective != move->entered)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s stands in that stage already, since %s",
						crm_uuid_text(move->deal_id), crm_time_text(move->entered)),
				 errdetail("It was to enter it as of %s.", crm_time_text(move->effective)),
				 errhint("Take the last move back with undo_move, then move the deal as of the right time.")));
	if (move->lost_reason != NULL && move->is_lost &&
		(move->old_reason == NULL || strcmp(move->lost_reason, move->old_reason) != 0))
		update_deal(move, false);
}

static void
move_deal(Move *move)
{
	lock_deal(move);
	check_expected(move);
	if (crm_uuid_equal(&move->stands_in, move->stage_id))
		stay(move);
	else
		update_deal(move, true);
	if (move->lost_reason != NULL && !move->is_lost)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lost_reason is given, but deals are not lost in %s",
						stage_label(move, move->stage_id)),
				 errhint("Leave lost_reason out, or name a stage for lost deals.")));
}

/*
 * crm_move_deal(crm regnamespace, deal_id uuid, stage_id uuid, effective_at
 *				 timestamptz, lost_reason text, expected_stage_id uuid) -> uuid
 *		Returns deal_id.  Errors: PT404 for a deal that the caller does not see,
 *		PT409 if it is in another stage than expected.
 */
PG_FUNCTION_INFO_V1(crm_move_deal);
Datum
crm_move_deal(PG_FUNCTION_ARGS)
{
	Move		move = {0};

	move.deal_id = crm_api_uuid(fcinfo, 1, "deal_id");
	move.stage_id = crm_api_uuid(fcinfo, 2, "stage_id");
	move.dated = !PG_ARGISNULL(3);
	if (move.dated)
		move.effective = PG_GETARG_TIMESTAMPTZ(3);
	if (move.dated && TIMESTAMP_NOT_FINITE(move.effective))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("effective_at must be finite"),
				 errhint("Give the moment when the deal moved, or leave it out for now.")));
	move.lost_reason = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	move.expected = PG_ARGISNULL(5) ? NULL : PG_GETARG_UUID_P(5);

	move.deals = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	move_deal(&move);
	crm_api_end(move.deals);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
