/*
 * analytics/convert.c
 *		Amounts in another currency.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "analytics/convert.h"

Numeric
crm_convert_amount(Numeric amount, Numeric multiply_by, Numeric divide_by)
{
	Numeric		one = int64_div_fast_to_numeric(INT64CONST(1000000000000), 12);
	Datum		product = DirectFunctionCall2(numeric_mul, NumericGetDatum(amount),
											  NumericGetDatum(multiply_by));

	if (DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(divide_by),
										 NumericGetDatum(int64_to_numeric(1)))))
		return DatumGetNumeric(product);
	/* A quotient has at least as many digits as its dividend: 12. */
	product = DirectFunctionCall2(numeric_mul, product,
								  NumericGetDatum(one));
	return DatumGetNumeric(DirectFunctionCall2(numeric_round,
											   DirectFunctionCall2(numeric_div, product,
																   NumericGetDatum(divide_by)),
											   Int32GetDatum(8)));
}

/*
 * crm_convert(amount numeric, multiply_by numeric, divide_by numeric) -> numeric
 *		The amount by the factors that exchange_rate() returns.
 */
PG_FUNCTION_INFO_V1(crm_convert);
Datum
crm_convert(PG_FUNCTION_ARGS)
{
	PG_RETURN_NUMERIC(crm_convert_amount(PG_GETARG_NUMERIC(0), PG_GETARG_NUMERIC(1),
										 PG_GETARG_NUMERIC(2)));
}
