/*
 * analytics/trend_conversions.h
 *		The exchange rates of a trend.
 */
#ifndef CRM_ANALYTICS_TREND_CONVERSIONS_H
#define CRM_ANALYTICS_TREND_CONVERSIONS_H

#include "fmgr.h"
#include "utils/date.h"
#include "utils/numeric.h"

/* The exchange rate of a currency and a day. */
typedef struct TrendConversion
{
	uint64		currency;		/* as in SummaryKey.rest */
	DateADT		day;
	int			no;				/* its place among the arguments */
	Numeric		multiply_by;
	Numeric		divide_by;
	DateADT		oldest_rate;	/* the day of that */
} TrendConversion;

typedef struct TrendConversions
{
	TrendConversion *items;
	int			count;
} TrendConversions;

/*
 * Arguments first and the following ones are arrays: currencies, days, the factors to multiply and
 * to divide by, the days of the oldest rates.  ERROR 22023 if they do not fit.
 */
extern void crm_read_trend_conversions(FunctionCallInfo fcinfo, int first,
									   TrendConversions *conversions);

/* NULL if there is none. */
extern const TrendConversion *crm_find_trend_conversion(const TrendConversions *conversions,
														uint64 currency, DateADT day);

/* A currency as in SummaryKey.rest. */
extern uint64 crm_trend_currency(Datum currency);

#endif							/* CRM_ANALYTICS_TREND_CONVERSIONS_H */
