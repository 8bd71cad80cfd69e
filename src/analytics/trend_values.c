/*
 * analytics/trend_values.c
 *		The arguments of crm_trend_rows() that are arrays.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/lsyscache.h"

#include "analytics/trend_values.h"

void
crm_refuse_trend(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("these are not the changes of sums at those moments"),
			 errhint("Give all that was returned for the same moments, in its order.")));
}

Values
crm_trend_values(FunctionCallInfo fcinfo, int arg, Oid type, int count)
{
	Values		result = {0};
	int16		length;
	bool		by_value;
	char		align;

	if (!PG_ARGISNULL(arg))
	{
		get_typlenbyvalalign(type, &length, &by_value, &align);
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), type, length, by_value, align,
						  &result.values, &result.nulls, &result.count);
	}
	if (count != NOTHING && result.count != count)
		crm_refuse_trend();
	return result;
}
