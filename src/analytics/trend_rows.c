/*
 * analytics/trend_rows.c
 *		The sums of a trend at each moment, from their changes.
 *
 * A line of the trend adds up some sums.  Only what changes at a moment is visited
 * there: a sum waits in the list of the moment at which it changes next.  Amounts
 * that are converted are numerics, as they have any number of digits; a sum is converted
 * as a whole, and what it was before is taken off, so that each moment is exact, and
 * rounded once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "analytics/conversion_day.h"
#include "analytics/point_sums.h"
#include "analytics/trend_conversions.h"
#include "analytics/trend_lines.h"
#include "analytics/trend_values.h"
#include "analytics/uuid_key.h"
#include "base/quotients.h"

enum
{
	ARG_AT, ARG_GROUP_KEYS, ARG_TOTALS, ARG_VALUE_CURRENCIES, ARG_STAGES, ARG_LINE_SUMS,
	ARG_STATUSES, ARG_GONE_STAGES, ARG_PERIODS, ARG_CURRENCIES, ARG_RATE_DAYS, ARG_OF_POINTS,
	ARG_CHANGES, ARG_CONVERSION_CURRENCIES, ARG_CONVERSION_DAYS, ARG_MULTIPLY_BY, ARG_DIVIDE_BY,
	ARG_OLDEST_RATES
};

enum
{
	ROW_GROUP_KEY, ROW_TOTAL, ROW_VALUE_CURRENCY, ROW_STAGE, ROW_AT,
	ROW_OPEN_DEALS, ROW_OPEN_VALUE, ROW_OPEN_WEIGHTED, ROW_WON_DEALS, ROW_WON_VALUE,
	ROW_WON_WEIGHTED, ROW_LOST_DEALS, ROW_LOST_VALUE, ROW_LOST_WEIGHTED,
	ROW_WITHOUT_AMOUNT, ROW_WITHOUT_PROBABILITY, ROW_PERIOD, ROW_CONVERSIONS,
	ROW_OLDEST_RATE, ROW_COLUMNS
};

#define STATUSES	3

/* A sum, and how far its changes are added up. */
typedef struct TrendSum
{
	DealStatus	status;
	bool		is_gone;		/* its stage is no more */
	UuidKey		gone_stage;
	int			period;
	uint64		currency;
	PointRate	rate;
	const TrendConversion *conversion;	/* of POINT_RATE_OF_DAY */
	const char *changes;		/* PointChanges, maybe not aligned */
	uint32		nchanges;
	uint32		nread;
	PointChange total;
	Numeric		value;			/* of the total, multiplied; NULL: not */
	Numeric		weighted_value;
	Numeric		divisor;		/* of both */
	int			part;
	int			next;			/* in the list of a point */
} TrendSum;

typedef struct StatusSums
{
	int64		deals;
	int128		value;
	int128		weighted_value;
	CrmQuotients more_value;	/* converted */
	CrmQuotients more_weighted_value;
} StatusSums;

/* What parts of a line add up to, as a row tells it. */
typedef struct RowSum
{
	int128		fixed;
	Numeric		more;			/* NULL: nothing */
	bool		has_quotients;
} RowSum;

typedef struct RowSums
{
	int64		deals;
	RowSum		value;
	RowSum		weighted_value;
} RowSums;

/*
 * Of a line: all stages that are there, or the sums of a stage that is no more, of a value
 * period.  These count by the status that the summary gives them: the first one, by
 * its name, of the deals.
 */
typedef struct Part
{
	bool		is_gone;
	UuidKey		stage;
	int			period;
	StatusSums	sums[STATUSES];
} Part;

typedef struct Trend
{
	ReturnSetInfo *rows;
	const TimestampTz *at;
	int			npoints;
	TrendSum   *sums;
	int			nsums;
	TrendConversions conversions;
	int		   *waiting;		/* by point: the first sum that changes there */
	/* of the line: */
	const TrendMember *line;
	int			nmembers;
	Part	   *parts;
	int			nparts;
	int64		amounts[CRM_PERIODS];
	int64		without_amount;
	int64		without_probability;
	Datum	   *used;			/* conversions, at the point */
	int			nused;
} Trend;

/* ---- arguments ---- */

static void
read_changes(TrendSum *sum, Datum datum)
{
	const bytea *changes = DatumGetByteaPP(datum);

	if (VARSIZE_ANY_EXHDR(changes) % sizeof(PointChange) != 0)
		crm_refuse_trend();
	sum->changes = VARDATA_ANY(changes);
	sum->nchanges = VARSIZE_ANY_EXHDR(changes) / sizeof(PointChange);
}

