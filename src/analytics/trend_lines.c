/*
 * analytics/trend_lines.c
 *		The lines of a trend, and which sums each of them adds up.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "analytics/trend_lines.h"
#include "analytics/trend_values.h"

enum
{
	GROUP_KEYS, TOTALS, CURRENCIES, STAGES, SUMS
};

/* NULL is least. */
static int
compare_texts(const text *a, const text *b)
{
	Size		size;
	int			order;

	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	size = Min(VARSIZE_ANY_EXHDR(a), VARSIZE_ANY_EXHDR(b));
	order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), size);
	if (order != 0)
		return order;
	return (VARSIZE_ANY_EXHDR(a) > size) - (VARSIZE_ANY_EXHDR(b) > size);
}

static int
compare_stages(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return memcmp(a, b, UUID_LEN);
}

static int
compare_lines(const TrendMember *a, const TrendMember *b)
{
	int			order = (int) a->is_total - (int) b->is_total;

	if (order == 0)
		order = compare_texts(a->group_key, b->group_key);
	if (order == 0)
		order = compare_texts(a->currency, b->currency);
	if (order == 0)
		order = compare_stages(a->stage, b->stage);
	return order;
}

static int
compare_members(const void *a, const void *b)
{
	int			order = compare_lines(a, b);

	if (order != 0)
		return order;
	return ((const TrendMember *) a)->sum - ((const TrendMember *) b)->sum;
}

static int
get_sum(const Values *sums, int i, int nsums)
{
	int			sum;

	if (sums->nulls[i])
		return NOTHING;
	sum = DatumGetInt32(sums->values[i]);
	if (sum < 1 || sum > nsums)
		crm_refuse_trend();
	return sum - 1;
}

TrendMember *
crm_trend_members(FunctionCallInfo fcinfo, int first, int nsums, int *count)
{
	Values		keys = crm_trend_values(fcinfo, first + GROUP_KEYS, TEXTOID, NOTHING);
	Values		totals = crm_trend_values(fcinfo, first + TOTALS, BOOLOID, keys.count);
	Values		currencies = crm_trend_values(fcinfo, first + CURRENCIES, TEXTOID, keys.count);
	Values		stages = crm_trend_values(fcinfo, first + STAGES, UUIDOID, keys.count);
	Values		sums = crm_trend_values(fcinfo, first + SUMS, INT4OID, keys.count);
	TrendMember *members = palloc((keys.count + 1) * sizeof(TrendMember));

	for (int i = 0; i < keys.count; i++)
	{
		if (totals.nulls[i] || currencies.nulls[i])
			crm_refuse_trend();
		members[i] = (TrendMember)
		{
			.group_key = keys.nulls[i] ? NULL : DatumGetTextPP(keys.values[i]),
				.is_total = DatumGetBool(totals.values[i]),
				.currency = DatumGetTextPP(currencies.values[i]),
				.stage = stages.nulls[i] ? NULL : DatumGetPointer(stages.values[i]),
				.sum = get_sum(&sums, i, nsums)
		};
	}
	qsort(members, keys.count, sizeof(TrendMember), compare_members);
	*count = keys.count;
	return members;
}

int
crm_trend_line_end(const TrendMember *members, int count, int first)
{
	int			end = first + 1;

	while (end < count && compare_lines(&members[first], &members[end]) == 0)
		end++;
	return end;
}
