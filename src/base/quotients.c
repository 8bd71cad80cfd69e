/*
 * base/quotients.c
 *		Exact sums of amounts in another currency, which are quotients.
 *
 * A quotient has more digits than any sum of money needs, so that a sum of them, which
 * is rounded once, is right in its last digit.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "base/quotients.h"

/* Digits after the point: of a quotient, of a sum of them without their errors, and told. */
#define QUOTIENT_DIGITS	32
#define SUM_DIGITS		24
#define TOLD_DIGITS		8

static Numeric
compute(PGFunction operation, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(operation, NumericGetDatum(a), NumericGetDatum(b)));
}

static Numeric
round_to(Numeric number, int digits)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_round, NumericGetDatum(number),
											   Int32GetDatum(digits)));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static void
replace(Numeric *kept, Numeric by)
{
	if (*kept != NULL)
		pfree(*kept);
	*kept = by;
}

static Numeric
copy(Numeric number)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_uplus, NumericGetDatum(number)));
}

/* The quotient depends on the values alone, not on the zeros that they are written with. */
static Numeric
divide(Numeric dividend, Numeric divisor)
{
	Datum		least = DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(dividend));
	Numeric		scaled = round_to(DatumGetNumeric(least), QUOTIENT_DIGITS);
	Numeric		exact = compare(scaled, dividend) == 0 ? scaled : DatumGetNumeric(least);
	Numeric		quotient = compute(numeric_div, exact, divisor);
	Numeric		result = round_to(quotient, QUOTIENT_DIGITS);

	pfree(DatumGetPointer(least));
	pfree(scaled);
	pfree(quotient);
	return result;
}

/* The place of the divisor, or where it is to be. */
static int
find_place(const CrmQuotients *sum, Numeric divisor, bool *found)
{
	int			low = 0;
	int			high = sum->count;

	*found = false;
	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		int			order = compare(sum->items[middle].divisor, divisor);

		if (order == 0)
		{
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
insert_item(CrmQuotients *sum, int place, Numeric divisor)
{
	if (sum->count == sum->room)
	{
		sum->room = sum->room == 0 ? 2 : 2 * sum->room;
		sum->items = sum->items == NULL ? palloc(sum->room * sizeof(CrmQuotient)) :
			repalloc(sum->items, sum->room * sizeof(CrmQuotient));
	}
	memmove(&sum->items[place + 1], &sum->items[place],
			(sum->count - place) * sizeof(CrmQuotient));
	sum->items[place] = (CrmQuotient)
	{
		.divisor = copy(divisor)
	};
	sum->count++;
}

static void
remove_item(CrmQuotients *sum, int place)
{
	pfree(sum->items[place].divisor);
	pfree(sum->items[place].dividend);
	sum->count--;
	memmove(&sum->items[place], &sum->items[place + 1],
			(sum->count - place) * sizeof(CrmQuotient));
}

static void
add_to_total(CrmQuotients *sum, PGFunction operation, Numeric number)
{
	replace(&sum->total, compute(operation, sum->total, number));
}

static bool
is_one(Numeric divisor)
{
	Numeric		one = int64_to_numeric(1);
	bool		result = compare(divisor, one) == 0;

	pfree(one);
	return result;
}

static bool
is_zero(Numeric number)
{
	Numeric		zero = int64_to_numeric(0);
	bool		result = compare(number, zero) == 0;

	pfree(zero);
	return result;
}

/* Adds or subtracts what is divided by the same. */
static void
change_item(CrmQuotients *sum, PGFunction operation, Numeric dividend, Numeric divisor)
{
	bool		found;
	int			place = find_place(sum, divisor, &found);
	CrmQuotient *item;

	if (!found)
		insert_item(sum, place, divisor);
	item = &sum->items[place];
	if (item->dividend == NULL)
		item->dividend = int64_to_numeric(0);
	replace(&item->dividend, compute(operation, item->dividend, dividend));
	if (item->quotient != NULL)
		add_to_total(sum, numeric_sub, item->quotient);
	replace(&item->quotient, NULL);
	if (is_zero(item->dividend))
	{
		remove_item(sum, place);
		return;
	}
	item->quotient = divide(item->dividend, item->divisor);
	add_to_total(sum, numeric_add, item->quotient);
}

static void
change(CrmQuotients *sum, PGFunction operation, Numeric dividend, Numeric divisor)
{
	if (sum->total == NULL)
		sum->total = int64_to_numeric(0);
	if (divisor == NULL || is_one(divisor))
		add_to_total(sum, operation, dividend);
	else
		change_item(sum, operation, dividend, divisor);
}

void
crm_quotients_add(CrmQuotients *sum, Numeric dividend, Numeric divisor)
{
	change(sum, numeric_add, dividend, divisor);
}

void
crm_quotients_subtract(CrmQuotients *sum, Numeric dividend, Numeric divisor)
{
	change(sum, numeric_sub, dividend, divisor);
}

/* Without the errors of the quotients, what is half of the last digit told is so exactly. */
Numeric
crm_quotients_told(Numeric total, bool has_quotients)
{
	return has_quotients ? round_to(round_to(total, SUM_DIGITS), TOLD_DIGITS) : total;
}