static void
read_rate(const Trend *trend, TrendSum *sum, const Values *days, const Values *of_points, int i)
{
	sum->rate = POINT_RATE_NONE;
	if (!days->nulls[i])
	{
		sum->rate = POINT_RATE_OF_DAY;
		sum->conversion = crm_find_trend_conversion(&trend->conversions, sum->currency,
													DatumGetDateADT(days->values[i]));
	}
	else if (!of_points->nulls[i] && DatumGetBool(of_points->values[i]))
		sum->rate = POINT_RATE_OF_POINT;
}

static void
read_sums(FunctionCallInfo fcinfo, Trend *trend)
{
	Values		statuses = crm_trend_values(fcinfo, ARG_STATUSES, TEXTOID, NOTHING);
	int			count = statuses.count;
	Values		gone = crm_trend_values(fcinfo, ARG_GONE_STAGES, UUIDOID, count);
	Values		periods = crm_trend_values(fcinfo, ARG_PERIODS, TEXTOID, count);
	Values		currencies = crm_trend_values(fcinfo, ARG_CURRENCIES, TEXTOID, count);
	Values		days = crm_trend_values(fcinfo, ARG_RATE_DAYS, DATEOID, count);
	Values		of_points = crm_trend_values(fcinfo, ARG_OF_POINTS, BOOLOID, count);
	Values		changes = crm_trend_values(fcinfo, ARG_CHANGES, BYTEAOID, count);

	trend->sums = palloc0((count + 1) * sizeof(TrendSum));
	trend->nsums = count;
	for (int i = 0; i < count; i++)
	{
		TrendSum   *sum = &trend->sums[i];
		const text *period;

		if (statuses.nulls[i] || periods.nulls[i] || changes.nulls[i] ||
			!crm_parse_deal_status(statuses.values[i], &sum->status))
			crm_refuse_trend();
		sum->is_gone = !gone.nulls[i];
		if (sum->is_gone)
			sum->gone_stage = crm_uuid_key(DatumGetPointer(gone.values[i]));
		period = DatumGetTextPP(periods.values[i]);
		sum->period = crm_summary_period_key(VARDATA_ANY(period), VARSIZE_ANY_EXHDR(period));
		sum->currency = currencies.nulls[i] ? 0 : crm_trend_currency(currencies.values[i]);
		read_rate(trend, sum, &days, &of_points, i);
		read_changes(sum, changes.values[i]);
	}
}

/* ---- adding up ---- */

static Numeric
combine(PGFunction operation, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(operation, NumericGetDatum(a), NumericGetDatum(b)));
}

/* Takes what the sum was off, and adds what it is; of the same divisor, both at once. */
static void
convert(Numeric *old, Numeric old_divisor, CrmQuotients *to, int128 amount, int scale,
		const TrendConversion *conversion)
{
	Numeric		product = NULL;

	if (conversion != NULL)
		product = combine(numeric_mul, crm_fixed_to_numeric(amount, scale),
						  conversion->multiply_by);
	if (*old != NULL && product != NULL && old_divisor == conversion->divide_by)
		crm_quotients_add(to, combine(numeric_sub, product, *old), old_divisor);
	else
	{
		if (*old != NULL)
			crm_quotients_subtract(to, *old, old_divisor);
		if (product != NULL)
			crm_quotients_add(to, product, conversion->divide_by);
	}
	if (*old != NULL)
		pfree(*old);
	*old = product;
}

/* The one of a sum that is converted; NULL if it has no amounts. */
static const TrendConversion *
conversion_at(const Trend *trend, const TrendSum *sum, int point)
{
	return sum->rate == POINT_RATE_OF_DAY ? sum->conversion :
		crm_find_trend_conversion(&trend->conversions, sum->currency, crm_day_of(trend->at[point]));
}

static void
convert_sum(Trend *trend, TrendSum *sum, StatusSums *to, int point)
{
	const TrendConversion *conversion = conversion_at(trend, sum, point);

	if (conversion == NULL)
	{
		if (sum->total.value != 0 || sum->total.weighted_value != 0)
			crm_refuse_trend();
	}
	else if (sum->total.deals > sum->total.deals_without_amount)
		trend->used[trend->nused++] = Int32GetDatum(conversion->no);
	convert(&sum->value, sum->divisor, &to->more_value, sum->total.value, CRM_AMOUNT_SCALE,
			conversion);
	convert(&sum->weighted_value, sum->divisor, &to->more_weighted_value,
			sum->total.weighted_value, CRM_WEIGHTED_SCALE, conversion);
	sum->divisor = conversion == NULL ? NULL : conversion->divide_by;
}

