/*
 * base/time.h
 *		The dates, times and time zones that a CRM takes.
 */
#ifndef CRM_BASE_TIME_H
#define CRM_BASE_TIME_H

#include "pgtime.h"
#include "utils/date.h"

/* Whether they are in the years 1900 to 9999. */
extern bool crm_is_date(DateADT date);
extern bool crm_is_timestamp(TimestampTz time);

/* The time for a message; palloc'd, as a message may have two of them. */
extern char *crm_time_text(TimestampTz time);

/*
 * The time zone of that name, as pg_timezone_names has it; ERROR 22023 for anything else,
 * offsets among it, that names the argument time_zone.
 */
extern pg_tz *crm_time_zone(const char *name);

#endif							/* CRM_BASE_TIME_H */
