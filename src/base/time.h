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

#endif							/* CRM_BASE_TIME_H */