static void
add_counts(Trend *trend, TrendSum *sum, StatusSums *to, const PointChange *change)
{
	if (pg_add_s64_overflow(sum->total.deals, change->deals, &sum->total.deals) ||
		pg_add_s64_overflow(sum->total.deals_without_amount, change->deals_without_amount,
							&sum->total.deals_without_amount) ||
		pg_add_s64_overflow(to->deals, change->deals, &to->deals) ||
		pg_add_s64_overflow(trend->without_amount, change->deals_without_amount,
							&trend->without_amount) ||
		pg_add_s64_overflow(trend->without_probability, change->deals_without_probability,
							&trend->without_probability) ||
		pg_add_s64_overflow(trend->amounts[sum->period], change->deals,
							&trend->amounts[sum->period]) ||
		pg_sub_s64_overflow(trend->amounts[sum->period], change->deals_without_amount,
							&trend->amounts[sum->period]))
		crm_summary_overflow();
}

static void
add_amounts(TrendSum *sum, StatusSums *to, const PointChange *change)
{
	if (!crm_fixed_add(sum->total.value, change->value, &sum->total.value) ||
		!crm_fixed_add(sum->total.weighted_value, change->weighted_value,
					   &sum->total.weighted_value))
		crm_summary_overflow();
	if (sum->rate == POINT_RATE_NONE &&
		(!crm_fixed_add(to->value, change->value, &to->value) ||
		 !crm_fixed_add(to->weighted_value, change->weighted_value, &to->weighted_value)))
		crm_summary_overflow();
}

static bool
read_change(const TrendSum *sum, PointChange *change)
{
	if (sum->nread == sum->nchanges)
		return false;
	memcpy(change, sum->changes + sum->nread * sizeof(PointChange), sizeof(PointChange));
	return true;
}

/* Puts the sum into the list of the point at which it is to be visited next. */
static void
wait_for_change(Trend *trend, int no, int after)
{
	TrendSum   *sum = &trend->sums[no];
	PointChange change;
	int			point = trend->npoints;

	if (read_change(sum, &change))
	{
		if (change.point >= trend->npoints || (int) change.point <= after)
			crm_refuse_trend();
		point = change.point;
	}
	if (sum->rate == POINT_RATE_OF_POINT && sum->total.deals != 0)
		point = after + 1;
	if (point >= trend->npoints)
		return;
	sum->next = trend->waiting[point];
	trend->waiting[point] = no;
}

/* Adds up what changes at the point. */
static void
visit_point(Trend *trend, int point)
{
	int			next;

	trend->nused = 0;
	for (int no = trend->waiting[point]; no != NOTHING; no = next)
	{
		TrendSum   *sum = &trend->sums[no];
		StatusSums *to = &trend->parts[sum->part].sums[sum->status];
		PointChange change;

		next = sum->next;
		if (read_change(sum, &change) && change.point == point)
		{
			sum->nread++;
			add_counts(trend, sum, to, &change);
			add_amounts(sum, to, &change);
		}
		if (sum->rate != POINT_RATE_NONE)
			convert_sum(trend, sum, to, point);
		wait_for_change(trend, no, point);
	}
	trend->waiting[point] = NOTHING;
}

/* ---- rows ---- */

/* The status that all deals of a stage that is no more count by. */
static DealStatus
status_of_gone(const Part *part)
{
	static const DealStatus by_name[] = {DEAL_LOST, DEAL_OPEN, DEAL_WON};

	for (int i = 0; i < STATUSES; i++)
	{
		if (part->sums[by_name[i]].deals > 0)
			return by_name[i];
	}
	return DEAL_OPEN;
}

static void
add_sum(RowSum *to, int128 fixed, const CrmQuotients *more)
{
	if (!crm_fixed_add(to->fixed, fixed, &to->fixed))
		crm_summary_overflow();
	if (more->total != NULL)
		to->more = to->more == NULL ? more->total : combine(numeric_add, to->more, more->total);
	to->has_quotients |= more->count > 0;
}

