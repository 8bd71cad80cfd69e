/*
 * analytics/conversion_day.c
 *		The day whose exchange rate counts for a deal.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/*
 * crm_conversion_day(won_at timestamptz, lost_at timestamptz) -> date
 *		The day, in UTC, whose exchange rate counts for a deal that was won or
 *		lost then; for one that is open, today's as of now().
 *
 * Both types count from 2000-01-01.  What the server has for it goes by way of
 * a time zone's name, and takes longer than adding up the deal does.
 */
PG_FUNCTION_INFO_V1(crm_conversion_day);
Datum
crm_conversion_day(PG_FUNCTION_ARGS)
{
	TimestampTz at;
	int64		day;

	if (!PG_ARGISNULL(0))
		at = PG_GETARG_TIMESTAMPTZ(0);
	else if (!PG_ARGISNULL(1))
		at = PG_GETARG_TIMESTAMPTZ(1);
	else
		at = GetCurrentTransactionStartTimestamp();

	if (TIMESTAMP_IS_NOBEGIN(at))
		PG_RETURN_DATEADT(DATEVAL_NOBEGIN);
	if (TIMESTAMP_IS_NOEND(at))
		PG_RETURN_DATEADT(DATEVAL_NOEND);
	day = at / USECS_PER_DAY;
	if (at % USECS_PER_DAY < 0)
		day--;
	PG_RETURN_DATEADT((DateADT) day);
}
