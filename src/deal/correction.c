/*
 * deal/correction.c
 *		Corrections of a deal's past.
 *
 * Writing won_at or lost_at of a closed deal corrects the move that closed it, so
 * that reports that read deals and reports that read the history have the same day.
 * correct_move and replace_history change the history itself; then they write
 * CRM_FOLLOW_HISTORY to move_no, and the deal gets the times of its history.  The
 * request is part of the statement, so that it reaches a shard as well.
 */
#include "postgres.h"

#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/session.h"
#include "deal/deal.h"
#include "history/timeline.h"

static Timeline *
read_timeline(const DealWrite *deal)
{
	TimelineDeal is = {
		.id = *DatumGetUUIDP(deal_get_old(deal, DEAL_ID)),
		.tenant_id = *DatumGetUUIDP(deal_get_old(deal, DEAL_TENANT_ID)),
		.move_no = DatumGetInt32(deal_get_old(deal, DEAL_MOVE_NO)),
		.status = crm_deal_old_status(deal),
		.entered_at = DatumGetTimestampTz(deal_get_old(deal, DEAL_STAGE_ENTERED_AT)),
		.closed_at = DT_NOBEGIN,
	};
	DealColumn	closed_at = is.status == DEAL_WON ? DEAL_WON_AT : DEAL_LOST_AT;

	if (is.status != DEAL_OPEN && !deal_old_is_null(deal, closed_at))
		is.closed_at = DatumGetTimestampTz(deal_get_old(deal, closed_at));
	return crm_timeline_read(deal->row.rel, &is);
}

/* Sets the deal's times to those of its present visit. */
static void
set_times(DealWrite *deal, const TimelineVisit *visit)
{
	deal_set(deal, DEAL_STAGE_ENTERED_AT, TimestampTzGetDatum(visit->new_entered_at));
	if (crm_timeline_has_closer(visit))
		deal_set(deal, visit->status == DEAL_WON ? DEAL_WON_AT : DEAL_LOST_AT,
				 TimestampTzGetDatum(visit->new_closed_at));
}

/* The version of the row after this write. */
static int32
next_version(const DealWrite *deal)
{
	int32		version = DatumGetInt32(deal_get_old(deal, DEAL_VERSION));

	return version == PG_INT32_MAX ? version : version + 1;
}

static TimestampTz
creation(const DealWrite *deal)
{
	return deal_is_null(deal, DEAL_CREATED_AT) ? DT_NOBEGIN :
		DatumGetTimestampTz(deal_get(deal, DEAL_CREATED_AT));
}

void
crm_deal_correct_closing(DealWrite *deal, DealColumn column, const char *name)
{
	Timeline   *timeline = read_timeline(deal);
	const TimelineVisit *visit = crm_timeline_present(timeline);
	TimestampTz old = DatumGetTimestampTz(deal_get_old(deal, column));
	TimestampTz earliest = creation(deal);
	bool		is_move = crm_timeline_has_closer(visit) && visit->closed_at == old;
	TimestampTz moment;

	if (is_move)
		earliest = Max(earliest, crm_timeline_earliest(timeline, visit->closer));
	moment = crm_deal_moment(deal, DatumGetTimestampTz(deal_get(deal, column)), earliest);
	crm_deal_check_past(deal, column, name, moment);
	deal_set(deal, column, TimestampTzGetDatum(moment));
	if (moment == old)
		return;
	crm_deal_check_closed_after_creation(deal);
	if (visit->closer == TIMELINE_EARLIER_MOVE)
		crm_timeline_refuse_earlier(timeline);
	if (is_move)
		crm_timeline_correct(timeline, visit->closer, moment);
	crm_timeline_write(timeline, next_version(deal), deal->clock, crm_session_reason());
	if (is_move)
		set_times(deal, visit);
}

bool
crm_deal_follows_history(const DealWrite *deal)
{
	return DatumGetInt32(deal_get(deal, DEAL_MOVE_NO)) == CRM_FOLLOW_HISTORY;
}

void
crm_deal_follow_history(DealWrite *deal)
{
	Timeline   *timeline = read_timeline(deal);
	TimelineVisit *visit = crm_timeline_present(timeline);
	int32		move_no = DatumGetInt32(deal_get_old(deal, DEAL_MOVE_NO));

	if (timeline->nmoves > 0)
		move_no = timeline->moves[timeline->nmoves - 1].move_no;
	else if (!timeline->has_earlier_life && timeline->created_at != DT_NOBEGIN)
	{
		move_no = 0;
		if (visit->closer == TIMELINE_BEGINNING)
			visit->new_closed_at = timeline->created_at;
		visit->new_entered_at = timeline->created_at;
	}
	if (visit->status == crm_deal_old_status(deal))
		set_times(deal, visit);
	deal_set(deal, DEAL_MOVE_NO, Int32GetDatum(move_no));
}
