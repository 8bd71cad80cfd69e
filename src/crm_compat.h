/*
 * crm_compat.h
 *		The differences between the supported server versions (15 to 18).
 *		No other file names PG_VERSION_NUM.
 */
#ifndef CRM_COMPAT_H
#define CRM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "crm needs PostgreSQL 15 or later"
#endif

#endif							/* CRM_COMPAT_H */
