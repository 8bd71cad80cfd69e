/*
 * base/calendar.h
 *		The periods of a calendar: weeks, months, fiscal quarters and years.
 */
#ifndef CRM_BASE_CALENDAR_H
#define CRM_BASE_CALENDAR_H

/* For the module's initialisation. */
extern void crm_calendar_define_settings(void);

#endif							/* CRM_BASE_CALENDAR_H */
