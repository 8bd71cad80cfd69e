/*
 * analytics/conversion_day.c
 *		The day whose exchange rate counts for a deal.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"

#include "analytics/conversion_day.h"

/*
 * crm_conversion_day(won_at timestamptz, lost_at timestamptz) -> date
 *		The day, in UTC, whose exchange rate counts for a deal that was won or
 *		lost then; for one that is open, today's as of now().
 */
PG_FUNCTION_INFO_V1(crm_conversion_day);
Datum
crm_conversion_day(PG_FUNCTION_ARGS)
{
	TimestampTz at;

	if (!PG_ARGISNULL(0))
		at = PG_GETARG_TIMESTAMPTZ(0);
	else if (!PG_ARGISNULL(1))
		at = PG_GETARG_TIMESTAMPTZ(1);
	else
		at = GetCurrentTransactionStartTimestamp();

	PG_RETURN_DATEADT(crm_day_of(at));
}
