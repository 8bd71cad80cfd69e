/*
 * analytics/conversion_day.h
 *		The day whose exchange rate counts for a deal.
 */
#ifndef CRM_ANALYTICS_CONVERSION_DAY_H
#define CRM_ANALYTICS_CONVERSION_DAY_H

#include "utils/date.h"
#include "utils/timestamp.h"

/*
 * The day of a time, in UTC.  Both types count from 2000-01-01.  PostgreSQL's own
 * function looks a time zone up by name, which takes longer than adding up a deal.
 */
static inline DateADT
crm_day_of(TimestampTz at)
{
	int64		day = at / USECS_PER_DAY;

	if (TIMESTAMP_IS_NOBEGIN(at))
		return DATEVAL_NOBEGIN;
	if (TIMESTAMP_IS_NOEND(at))
		return DATEVAL_NOEND;
	if (at % USECS_PER_DAY < 0)
		day--;
	return (DateADT) day;
}

#endif							/* CRM_ANALYTICS_CONVERSION_DAY_H */
