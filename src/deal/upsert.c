/*
 * deal/upsert.c
 *		A deal that is inserted, but whose key exists already.
 *
 * INSERT ... ON CONFLICT DO UPDATE passes such a row on as EXCLUDED.
 * table/upsert.c passes the given values to the UPDATE, whose rules judge them.
 * The row has to satisfy the CHECKs before that, or it would be refused although
 * the UPDATE is allowed.  Nothing here raises an error, as DO NOTHING must accept
 * every row.
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

/* The CHECK needs some currency with an amount; the UPDATE sets the right one. */
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
	/* An invalid status is left to the UPDATE, whose error says more. */
	if (!status_to_be(deal, &status))
		status = crm_deal_old_status(deal);
	deal_set(deal, DEAL_STATUS, CStringGetTextDatum(crm_deal_status_name(status)));
	crm_deal_fit_status(deal, status);
}
