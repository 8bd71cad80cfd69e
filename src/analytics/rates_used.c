/*
 * analytics/rates_used.c
 *		What a report says of the exchange rates that it used.
 *
 * In C, as the planner would inline SQL functions, and so plan them anew in each call.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

static int
compare_rates(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return compareJsonbContainers(&(*(Jsonb *const *) a)->root, &(*(Jsonb *const *) b)->root);
}

/* The elements of all arrays; other values are left out. */
static Jsonb **
list_rates(ArrayType *array, int *count)
{
	Datum	   *answers;
	bool	   *nulls;
	int			nanswers;
	int			room = 16;
	Jsonb	  **rates = palloc(room * sizeof(Jsonb *));

	*count = 0;
	deconstruct_array(array, JSONBOID, -1, false, TYPALIGN_INT, &answers, &nulls, &nanswers);
	for (int i = 0; i < nanswers; i++)
	{
		Jsonb	   *answer = nulls[i] ? NULL : DatumGetJsonbP(answers[i]);

		if (answer == NULL || !JB_ROOT_IS_ARRAY(answer))
			continue;
		for (uint32 j = 0; j < JB_ROOT_COUNT(answer); j++)
		{
			if (*count == room)
			{
				room *= 2;
				rates = repalloc_huge(rates, room * sizeof(Jsonb *));
			}
			rates[(*count)++] = JsonbValueToJsonb(getIthJsonbValueFromContainer(&answer->root, j));
		}
	}
	return rates;
}

/*
 * crm_rates_used(rates jsonb[]) -> jsonb
 *		The rates in several answers of exchange_rate(), each once, in the order of
 *		jsonb; NULLs are left out.
 */
PG_FUNCTION_INFO_V1(crm_rates_used);
Datum
crm_rates_used(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	int			count = 0;
	Jsonb	  **rates = PG_ARGISNULL(0) ? NULL : list_rates(PG_GETARG_ARRAYTYPE_P(0), &count);

	if (count > 1)
		qsort(rates, count, sizeof(Jsonb *), compare_rates);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < count; i++)
	{
		JsonbValue	rate;

		if (i > 0 && compare_rates(&rates[i - 1], &rates[i]) == 0)
			continue;
		JsonbToJsonbValue(rates[i], &rate);
		pushJsonbValue(&state, WJB_ELEM, &rate);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/*
 * crm_oldest_rate(rates jsonb) -> date
 *		The day from which the oldest of the rates of crm_rates_used() is valid; NULL
 *		if there are none.
 */
PG_FUNCTION_INFO_V1(crm_oldest_rate);
Datum
crm_oldest_rate(PG_FUNCTION_ARGS)
{
	Jsonb	   *rates = PG_GETARG_JSONB_P(0);
	DateADT		oldest = DATEVAL_NOEND;
	bool		found = false;

	for (uint32 i = 0; JB_ROOT_IS_ARRAY(rates) && i < JB_ROOT_COUNT(rates); i++)
	{
		JsonbValue *rate = getIthJsonbValueFromContainer(&rates->root, i);
		JsonbValue	day;
		DateADT		valid_from;
		char	   *text;

		if (rate->type != jbvBinary || !JsonContainerIsObject(rate->val.binary.data) ||
			getKeyJsonValueFromContainer(rate->val.binary.data, "valid_from", 10, &day) == NULL ||
			day.type != jbvString)
			continue;
		text = pnstrdup(day.val.string.val, day.val.string.len);

		valid_from = DatumGetDateADT(DirectFunctionCall1(date_in, CStringGetDatum(text)));
		oldest = found ? Min(oldest, valid_from) : valid_from;
		found = true;
	}
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(oldest);
}
