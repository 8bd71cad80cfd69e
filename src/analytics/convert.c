/*
 * analytics/convert.c
 *		Sums of amounts in another currency.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "base/quotients.h"

enum
{
	ARG_STATE, ARG_AMOUNT, ARG_MULTIPLY_BY, ARG_DIVIDE_BY
};

static Numeric
get_product(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_MULTIPLY_BY))
		return PG_GETARG_NUMERIC(ARG_AMOUNT);
	return DatumGetNumeric(DirectFunctionCall2(numeric_mul, PG_GETARG_DATUM(ARG_AMOUNT),
											   PG_GETARG_DATUM(ARG_MULTIPLY_BY)));
}

/*
 * crm_converted_sum_add(state internal, amount numeric, multiply_by numeric,
 *		divide_by numeric) -> internal
 *		Transition function of crm_converted_sum(), for aggregates only.  A factor that
 *		is NULL is 1; NULL amounts count for nothing.
 */
PG_FUNCTION_INFO_V1(crm_converted_sum_add);
Datum
crm_converted_sum_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext caller;
	CrmQuotients *sum;
	Numeric		product;
	Numeric		divisor;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can be called by an aggregate only")));
	sum = PG_ARGISNULL(ARG_STATE) ? NULL : (CrmQuotients *) PG_GETARG_POINTER(ARG_STATE);
	if (sum == NULL)
		sum = MemoryContextAllocZero(context, sizeof(CrmQuotients));
	if (PG_ARGISNULL(ARG_AMOUNT))
		PG_RETURN_POINTER(sum);
	product = get_product(fcinfo);
	divisor = PG_ARGISNULL(ARG_DIVIDE_BY) ? NULL : PG_GETARG_NUMERIC(ARG_DIVIDE_BY);
	caller = MemoryContextSwitchTo(context);
	crm_quotients_add(sum, product, divisor);
	MemoryContextSwitchTo(caller);
	PG_RETURN_POINTER(sum);
}

/*
 * crm_converted_sum_final(state internal) -> numeric
 *		The sum; NULL if there was no amount.
 */
PG_FUNCTION_INFO_V1(crm_converted_sum_final);
Datum
crm_converted_sum_final(PG_FUNCTION_ARGS)
{
	const CrmQuotients *sum;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can be called by an aggregate only")));
	sum = PG_ARGISNULL(ARG_STATE) ? NULL : (const CrmQuotients *) PG_GETARG_POINTER(ARG_STATE);
	if (sum == NULL || sum->total == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(crm_quotients_told(sum->total, sum->count > 0));
}
