/*
 * deal/placement.c
 *		The stage that a write puts a deal into.
 *
 * stage_id names it.  pipeline_id alone means that pipeline's first open stage;
 * status alone means the pipeline's only stage of that status or, if a closed
 * deal is reopened, the open stage that it stood in last.  The written columns
 * must agree.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/row_messages.h"
#include "base/uuid.h"
#include "deal/deal.h"
#include "history/past.h"

static inline const pg_uuid_t *
get_uuid(const DealWrite *deal, DealColumn column)
{
	return DatumGetUUIDP(deal_get(deal, column));
}

/* Like a foreign key's error; another tenant's row counts as missing. */
static void
reference_error(const DealWrite *deal, DealColumn column, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 crm_errmsg_missing(what, crm_uuid_text(get_uuid(deal, column))),
			 errdetail("Deal %s was to refer to it.", crm_deal_id_text(deal)),
			 crm_errhint_missing(what),
			 errtablecol(deal->row.rel, deal->columns[column])));
}

static const StageFacts *
stage_written(const DealWrite *deal)
{
	const StageFacts *stage = crm_find_stage(deal->lookup, get_uuid(deal, DEAL_STAGE_ID),
											 get_uuid(deal, DEAL_TENANT_ID));

	if (stage == NULL)
		reference_error(deal, DEAL_STAGE_ID, "stage");
	return stage;
}

static const PipelineFacts *
pipeline_written(const DealWrite *deal)
{
	const PipelineFacts *pipeline = crm_find_pipeline(deal->lookup,
													  get_uuid(deal, DEAL_PIPELINE_ID));

	if (pipeline == NULL ||
		!crm_uuid_equal(&pipeline->tenant_id, get_uuid(deal, DEAL_TENANT_ID)))
		reference_error(deal, DEAL_PIPELINE_ID, "pipeline");
	return pipeline;
}

/* The status that was written; on INSERT 'open', the default, counts as not given. */
static bool
status_written(const DealWrite *deal, DealStatus *status)
{
	if (!crm_deal_written(deal, DEAL_STATUS))
		return false;
	if (!crm_parse_deal_status(deal_get(deal, DEAL_STATUS), status))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" is not a status of a deal",
						TextDatumGetCString(deal_get(deal, DEAL_STATUS))),
				 errhint("Use open, won or lost."),
				 errtablecol(deal->row.rel, deal->columns[DEAL_STATUS])));
	return !(deal->insert && *status == DEAL_OPEN);
}

static void
check_agreement(const DealWrite *deal, const StageFacts *stage)
{
	DealStatus	status;

	if (crm_deal_written(deal, DEAL_PIPELINE_ID) &&
		!crm_uuid_equal(&stage->pipeline_id, get_uuid(deal, DEAL_PIPELINE_ID)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("stage %s does not belong to pipeline %s",
						crm_stage_label(deal->lookup, stage),
						crm_uuid_text(get_uuid(deal, DEAL_PIPELINE_ID))),
				 errdetail("Deal %s was to stand in both.", crm_deal_id_text(deal)),
				 errhint("Write stage_id alone; pipeline_id follows."),
				 errtablecol(deal->row.rel, deal->columns[DEAL_PIPELINE_ID])));
	if (status_written(deal, &status) && status != stage->status)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a deal in stage %s has the status %s, not %s",
						crm_stage_label(deal->lookup, stage),
						crm_deal_status_name(stage->status), crm_deal_status_name(status)),
				 errdetail("Deal %s was to have both.", crm_deal_id_text(deal)),
				 errhint("Write stage_id alone; status follows."),
				 errtablecol(deal->row.rel, deal->columns[DEAL_STATUS])));
}

