/*
 * api/set_default_pipeline.c
 *		Makes a pipeline the default of its tenant: called by
 *		set_default_pipeline of a CRM.
 *
 * Under a lock, is_default is set to false in the old default, then to true in
 * the new one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "table/key_lock.h"
#include "table/kinds.h"

/* Locks all pipelines of the tenant, always in the same order. */
static void
lock_pipelines(const char *pipelines, Relation rel, const pg_uuid_t *tenant_id)
{
	Datum		args[] = {UUIDPGetDatum(tenant_id)};

	(void) crm_api_run(psprintf("SELECT FROM %s p WHERE p.tenant_id OPERATOR(pg_catalog.=) $1 "
								"ORDER BY p.id FOR NO KEY UPDATE", pipelines), 1, args);

	/*
	 * also taken by the trigger that allows one default only: covers
	 * pipelines that are being inserted, too
	 */
	crm_lock_key_alone(RelationGetRelid(rel), tenant_id);
}

static void
check_not_archived(const pg_uuid_t *pipeline_id)
{
	if (crm_api_text(1) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("pipeline %s is archived and cannot be the default", crm_uuid_text(pipeline_id)),
				 errdetail("It was archived at %s and takes no new deals.", crm_api_text(1)),
				 errhint("Name another pipeline, or set its archived_at to null first.")));
}

/*
 * crm_set_default_pipeline(crm regnamespace, pipeline_id uuid) -> uuid
 *		Returns pipeline_id.  Errors: PT404 for a pipeline that the caller does
 *		not see, 23514 for an archived one.
 */
PG_FUNCTION_INFO_V1(crm_set_default_pipeline);
Datum
crm_set_default_pipeline(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *pipeline_id = crm_api_uuid(fcinfo, 1, "pipeline_id");
	Relation	rel = crm_api_begin_write(fcinfo, "pipelines", &crm_pipeline_kind);
	char	   *pipelines = crm_relation_name(RelationGetRelid(rel));
	Datum		args[2] = {UUIDPGetDatum(pipeline_id)};
	char	   *find;
	pg_uuid_t	tenant_id;

	find = psprintf("SELECT p.archived_at, p.tenant_id FROM %s p WHERE p.id OPERATOR(pg_catalog.=) $1", pipelines);
	crm_api_require(find, "pipeline", pipeline_id);
	tenant_id = *DatumGetUUIDP(crm_api_value(2, UUIDOID, NULL));
	lock_pipelines(pipelines, rel, &tenant_id);
	crm_api_require(find, "pipeline", pipeline_id);
	check_not_archived(pipeline_id);

	args[1] = UUIDPGetDatum(&tenant_id);
	(void) crm_api_run(psprintf("UPDATE %s p SET is_default = false "
								"WHERE p.tenant_id OPERATOR(pg_catalog.=) $2 AND p.is_default "
								"AND p.id OPERATOR(pg_catalog.<>) $1", pipelines), 2, args);
	(void) crm_api_run(psprintf("UPDATE %s p SET is_default = true "
								"WHERE p.id OPERATOR(pg_catalog.=) $1 AND NOT p.is_default", pipelines), 1, args);
	if (crm_api_run(psprintf("SELECT FROM %s p WHERE p.id OPERATOR(pg_catalog.=) $1 AND p.is_default",
							 pipelines), 1, args) == 0)
		crm_api_unchanged(find, "pipeline", pipeline_id);
	crm_api_end(rel);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