static void
add_sums(RowSums *to, const StatusSums *from)
{
	if (pg_add_s64_overflow(to->deals, from->deals, &to->deals))
		crm_summary_overflow();
	add_sum(&to->value, from->value, &from->more_value);
	add_sum(&to->weighted_value, from->weighted_value, &from->more_weighted_value);
}

static Datum
make_value(const RowSum *sum, int scale)
{
	Numeric		value = crm_fixed_to_numeric(sum->fixed, scale);

	if (sum->more != NULL)
		value = combine(numeric_add, value, sum->more);
	value = crm_quotients_told(value, sum->has_quotients);
	return DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value));
}

/* The value period of the amounts, one_time if there are none; NULL: there are several. */
static const char *
common_period(const Trend *trend)
{
	SummaryKey	key = {.rest = CRM_ONE_TIME};
	int			count = 0;

	for (int period = 0; period < CRM_PERIODS; period++)
	{
		if (trend->amounts[period] == 0)
			continue;
		count++;
		key.rest = period;
	}
	return count > 1 ? NULL : crm_summary_period_name(&key);
}

static void
put_line(const TrendMember *line, Datum *values, bool *nulls)
{
	values[ROW_GROUP_KEY] = PointerGetDatum(line->group_key);
	nulls[ROW_GROUP_KEY] = line->group_key == NULL;
	values[ROW_TOTAL] = BoolGetDatum(line->is_total);
	values[ROW_VALUE_CURRENCY] = PointerGetDatum(line->currency);
	values[ROW_STAGE] = PointerGetDatum(line->stage);
	nulls[ROW_STAGE] = line->stage == NULL;
}

/* The day of the oldest rate of all amounts at the point; false if none is converted. */
static bool
oldest_rate(const Trend *trend, int point, DateADT *oldest)
{
	bool		found = false;

	for (int i = 0; trend->conversions.count > 0 && i < trend->nmembers; i++)
	{
		int			no = trend->line[i].sum;
		const TrendConversion *conversion;

		if (no == NOTHING || trend->sums[no].rate == POINT_RATE_NONE ||
			trend->sums[no].total.deals <= trend->sums[no].total.deals_without_amount)
			continue;
		conversion = conversion_at(trend, &trend->sums[no], point);
		if (conversion != NULL && (!found || conversion->oldest_rate < *oldest))
			*oldest = conversion->oldest_rate;
		found |= conversion != NULL;
	}
	return found;
}

static void
put_row(const Trend *trend, int point)
{
	RowSums		sums[STATUSES] = {0};
	Datum		values[ROW_COLUMNS];
	bool		nulls[ROW_COLUMNS] = {false};
	const char *period = common_period(trend);
	DateADT		oldest = 0;

	for (int i = 0; i < trend->nparts; i++)
	{
		const Part *part = &trend->parts[i];
		DealStatus	gone = status_of_gone(part);

		for (int status = 0; status < STATUSES; status++)
			add_sums(&sums[part->is_gone ? gone : status], &part->sums[status]);
	}
	put_line(trend->line, values, nulls);
	values[ROW_AT] = TimestampTzGetDatum(trend->at[point]);
	for (int status = 0; status < STATUSES; status++)
	{
		Datum	   *columns = &values[ROW_OPEN_DEALS + 3 * status];

		columns[0] = Int64GetDatum(sums[status].deals);
		columns[1] = make_value(&sums[status].value, CRM_AMOUNT_SCALE);
		columns[2] = make_value(&sums[status].weighted_value, CRM_WEIGHTED_SCALE);
	}
	values[ROW_WITHOUT_AMOUNT] = Int64GetDatum(trend->without_amount);
	values[ROW_WITHOUT_PROBABILITY] = Int64GetDatum(trend->without_probability);
	nulls[ROW_PERIOD] = period == NULL;
	values[ROW_PERIOD] = period == NULL ? (Datum) 0 : CStringGetTextDatum(period);
	nulls[ROW_CONVERSIONS] = trend->nused == 0;
	values[ROW_CONVERSIONS] = nulls[ROW_CONVERSIONS] ? (Datum) 0 :
		PointerGetDatum(construct_array(trend->used, trend->nused, INT4OID, sizeof(int32), true,
										TYPALIGN_INT));
	nulls[ROW_OLDEST_RATE] = !oldest_rate(trend, point, &oldest);
	values[ROW_OLDEST_RATE] = DateADTGetDatum(oldest);
	tuplestore_putvalues(trend->rows->setResult, trend->rows->setDesc, values, nulls);
}

