/*
 * analytics/groups.c
 *		The groups of reports.
 *
 * In C, as the planner would inline an SQL function, and so plan it anew in each call.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

/* Equal numbers are one group, however many zeros each has: 1 and 1.0. */
static Datum
trim_number(Numeric number)
{
	return DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(number));
}

/* An object or an array, with its numbers trimmed. */
static char *
container_text(JsonbContainer *container)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbParseState *state = NULL;
	JsonbValue *copy = NULL;
	JsonbIteratorToken token;
	JsonbValue	value;
	Jsonb	   *result;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if ((token == WJB_VALUE || token == WJB_ELEM) && value.type == jbvNumeric)
			value.val.numeric = DatumGetNumeric(trim_number(value.val.numeric));
		copy = pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	result = JsonbValueToJsonb(copy);
	return JsonbToCString(NULL, &result->root, VARSIZE(result));
}

static char *
value_text(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return NULL;
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   trim_number(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvBinary:
			return container_text(value->val.binary.data);
		default:
			elog(ERROR, "unknown type of a jsonb value: %d", (int) value->type);
	}
	return NULL;				/* not reached */
}

/* NULL comes last. */
static int
compare_keys(const void *a, const void *b)
{
	const char *x = *(char *const *) a;
	const char *y = *(char *const *) b;

	CHECK_FOR_INTERRUPTS();
	if (x == NULL || y == NULL)
		return (x == NULL) - (y == NULL);
	return strcmp(x, y);
}

/* The keys of the groups: elements of an array, or the value; at least one, maybe NULL. */
static char **
read_keys(Jsonb *value, int *count)
{
	JsonbContainer *array = &value->root;
	int			size = JB_ROOT_IS_ARRAY(value) ? JB_ROOT_COUNT(value) : 1;
	char	  **keys = palloc0(Max(size, 1) * sizeof(char *));

	*count = Max(size, 1);
	if (!JB_ROOT_IS_ARRAY(value))
		keys[0] = container_text(array);
	for (int i = 0; i < size && JB_ROOT_IS_ARRAY(value); i++)
		keys[i] = value_text(getIthJsonbValueFromContainer(array, i));
	return keys;
}

static void
put_group(ReturnSetInfo *rows, const char *key, bool is_total)
{
	Datum		values[2] = {0, BoolGetDatum(is_total)};
	bool		nulls[2] = {key == NULL, false};

	if (key != NULL)
		values[0] = CStringGetTextDatum(key);
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}

/*
 * crm_groups(group_by text, keys jsonb) -> setof (group_key text, is_total bool)
 *		The groups that deals are in which have that in the dimension group_by: the
 *		total and, if that is not NULL, a group, or of an array one for each element.
 */
PG_FUNCTION_INFO_V1(crm_groups);
Datum
crm_groups(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	char	  **keys;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	put_group(rows, NULL, true);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	if (PG_ARGISNULL(1))
	{
		put_group(rows, NULL, false);
		return (Datum) 0;
	}
	keys = read_keys(PG_GETARG_JSONB_P(1), &count);
	qsort(keys, count, sizeof(char *), compare_keys);
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0)
			put_group(rows, keys[i], false);
	}
	return (Datum) 0;
}
