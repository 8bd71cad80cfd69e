/*
 * api/reorder_stages.c
 *		Puts the stages of a pipeline in order: called by reorder_stages of a
 *		CRM.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/query.h"
#include "table/caller_query.h"
#include "table/kinds.h"
#include "table/owner_rights.h"

static const Oid order_types[] = {UUIDOID, UUIDARRAYOID};

/*
 * Locks the pipeline, against a stage that is added at the end, then its stages,
 * against one that is deleted.  The pipeline is locked with the owner's rights, as
 * the caller needs no right to write pipelines.
 */
static void
lock_order(Relation rel, const char *stages, const Datum *args)
{
	char	   *pipelines = crm_trusted_sibling(rel, "pipelines");
	SavedUser	saved;

	crm_become_owner(rel, &saved);
	(void) crm_api_run(psprintf("SELECT FROM %s p WHERE p.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
								pipelines), 1, args);
	crm_restore_user(&saved);
	(void) crm_api_run(psprintf("SELECT FROM %s s WHERE s.pipeline_id OPERATOR(pg_catalog.=) $1 "
								"ORDER BY s.id FOR NO KEY UPDATE", stages), 1, args);
}

/*
 * ERROR 22023 unless the ids are those of the pipeline's stages, each once; archived
 * ones may be left out.
 */
static void
check_order(const char *stages, const Datum *args)
{
	static const char *const faults[] = {
		"Missing: %s. ", "Not of this pipeline: %s. ", "Repeated: %s. "
	};
	StringInfoData detail;

	(void) crm_api_run_typed(psprintf("SELECT (SELECT pg_catalog.string_agg(pg_catalog.format('%%s (%%s)', s.id, s.name), ', ' "
									  "ORDER BY s.position) FROM %1$s s WHERE s.pipeline_id OPERATOR(pg_catalog.=) $1 "
									  "AND s.archived_at IS NULL AND NOT (s.id OPERATOR(pg_catalog.=) ANY ($2))), "
									  "(SELECT pg_catalog.string_agg(pg_catalog.format('%%s', u.id), ', ' ORDER BY u.id) "
									  "FROM (SELECT DISTINCT g.id FROM pg_catalog.unnest($2) AS g (id)) u "
									  "WHERE NOT EXISTS (SELECT FROM %1$s s WHERE s.id OPERATOR(pg_catalog.=) u.id "
									  "AND s.pipeline_id OPERATOR(pg_catalog.=) $1)), "
									  "(SELECT pg_catalog.string_agg(pg_catalog.format('%%s', r.id), ', ' ORDER BY r.id) "
									  "FROM (SELECT g.id FROM pg_catalog.unnest($2) AS g (id) "
									  "GROUP BY g.id HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1) r)",
									  stages),
							 2, order_types, args);
	initStringInfo(&detail);
	for (int i = 0; i < lengthof(faults); i++)
	{
		char	   *ids = crm_api_text(i + 1);

		if (ids != NULL)
			appendStringInfo(&detail, faults[i], ids);
	}
	if (detail.len == 0)
		return;
	detail.data[--detail.len] = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("stage_ids must name all stages of the pipeline that are not archived, each once"),
			 errdetail_internal("%s", detail.data),
			 errhint("Give the ids of these stages in their new order; archived ones may be left out.")));
}

/*
 * Gives the stages the positions 1, 2, ..., except those that have the right one
 * already.  They get unused positions first, as the unique index checks each row
 * when it is updated.
 */
static void
write_order(const char *stages, const Datum *args)
{
	(void) crm_api_run_typed(psprintf("UPDATE %1$s s SET position = b.low OPERATOR(pg_catalog.-) o.n "
									  "FROM pg_catalog.unnest($2) WITH ORDINALITY AS o (id, n), "
									  "(SELECT LEAST(pg_catalog.min(t.position), 0) AS low FROM %1$s t "
									  "WHERE t.pipeline_id OPERATOR(pg_catalog.=) $1) b "
									  "WHERE s.id OPERATOR(pg_catalog.=) o.id AND s.pipeline_id OPERATOR(pg_catalog.=) $1 "
									  "AND s.position OPERATOR(pg_catalog.<>) o.n", stages),
							 2, order_types, args);
	(void) crm_api_run_typed(psprintf("UPDATE %s s SET position = o.n "
									  "FROM pg_catalog.unnest($2) WITH ORDINALITY AS o (id, n) "
									  "WHERE s.id OPERATOR(pg_catalog.=) o.id AND s.pipeline_id OPERATOR(pg_catalog.=) $1 "
									  "AND s.position OPERATOR(pg_catalog.<>) o.n", stages),
							 2, order_types, args);
	if (crm_api_run_typed(psprintf("SELECT s.id FROM %s s "
								   "JOIN pg_catalog.unnest($2) WITH ORDINALITY AS o (id, n) "
								   "ON s.id OPERATOR(pg_catalog.=) o.id "
								   "WHERE s.position OPERATOR(pg_catalog.<>) o.n LIMIT 1", stages),
						  2, order_types, args) > 0)
	{
		pg_uuid_t	id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));

		crm_api_unchanged(psprintf("SELECT FROM %s s WHERE s.id OPERATOR(pg_catalog.=) $1", stages), "stage", &id);
	}
}

/*
 * crm_reorder_stages(crm regnamespace, pipeline_id uuid, stage_ids uuid[]) -> uuid[]
 *		Returns stage_ids.  Errors: PT404 for a pipeline that the caller does
 *		not see, 22004 for a null, 22023 unless all its stages that are not archived are
 *		named, each once.
 */
PG_FUNCTION_INFO_V1(crm_reorder_stages);
Datum
crm_reorder_stages(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *pipeline_id = crm_api_uuid(fcinfo, 1, "pipeline_id");
	Datum		args[] = {UUIDPGetDatum(pipeline_id), (Datum) 0};
	ArrayType  *stage_ids;
	Relation	rel;
	char	   *stages;

	crm_api_require_argument(fcinfo, 2, "stage_ids");
	stage_ids = PG_GETARG_ARRAYTYPE_P(2);
	args[1] = PointerGetDatum(stage_ids);
	if (ARR_NDIM(stage_ids) > 1 || array_contains_nulls(stage_ids))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stage_ids must be a plain array without nulls"),
				 errhint("Give the ids of the stages in their new order.")));

	rel = crm_api_begin_write(fcinfo, "stages", &crm_stage_kind);
	stages = crm_relation_name(RelationGetRelid(rel));
	crm_api_check_update(rel, "position");
	crm_api_require(psprintf("SELECT FROM %s p WHERE p.id OPERATOR(pg_catalog.=) $1",
							 crm_sibling_name(rel, "pipelines")), "pipeline", pipeline_id);
	lock_order(rel, stages, args);
	check_order(stages, args);
	write_order(stages, args);
	crm_api_end(rel);
	PG_RETURN_DATUM(PG_GETARG_DATUM(2));
}
