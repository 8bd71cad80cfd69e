/*
 * analytics/trend_conversions.c
 *		The exchange rates of a trend.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "analytics/trend_conversions.h"
#include "analytics/trend_values.h"
#include "summary/summary.h"

uint64
crm_trend_currency(Datum currency)
{
	const text *code = DatumGetTextPP(currency);

	return crm_summary_currency_key(VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
}

static int
compare_conversions(const void *a, const void *b)
{
	const TrendConversion *x = a;
	const TrendConversion *y = b;

	if (x->currency != y->currency)
		return x->currency < y->currency ? -1 : 1;
	return x->day < y->day ? -1 : x->day > y->day;
}

void
crm_read_trend_conversions(FunctionCallInfo fcinfo, int first, TrendConversions *conversions)
{
	Values		currencies = crm_trend_values(fcinfo, first, TEXTOID, NOTHING);
	int			count = currencies.count;
	Values		days = crm_trend_values(fcinfo, first + 1, DATEOID, count);
	Values		multiply_by = crm_trend_values(fcinfo, first + 2, NUMERICOID, count);
	Values		divide_by = crm_trend_values(fcinfo, first + 3, NUMERICOID, count);
	Values		oldest_rates = crm_trend_values(fcinfo, first + 4, DATEOID, count);

	conversions->items = palloc((count + 1) * sizeof(TrendConversion));
	conversions->count = count;
	for (int i = 0; i < count; i++)
	{
		if (currencies.nulls[i] || days.nulls[i] || multiply_by.nulls[i] || divide_by.nulls[i] ||
			oldest_rates.nulls[i])
			crm_refuse_trend();
		conversions->items[i] = (TrendConversion)
		{
			crm_trend_currency(currencies.values[i]), DatumGetDateADT(days.values[i]), i + 1,
				DatumGetNumeric(multiply_by.values[i]), DatumGetNumeric(divide_by.values[i]),
				DatumGetDateADT(oldest_rates.values[i])
		};
	}
	qsort(conversions->items, count, sizeof(TrendConversion), compare_conversions);
}

const TrendConversion *
crm_find_trend_conversion(const TrendConversions *conversions, uint64 currency, DateADT day)
{
	TrendConversion key = {.currency = currency,.day = day};

	return bsearch(&key, conversions->items, conversions->count, sizeof(TrendConversion),
				   compare_conversions);
}