/* ---- lines ---- */

/* The part of the line that a sum belongs to; the first one is of the stages that are there. */
static int
find_part(Trend *trend, const TrendSum *sum)
{
	if (!sum->is_gone)
		return 0;
	for (int i = 1; i < trend->nparts; i++)
	{
		if (trend->parts[i].period == sum->period &&
			crm_uuid_keys_equal(trend->parts[i].stage, sum->gone_stage))
			return i;
	}
	trend->parts[trend->nparts] = (Part)
	{
		true, sum->gone_stage, sum->period
	};
	return trend->nparts++;
}

static void
begin_line(Trend *trend, const TrendMember *members, int count)
{
	trend->line = members;
	trend->nmembers = count;
	trend->parts = palloc0((count + 1) * sizeof(Part));
	trend->nparts = 1;
	trend->used = palloc((count + 1) * sizeof(Datum));
	trend->without_amount = trend->without_probability = 0;
	memset(trend->amounts, 0, sizeof(trend->amounts));
	for (int i = 0; i < count; i++)
	{
		TrendSum   *sum;

		if (members[i].sum == NOTHING)
			continue;
		if (i > 0 && members[i].sum == members[i - 1].sum)
			crm_refuse_trend();
		sum = &trend->sums[members[i].sum];
		sum->nread = 0;
		memset(&sum->total, 0, sizeof(sum->total));
		sum->value = sum->weighted_value = sum->divisor = NULL;
		sum->part = find_part(trend, sum);
		wait_for_change(trend, members[i].sum, NOTHING);
	}
}

static void
put_lines(FunctionCallInfo fcinfo, Trend *trend)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm trend line",
												  ALLOCSET_DEFAULT_SIZES);
	int			count;
	TrendMember *members = crm_trend_members(fcinfo, ARG_GROUP_KEYS, trend->nsums, &count);
	int			end;

	for (int first = 0; first < count; first = end)
	{
		MemoryContext caller = MemoryContextSwitchTo(context);

		end = crm_trend_line_end(members, count, first);
		begin_line(trend, members + first, end - first);
		for (int point = 0; point < trend->npoints; point++)
		{
			CHECK_FOR_INTERRUPTS();
			visit_point(trend, point);
			put_row(trend, point);
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}

/*
 * crm_trend_rows(moments timestamptz[], group_keys text[], totals bool[],
 *		value_currencies text[], stages uuid[], line_sums int[],
 *		statuses text[], gone_stages uuid[], value_periods text[], currencies text[],
 *		rate_days date[], of_points bool[], changes bytea[],
 *		conversion_currencies text[], conversion_days date[], multiply_by numeric[],
 *		divide_by numeric[], oldest_rates date[])
 *	-> setof (group_key text, is_total bool, value_currency text, stage_id uuid,
 *		at timestamptz, open_deals bigint, ...)
 *		Adds up sums of crm_summary_changes(), from statuses to changes, for the lines
 *		of a trend.  A line is a group key, whether it is the total, a currency and a
 *		stage; line_sums has the number of a sum, counted from 1, of that line, or null if
 *		it has none.  A row for each line and moment.  gone_stages has the stages that
 *		are no more.  conversions are the numbers of those that were used for what
 *		changed, oldest_rate is the oldest day of all that were.  ERROR 22023
 *		if all this does not fit.
 */
PG_FUNCTION_INFO_V1(crm_trend_rows);
Datum
crm_trend_rows(PG_FUNCTION_ARGS)
{
	Trend		trend = {(ReturnSetInfo *) fcinfo->resultinfo};
	Values		at = crm_trend_values(fcinfo, ARG_AT, TIMESTAMPTZOID, NOTHING);

	InitMaterializedSRF(fcinfo, 0);
	trend.npoints = at.count;
	trend.at = (const TimestampTz *) at.values;
	trend.waiting = palloc((at.count + 1) * sizeof(int));
	for (int point = 0; point < at.count; point++)
	{
		if (at.nulls[point])
			crm_refuse_trend();
		trend.waiting[point] = NOTHING;
	}
	crm_read_trend_conversions(fcinfo, ARG_CONVERSION_CURRENCIES, &trend.conversions);
	read_sums(fcinfo, &trend);
	put_lines(fcinfo, &trend);
	return (Datum) 0;
}
