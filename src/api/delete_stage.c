/*
 * api/delete_stage.c
 *		Moves the deals of a stage to another one and deletes it: called by
 *		delete_stage of a CRM.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "table/key_lock.h"
#include "table/kinds.h"

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
				 errdetail("The deals of the stage that is to be deleted were to move there.")));
}

/*
 * crm_delete_stage(crm regnamespace, stage_id uuid, move_deals_to uuid) -> integer
 *		Returns how many deals moved.  Errors: PT404 for a stage that the caller
 *		does not see, 23503 if deals stand in it and move_deals_to is not given.
 */
PG_FUNCTION_INFO_V1(crm_delete_stage);
Datum
crm_delete_stage(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *stage_id = crm_api_uuid(fcinfo, 1, "stage_id");
	const pg_uuid_t *move_deals_to = PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2);
	Datum		args[] = {UUIDPGetDatum(stage_id), UUIDPGetDatum(move_deals_to)};
	Relation	rel = crm_api_begin(fcinfo, "stages", &crm_stage_kind);
	char	   *stages = crm_sibling_name(rel, RelationGetRelationName(rel));
	char	   *find_stage = psprintf("SELECT s.tenant_id FROM %s s WHERE s.id OPERATOR(pg_catalog.=) $1", stages);
	pg_uuid_t	tenant_id;
	uint64		moved = 0;

	crm_api_require(find_stage, "stage", stage_id);
	tenant_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	if (move_deals_to != NULL)
	{
		check_destination(find_stage, stage_id, move_deals_to);
		moved = move_deals(rel, args);

		/*
		 * Under this lock no deal enters; those that entered before it move
		 * now.
		 */
		crm_lock_key(RelationGetRelid(rel), &tenant_id, stage_id, AccessExclusiveLock);
		moved += move_deals(rel, args);
	}
	if (crm_api_run(psprintf("DELETE FROM %s s WHERE s.id OPERATOR(pg_catalog.=) $1", stages), 1, args) == 0)
		crm_api_unchanged(find_stage, "stage", stage_id);
	crm_api_end(rel);
	PG_RETURN_INT32((int32) moved);
}
