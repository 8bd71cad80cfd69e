/*
 * api/delete_stage.c
 *		Moves the deals of a stage to another one, then deletes or archives it:
 *		called by delete_stage of a CRM.
 *
 * A tenant deletes one stage at a time: two transactions, each of which moves deals
 * into the stage that the other one deletes, would deadlock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/row_messages.h"
#include "base/uuid.h"
#include "stage/stage_use.h"
#include "table/caller_query.h"
#include "table/key_lock.h"
#include "table/kinds.h"
#include "table/owner_rights.h"

static uint64
move_deals(Relation rel, const Datum *args)
{
	return crm_api_run(psprintf("UPDATE %s d SET stage_id = $2 WHERE d.stage_id OPERATOR(pg_catalog.=) $1",
								crm_sibling_name(rel, "deals")), 2, args);
}

static void
check_destination(const char *find_stage, const pg_uuid_t *stage_id, const pg_uuid_t *move_deals_to)
{
	Datum		args[] = {UUIDPGetDatum(move_deals_to)};

	if (crm_uuid_equal(stage_id, move_deals_to))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("deals cannot move to the stage that is to be deleted"),
				 errhint("Name another stage in move_deals_to.")));
	if (crm_api_run(find_stage, 1, args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("stage %s does not exist", crm_uuid_text(move_deals_to)),
				 errdetail("The deals of the stage that is to be deleted were to move there."),
				 crm_errhint_missing("stage")));
}

/* Whether a deal stands in the stage, in the transaction's snapshot, whoever may see it. */
static bool
has_deals(Relation stages, const pg_uuid_t *stage_id, Snapshot snapshot)
{
	static const Oid types[] = {UUIDOID};
	CrmStatement statement = {.nargs = lengthof(types),.argtypes = types};
	Datum		args[] = {UUIDPGetDatum(stage_id)};
	SavedUser	saved;

	statement.text = psprintf("SELECT FROM %s WHERE stage_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
							  crm_trusted_sibling(stages, "deals"));
	crm_become_owner(stages, &saved);
	(void) crm_run_snapshot(&statement, args, snapshot);
	crm_restore_user(&saved);
	return SPI_processed > 0;
}

/*
 * The UPDATE does not see deals that entered the stage after the transaction's
 * snapshot, but the foreign key does at the DELETE.  A retry would move them.
 */
static void
check_snapshot(Relation stages, const pg_uuid_t *stage_id)
{
	if (IsolationUsesXactSnapshot() &&
		!has_deals(stages, stage_id, GetTransactionSnapshot()) &&
		has_deals(stages, stage_id, GetLatestSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errdetail("A deal has entered the stage that is to be deleted."),
				 errhint("The transaction might succeed if retried.")));
}

/* Moves the deals and locks the stage, so that no other deal can enter. */
static uint64
empty_stage(Relation stages, const pg_uuid_t *tenant_id, const Datum *args)
{
	const pg_uuid_t *stage_id = DatumGetUUIDP(args[0]);
	uint64		moved = move_deals(stages, args);

	/*
	 * Taken before the UPDATE, this lock would deadlock with transactions
	 * that move deals: they lock the deal first, then the stage.
	 */
	crm_lock_key_exclusive(RelationGetRelid(stages), tenant_id, stage_id);
	moved += move_deals(stages, args);
	check_snapshot(stages, stage_id);
	return moved;
}

static Datum
describe_outcome(uint64 moved, bool archived)
{
	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(psprintf("{\"moved\": " UINT64_FORMAT ", \"deleted\": %s, \"archived\": %s}",
														moved, archived ? "false" : "true",
														archived ? "true" : "false")));
}

/* Deletes the stage, or archives it.  The time is a parameter, as Citus takes no now() there. */
static uint64
remove_stage(const char *stages, const pg_uuid_t *stage_id, bool archive)
{
	static const Oid types[] = {UUIDOID, TIMESTAMPTZOID};
	Datum		args[] = {
		UUIDPGetDatum(stage_id), TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())
	};

	if (!archive)
		return crm_api_run(psprintf("DELETE FROM %s s WHERE s.id OPERATOR(pg_catalog.=) $1", stages), 1, args);
	return crm_api_run_typed(psprintf("UPDATE %s s SET archived_at = COALESCE(s.archived_at, $2) "
									  "WHERE s.id OPERATOR(pg_catalog.=) $1", stages),
							 lengthof(types), types, args);
}

/*
 * crm_delete_stage(crm regnamespace, stage_id uuid, move_deals_to uuid) -> jsonb
 *		Returns how many deals moved, and whether the stage was deleted, or
 *		archived as history speaks of it.  Errors: PT404 for a stage that the caller
 *		does not see, 23503 if deals stand in it and move_deals_to is not given.
 */
PG_FUNCTION_INFO_V1(crm_delete_stage);
Datum
crm_delete_stage(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *stage_id = crm_api_uuid(fcinfo, 1, "stage_id");
	const pg_uuid_t *move_deals_to = PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2);
	Datum		args[] = {UUIDPGetDatum(stage_id), UUIDPGetDatum(move_deals_to)};
	Relation	rel = crm_api_begin_write(fcinfo, "stages", &crm_stage_kind);
	char	   *stages = crm_relation_name(RelationGetRelid(rel));
	char	   *find_stage = psprintf("SELECT s.tenant_id, s.name FROM %s s WHERE s.id OPERATOR(pg_catalog.=) $1", stages);
	char	   *name;
	pg_uuid_t	tenant_id;
	uint64		moved = 0;
	bool		archive;

	crm_api_require(find_stage, "stage", stage_id);
	tenant_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	crm_lock_key_alone(RelationGetRelid(rel), &tenant_id);
	crm_api_require(find_stage, "stage", stage_id);
	name = crm_api_text(2);
	if (move_deals_to != NULL)
	{
		check_destination(find_stage, stage_id, move_deals_to);
		moved = empty_stage(rel, &tenant_id, args);
	}
	else
		crm_lock_key_exclusive(RelationGetRelid(rel), &tenant_id, stage_id);
	crm_check_stage_empty(rel, stage_id, name);
	archive = crm_stage_in_history(rel, stage_id, &tenant_id);
	if (remove_stage(stages, stage_id, archive) == 0)
		crm_api_unchanged(find_stage, "stage", stage_id);
	crm_api_end(rel);
	PG_RETURN_DATUM(describe_outcome(moved, archive));
}
