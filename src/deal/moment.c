/*
 * deal/moment.c
 *		The moment that a time given by a client means.
 *
 * Clients have clocks of their own, truncate times to milliseconds, and know only
 * the day of some events.  So a time that they give counts as
 *
 *	- the present, if it is ahead of the clock by no more than the setting
 *	  crm.clock_tolerance;
 *	- the present, if it is the start of the transaction or later, but earlier
 *	  than is possible: now() in a transaction that has just moved the deal;
 *	- the earliest moment possible, if it is that moment truncated to milliseconds,
 *	  as JavaScript has it, or the date of that day: midnight in the session's
 *	  time zone.
 *
 * Any other time is taken as it is.
 */
#include "postgres.h"

#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/session.h"
#include "base/time.h"
#include "deal/deal.h"

bool
crm_deal_is_cut(TimestampTz time, TimestampTz whole)
{
	return time < whole && whole - time < 1000 && time % 1000 == 0;
}

/* The date of a moment in the session's time zone, and whether the moment is midnight. */
static bool
get_date(TimestampTz moment, struct pg_tm *date, bool *is_midnight)
{
	int			tz;
	fsec_t		fsec;

	if (timestamp2tm(moment, &tz, date, &fsec, NULL, NULL) != 0)
		return false;
	*is_midnight = date->tm_hour == 0 && date->tm_min == 0 && date->tm_sec == 0 && fsec == 0;
	return true;
}

/* Whether the time is the date of that moment, without a time of day. */
static bool
is_date_of(TimestampTz time, TimestampTz moment)
{
	struct pg_tm date,
				other;
	bool		is_midnight,
				ignored;

	return moment - time < 2 * USECS_PER_DAY &&
		get_date(time, &date, &is_midnight) && is_midnight &&
		get_date(moment, &other, &ignored) &&
		date.tm_year == other.tm_year && date.tm_mon == other.tm_mon &&
		date.tm_mday == other.tm_mday;
}

TimestampTz
crm_moment(TimestampTz time, TimestampTz earliest, TimestampTz clock)
{
	if (TIMESTAMP_NOT_FINITE(time))
		return time;
	if (earliest <= clock &&
		(time > clock ? time - clock <= crm_session_clock_tolerance() :
		 time < earliest && time >= crm_session_transaction_start()))
		return clock;
	if (time >= earliest)
		return time;
	return crm_deal_is_cut(time, earliest) || is_date_of(time, earliest) ? earliest : time;
}

TimestampTz
crm_deal_moment(const DealWrite *deal, TimestampTz time, TimestampTz earliest)
{
	return crm_moment(time, earliest, deal->clock);
}

void
crm_deal_check_past(const DealWrite *deal, DealColumn column, const char *what, TimestampTz moment)
{
	if (TIMESTAMP_NOT_FINITE(moment))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s of deal %s cannot be infinite", what, crm_deal_id_text(deal)),
				 errhint("Give a moment of the past."),
				 errtablecol(deal->row.rel, deal->columns[column])));
	if (moment > deal->clock)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s of deal %s cannot be %s, which is in the future", what,
						crm_deal_id_text(deal), crm_time_text(moment)),
				 errdetail("The clock says %s.", crm_time_text(deal->clock)),
				 errhint("Give a moment of the past."),
				 errtablecol(deal->row.rel, deal->columns[column])));
}
