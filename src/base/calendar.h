/*
 * base/calendar.h
 *		The periods of a calendar: weeks, months, fiscal quarters and years.
 */
#ifndef CRM_BASE_CALENDAR_H
#define CRM_BASE_CALENDAR_H

#include "utils/date.h"

typedef enum CrmPeriod
{
	PERIOD_DAY,
	PERIOD_WEEK,
	PERIOD_MONTH,
	PERIOD_QUARTER,
	PERIOD_YEAR
} CrmPeriod;

/* The period of that name; ERROR 22023 if there is none. */
extern CrmPeriod crm_get_period(text *name);

/*
 * The first day of the period that a finite day is in, by the settings; ERROR 22023 if the
 * one that matters has a wrong value.
 */
extern DateADT crm_period_first_day(CrmPeriod period, DateADT day);

/* For the module's initialisation. */
extern void crm_calendar_define_settings(void);

#endif							/* CRM_BASE_CALENDAR_H */
