/*
 * crm_compat.h
 *		The differences between the supported server versions (15 to 18).
 *		No other file names PG_VERSION_NUM.
 */
#ifndef CRM_COMPAT_H
#define CRM_COMPAT_H

/* PostgreSQL 16 moved the macros on varlenas out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "crm needs PostgreSQL 15 or later"
#endif

#endif							/* CRM_COMPAT_H */