static const StageFacts *
first_open_stage(const DealWrite *deal, const PipelineFacts *pipeline)
{
	const StageFacts *stage = crm_find_first_open_stage(deal->lookup, &pipeline->id);

	if (stage == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("pipeline %s has no open stage", crm_pipeline_label(deal->lookup, pipeline)),
				 errdetail("Deal %s was to enter its first open stage.", crm_deal_id_text(deal)),
				 errhint("Add a stage, or name the stage in stage_id.")));
	return stage;
}

static const StageFacts *
only_stage(const DealWrite *deal, const PipelineFacts *pipeline, DealStatus status)
{
	int			count;
	const StageFacts *stage = crm_find_only_stage(deal->lookup, &pipeline->id, status, &count);

	if (stage == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 count == 0 ?
				 errmsg("pipeline %s has no stage for deals that are %s",
						crm_pipeline_label(deal->lookup, pipeline), crm_deal_status_name(status)) :
				 errmsg("pipeline %s has several stages for deals that are %s",
						crm_pipeline_label(deal->lookup, pipeline), crm_deal_status_name(status)),
				 errdetail("Deal %s was to become %s.", crm_deal_id_text(deal), crm_deal_status_name(status)),
				 errhint("Name the stage in stage_id.")));
	return stage;
}

/* The pipeline of a deal that names neither a stage nor a pipeline. */
static const PipelineFacts *
default_pipeline(const DealWrite *deal)
{
	const PipelineFacts *pipeline =
	crm_find_default_pipeline(deal->lookup, get_uuid(deal, DEAL_TENANT_ID));

	if (pipeline == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("no pipeline for deal %s", crm_deal_id_text(deal)),
				 errdetail("It names neither a stage nor a pipeline, and no pipeline is the default."),
				 errhint("Give stage_id or pipeline_id, or choose a default with set_default_pipeline.")));
	return pipeline;
}

/* The open stage that a closed deal stood in last, by its history. */
static const StageFacts *
last_open_stage(const DealWrite *deal)
{
	pg_uuid_t	id;
	const StageFacts *stage = NULL;

	if (crm_last_open_stage(deal->row.rel, get_uuid(deal, DEAL_ID),
							get_uuid(deal, DEAL_TENANT_ID), &id))
		stage = crm_find_stage(deal->lookup, &id, get_uuid(deal, DEAL_TENANT_ID));
	if (stage == NULL || stage->status != DEAL_OPEN)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s cannot be reopened by its status alone", crm_deal_id_text(deal)),
				 errdetail("Its history shows no open stage that it could return to."),
				 errhint("Name the stage in stage_id.")));
	return stage;
}

static const StageFacts *
stage_for_insert(const DealWrite *deal)
{
	const PipelineFacts *pipeline;
	DealStatus	status;

	if (!deal_is_null(deal, DEAL_STAGE_ID))
		return stage_written(deal);
	pipeline = deal_is_null(deal, DEAL_PIPELINE_ID) ?
		default_pipeline(deal) : pipeline_written(deal);
	if (status_written(deal, &status))
		return only_stage(deal, pipeline, status);
	return first_open_stage(deal, pipeline);
}

static const StageFacts *
stage_for_update(const DealWrite *deal)
{
	DealStatus	status;

	if (crm_deal_written(deal, DEAL_STAGE_ID))
		return stage_written(deal);
	if (crm_deal_written(deal, DEAL_PIPELINE_ID))
	{
		const PipelineFacts *pipeline = pipeline_written(deal);

		if (status_written(deal, &status) && status != DEAL_OPEN)
			return only_stage(deal, pipeline, status);
		return first_open_stage(deal, pipeline);
	}
	if (!status_written(deal, &status))
		return NULL;
	if (status == DEAL_OPEN)
		return last_open_stage(deal);
	return only_stage(deal, pipeline_written(deal), status);
}

const StageFacts *
crm_deal_target_stage(DealWrite *deal)
{
	const StageFacts *stage = deal->insert ? stage_for_insert(deal) : stage_for_update(deal);

	if (stage != NULL)
		check_agreement(deal, stage);
	return stage;
}
