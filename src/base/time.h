/*
 * base/time.h
 *		The dates and times that a CRM takes.
 */
#ifndef CRM_BASE_TIME_H
#define CRM_BASE_TIME_H

#include "utils/date.h"

/* Whether they are in the years 1900 to 9999. */
extern bool crm_is_date(DateADT date);
extern bool crm_is_timestamp(TimestampTz time);

/* The time for a message; palloc'd, as a message may have two of them. */
extern char *crm_time_text(TimestampTz time);

#endif							/* CRM_BASE_TIME_H */
