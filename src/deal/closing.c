/*
 * deal/closing.c
 *		The columns of closed deals: won_at, lost_at, lost_reason.
 *
 * won_at is set exactly while the deal is won, lost_at exactly while it is lost,
 * and lost_reason only while it is lost.  CHECK constraints guarantee that; the
 * rules here set the columns accordingly, and give better error messages.
 */
#include "postgres.h"

#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/time.h"
#include "deal/deal.h"

/* A column of closed deals, and the status of the deals that have it. */
typedef struct ClosingColumn
{
	DealColumn	column;
	const char *name;
	DealStatus	status;
	bool		is_time;
} ClosingColumn;

static const ClosingColumn closing_columns[] = {
	{DEAL_WON_AT, "won_at", DEAL_WON, true},
	{DEAL_LOST_AT, "lost_at", DEAL_LOST, true},
	{DEAL_LOST_REASON, "lost_reason", DEAL_LOST, false},
};

DealStatus
crm_deal_old_status(const DealWrite *deal)
{
	DealStatus	status;

	if (!crm_parse_deal_status(deal_get_old(deal, DEAL_STATUS), &status))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the status of deal %s is not open, won or lost", crm_deal_id_text(deal)),
				 errhint("Write the status that its stage has.")));
	return status;
}

/* The moment that the column's time means (deal/moment.c); not before the earliest one. */
static TimestampTz
moment_of(const DealWrite *deal, const ClosingColumn *closing, TimestampTz earliest)
{
	return crm_deal_moment(deal, DatumGetTimestampTz(deal_get(deal, closing->column)), earliest);
}

TimestampTz
crm_deal_creation(const DealWrite *deal)
{
	return deal_is_null(deal, DEAL_CREATED_AT) ? DT_NOBEGIN :
		DatumGetTimestampTz(deal_get(deal, DEAL_CREATED_AT));
}

/*
 * A column that was written must fit the stage and the time of the move.  On
 * INSERT the times may differ: the deal may have been closed in an earlier stage.
 */
static void
check_entering(DealWrite *deal, const ClosingColumn *closing, const StageFacts *stage,
			   TimestampTz effective)
{
	TimestampTz moment;

	if (!closing->is_time || !crm_deal_written(deal, closing->column))
		return;
	if (stage->status != closing->status)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s is given, but deal %s enters stage %s, where deals are %s", closing->name,
						crm_deal_id_text(deal), crm_stage_label(deal->lookup, stage),
						crm_deal_status_name(stage->status)),
				 errhint("Name a stage whose deals are %s, or leave %s out.",
						 crm_deal_status_name(closing->status), closing->name),
				 errtablecol(deal->row.rel, deal->columns[closing->column])));
	moment = moment_of(deal, closing, deal->insert ? crm_deal_creation(deal) :
					   DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT)));
	if (moment != effective && !deal->insert)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("stage_entered_at and %s of deal %s contradict each other", closing->name,
						crm_deal_id_text(deal)),
				 errhint("Write one of them; the other follows."),
				 errtablecol(deal->row.rel, deal->columns[closing->column])));
	if (moment != effective)
		crm_deal_check_past(deal, closing->column, closing->name, moment);
	deal_set(deal, closing->column, TimestampTzGetDatum(moment));
}

void
crm_deal_close(DealWrite *deal, const StageFacts *stage, TimestampTz effective)
{
	for (int i = 0; i < lengthof(closing_columns); i++)
	{
		const ClosingColumn *closing = &closing_columns[i];

		check_entering(deal, closing, stage, effective);
		if (stage->status != closing->status)
			deal_set_null(deal, closing->column);
		else if (!closing->is_time || !deal_is_null(deal, closing->column))
			continue;
		else if (!deal->insert && !deal_old_is_null(deal, closing->column))
			deal_set(deal, closing->column, deal_get_old(deal, closing->column));	/* won -> won */
		else
			deal_set(deal, closing->column, TimestampTzGetDatum(effective));
	}
}

void
crm_deal_stay_closed(DealWrite *deal)
{
	DealStatus	status = crm_deal_old_status(deal);

	for (int i = 0; i < lengthof(closing_columns); i++)
	{
		const ClosingColumn *closing = &closing_columns[i];

		if (crm_deal_written(deal, closing->column))
		{
			if (status != closing->status)
				ereport(ERROR,
						(errcode(ERRCODE_CHECK_VIOLATION),
						 errmsg("%s is given, but deal %s is %s", closing->name,
								crm_deal_id_text(deal), crm_deal_status_name(status)),
						 errhint("Write status or stage_id as well, or leave %s out.", closing->name),
						 errtablecol(deal->row.rel, deal->columns[closing->column])));
			if (closing->is_time)
				crm_deal_correct_closing(deal, closing->column, closing->name);
		}
		else if (closing->is_time && deal_is_null(deal, closing->column) &&
				 !deal_old_is_null(deal, closing->column))
			deal_set(deal, closing->column, deal_get_old(deal, closing->column));
	}
	if (!deal_is_null(deal, DEAL_PROBABILITY))
		return;
	if (status != DEAL_OPEN)
		deal_set(deal, DEAL_PROBABILITY, crm_closed_probability(status));
	else if (!deal_old_is_null(deal, DEAL_PROBABILITY))
		deal_set(deal, DEAL_PROBABILITY, deal_get_old(deal, DEAL_PROBABILITY));
}

void
crm_deal_check_closed_after_creation(const DealWrite *deal)
{
	TimestampTz created = crm_deal_creation(deal);

	for (int i = 0; i < lengthof(closing_columns); i++)
	{
		const ClosingColumn *closing = &closing_columns[i];
		TimestampTz closed;

		/* A restored row may break this rule: checked only when written. */
		if (!closing->is_time || deal_is_null(deal, closing->column) ||
			(!crm_deal_written(deal, closing->column) && !crm_deal_written(deal, DEAL_CREATED_AT)))
			continue;
		closed = DatumGetTimestampTz(deal_get(deal, closing->column));
		if (closed >= created)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s of deal %s cannot be %s: the deal was created at %s", closing->name,
						crm_deal_id_text(deal), crm_time_text(closed),
						crm_time_text(created)),
				 errhint("Give a time not earlier than that, or write an earlier created_at as well."),
				 errtablecol(deal->row.rel, deal->columns[closing->column])));
	}
}

void
crm_deal_fit_status(DealWrite *deal, DealStatus status)
{
	for (int i = 0; i < lengthof(closing_columns); i++)
	{
		const ClosingColumn *closing = &closing_columns[i];

		if (status != closing->status)
			deal_set_null(deal, closing->column);
		else if (closing->is_time && deal_is_null(deal, closing->column))
			deal_set(deal, closing->column, TimestampTzGetDatum(deal->clock));
	}
	if (status != DEAL_OPEN)
		deal_set(deal, DEAL_PROBABILITY, crm_closed_probability(status));
}
