/*
 * deal/effective_time.c
 *		The time as of which a deal enters a stage.
 *
 * The first of these: stage_entered_at if written; won_at or lost_at if written
 * and the stage is of that status; stage_entered_at if the UPDATE names it with
 * its old value; on INSERT created_at if given; the setting crm.effective_at;
 * the clock.  If the clock was set back since the deal entered its present
 * stage, it is that time instead, so that history never runs backwards.
 * deal/moment.c says which moment a time stands for.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/session.h"
#include "base/time.h"
#include "base/uuid.h"
#include "deal/deal.h"

static TimestampTz
chosen_time(const DealWrite *deal, const StageFacts *stage)
{
	TimestampTz setting;

	if (crm_deal_written(deal, DEAL_STAGE_ENTERED_AT))
		return DatumGetTimestampTz(deal_get(deal, DEAL_STAGE_ENTERED_AT));
	if (stage->status == DEAL_WON && crm_deal_written(deal, DEAL_WON_AT))
		return DatumGetTimestampTz(deal_get(deal, DEAL_WON_AT));
	if (stage->status == DEAL_LOST && crm_deal_written(deal, DEAL_LOST_AT))
		return DatumGetTimestampTz(deal_get(deal, DEAL_LOST_AT));
	if (deal->dated)
		return DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT));
	if (deal->insert && !deal_is_null(deal, DEAL_CREATED_AT))
		return DatumGetTimestampTz(deal_get(deal, DEAL_CREATED_AT));
	if (crm_session_effective_at(&setting))
		return setting;
	if (deal->insert)
		return deal->clock;
	return Max(deal->clock, DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT)));
}

/* For ereport(): what the deal has to do with a stage or pipeline that is archived. */
static int
errdetail_archived(const DealWrite *deal, TimestampTz archived_at, TimestampTz effective)
{
	return errdetail("Deal %s was to enter it as of %s; it was archived at %s.",
					 crm_deal_id_text(deal), crm_time_text(effective),
					 crm_time_text(archived_at));
}

/*
 * Imports may record that a deal entered before the stage was archived.  A move
 * within a pipeline does not look the pipeline up.
 */
static void
check_not_archived(const DealWrite *deal, const StageFacts *stage, TimestampTz effective)
{
	const PipelineFacts *pipeline;

	if (effective >= stage->archived_at)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("stage %s is archived and takes no new deals",
						crm_stage_label(deal->lookup, stage)),
				 errdetail_archived(deal, stage->archived_at, effective),
				 errhint("Name another stage, or set archived_at of the stage to null first.")));
	if (!deal->insert &&
		crm_uuid_equal(&stage->pipeline_id, DatumGetUUIDP(deal_get_old(deal, DEAL_PIPELINE_ID))))
		return;
	pipeline = crm_find_pipeline(deal->lookup, &stage->pipeline_id);
	if (pipeline != NULL && effective >= pipeline->archived_at)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("pipeline %s is archived and takes no new deals",
						crm_pipeline_label(deal->lookup, pipeline)),
				 errdetail_archived(deal, pipeline->archived_at, effective),
				 errhint("Name another stage, or set archived_at of the pipeline to null first.")));
}

/* When the deal can enter a stage at the earliest. */
static TimestampTz
earliest_time(const DealWrite *deal)
{
	if (!deal->insert)
		return DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT));
	return crm_deal_creation(deal);
}

TimestampTz
crm_deal_effective_time(const DealWrite *deal, const StageFacts *stage)
{
	TimestampTz effective = crm_deal_moment(deal, chosen_time(deal, stage), earliest_time(deal));

	if (TIMESTAMP_NOT_FINITE(effective))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s cannot enter a stage at an infinite time", crm_deal_id_text(deal)),
				 errhint("Give a moment of the past.")));

	if (!deal->insert)
	{
		TimestampTz entered = DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT));

		if (effective < entered)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("deal %s cannot move as of %s: it entered its present stage at %s",
							crm_deal_id_text(deal), crm_time_text(effective),
							crm_time_text(entered)),
					 errhint("Give a time not earlier than that, or take the last move back with undo_move first."),
					 errtablecol(deal->row.rel, deal->columns[DEAL_STAGE_ENTERED_AT])));
		if (effective == entered && effective > deal->clock)
			return effective;	/* the clock was set back */
	}

	if (effective > deal->clock)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s cannot enter a stage as of %s, which is in the future", crm_deal_id_text(deal),
						crm_time_text(effective)),
				 errdetail("The clock says %s.", crm_time_text(deal->clock)),
				 errhint("Give a moment of the past."),
				 errtablecol(deal->row.rel, deal->columns[DEAL_STAGE_ENTERED_AT])));

	check_not_archived(deal, stage, effective);
	return effective;
}
