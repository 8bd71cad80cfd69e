/*
 * analytics/group_value.c
 *		What deals are grouped by, of columns that are JSON or arrays.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

/* Bytes of a value in an error. */
#define MAX_SHOWN 200

/* The array with one dimension; it may have several, of which JSON makes arrays of arrays. */
static Datum
flatten(Datum value, Oid element)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int			lower = 1;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int16		length;
	bool		by_value;
	char		align;

	if (ARR_NDIM(array) <= 1)
		return PointerGetDatum(array);
	get_typlenbyvalalign(element, &length, &by_value, &align);
	deconstruct_array(array, element, length, by_value, align, &elements, &nulls, &count);
	return PointerGetDatum(construct_md_array(elements, nulls, 1, &count, &lower, element, length,
											  by_value, align));
}

static void
refuse_value(const ErrorData *error, const char *column, Oid type, Datum value)
{
	Oid			output;
	bool		is_varlena;
	char	   *text;

	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);

	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("deals cannot be grouped by a value of \"%s\": %s", column, error->message),
			 errdetail("The value is %.*s", pg_mbcliplen(text, strlen(text), MAX_SHOWN), text),
			 errhint("Correct it, or give the column the type jsonb, which refuses such values.")));
}

/* What to_jsonb() makes of it; it finds the type of its argument as that of ours. */
static Datum
make_jsonb(FunctionCallInfo fcinfo, Datum value)
{
	LOCAL_FCINFO(call, 1);

	InitFunctionCallInfoData(*call, fcinfo->flinfo, 1, InvalidOid, NULL, NULL);
	call->args[0].value = value;
	call->args[0].isnull = false;
	return to_jsonb(call);
}

/*
 * crm_group_value(value anyelement, column_name text) -> jsonb
 *		The value as to_jsonb() has it, an array with one dimension.  Errors of the value,
 *		as of JSON that jsonb does not take, name the column.
 */
PG_FUNCTION_INFO_V1(crm_group_value);
Datum
crm_group_value(PG_FUNCTION_ARGS)
{
	Oid			type = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, 0));
	Oid			element = get_element_type(type);
	Datum		value = PG_GETARG_DATUM(0);
	MemoryContext caller = CurrentMemoryContext;
	volatile Datum result = (Datum) 0;

	if (OidIsValid(element))
		value = flatten(value, element);
	PG_TRY();
	{
		result = make_jsonb(fcinfo, value);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			ReThrowError(error);
		refuse_value(error, text_to_cstring(PG_GETARG_TEXT_PP(1)), type, value);
	}
	PG_END_TRY();
	return result;
}
