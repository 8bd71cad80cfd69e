/*
 * deal/upsert.c
 *		A deal that is inserted, but whose key stands already.
 *
 * INSERT ... ON CONFLICT DO UPDATE hands such a row on as EXCLUDED, and
 * table/upsert.c gives the UPDATE what was given, so that the rules judge it
 * then.  Before that the row has to satisfy the CHECKs, or it would be refused
 * although the UPDATE is not.  Nothing here raises an error: DO NOTHING does
 * nothing, whatever the row says.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "deal/deal.h"

/* The status that the UPDATE would give the deal, if it is allowed. */
static bool
status_to_be(const DealWrite *deal, DealStatus *status)
{
	const StageFacts *stage;

	if (crm_deal_written(deal, DEAL_STATUS) || !crm_deal_written(deal, DEAL_STAGE_ID))
	{
		if (!crm_deal_written(deal, DEAL_STATUS) && crm_deal_written(deal, DEAL_PIPELINE_ID))
		{
			*status = DEAL_OPEN;
			return true;
		}
		return crm_parse_deal_status(deal_get(deal, DEAL_STATUS), status);
	}
	stage = crm_find_stage(deal->lookup, DatumGetUUIDP(deal_get(deal, DEAL_STAGE_ID)),
						   DatumGetUUIDP(deal_get(deal, DEAL_TENANT_ID)));
	if (stage == NULL)
		return crm_parse_deal_status(deal_get(deal, DEAL_STATUS), status);
	*status = stage->status;
	return true;
}

static void
fill_old(DealWrite *deal, DealColumn column)
{
	if (deal_is_null(deal, column) && !deal_old_is_null(deal, column))
		deal_set(deal, column, deal_get_old(deal, column));
}

/* An amount needs a currency; which one, the UPDATE will tell. */
static void
fill_currency(DealWrite *deal)
{
	const PipelineFacts *pipeline;

	if (deal_is_null(deal, DEAL_AMOUNT))
		return;
	fill_old(deal, DEAL_CURRENCY);
	if (!deal_is_null(deal, DEAL_CURRENCY))
		return;
	pipeline = crm_find_pipeline(deal->lookup,
								 DatumGetUUIDP(deal_get_old(deal, DEAL_PIPELINE_ID)));
	if (pipeline != NULL)
		deal_set(deal, DEAL_CURRENCY, pipeline->currency);
}

void
crm_deal_fit_standing(DealWrite *deal)
{
	DealStatus	status;

	fill_old(deal, DEAL_PROBABILITY);
	fill_old(deal, DEAL_WON_AT);
	fill_old(deal, DEAL_LOST_AT);
	fill_currency(deal);
	/* What is no status, the UPDATE will say better than the CHECK. */
	if (!status_to_be(deal, &status))
		status = crm_deal_old_status(deal);
	deal_set(deal, DEAL_STATUS, CStringGetTextDatum(crm_deal_status_name(status)));
	crm_deal_fit_status(deal, status);
}
