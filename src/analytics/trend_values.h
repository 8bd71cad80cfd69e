/*
 * analytics/trend_values.h
 *		The arguments of crm_trend_rows() that are arrays.
 */
#ifndef CRM_ANALYTICS_TREND_VALUES_H
#define CRM_ANALYTICS_TREND_VALUES_H

#include "fmgr.h"

#include "base/compat.h"

#define NOTHING		(-1)

/* An array, deconstructed. */
typedef struct Values
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Values;

/* ERROR 22023: the arguments do not fit. */
pg_noreturn extern void crm_refuse_trend(void);

/* An array, or nothing; of count elements, unless that is NOTHING. */
extern Values crm_trend_values(FunctionCallInfo fcinfo, int arg, Oid type, int count);

#endif							/* CRM_ANALYTICS_TREND_VALUES_H */
