/*
 * base/calendar.c
 *		The periods of a calendar: weeks, months, fiscal quarters and years.
 *
 * A period is known by its first day.  All of it is arithmetic on dates, so that
 * it knows no time zone; which day a time is on, its cast to date tells.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"

#include "base/argument_errors.h"
#include "base/calendar.h"

#define MONTHS	12

static const char *const period_names[] = {"day", "week", "month", "quarter", "year"};

/* How many months a period has. */
static const int period_months[] = {0, 0, 1, 3, MONTHS};

static const struct config_enum_entry weekdays[] = {
	{"sunday", 0, false},
	{"monday", 1, false},
	{"tuesday", 2, false},
	{"wednesday", 3, false},
	{"thursday", 4, false},
	{"friday", 5, false},
	{"saturday", 6, false},
	{NULL, 0, false}
};

static int	week_start_setting = 1;
static int	fiscal_year_start_setting = 1;

void
crm_calendar_define_settings(void)
{
	DefineCustomEnumVariable("crm.week_start",
							 "The first day of a week in reports.",
							 NULL,
							 &week_start_setting, 1, weekdays, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("crm.fiscal_year_start",
							"The month with which a fiscal year begins in reports, 1 to 12.",
							"Quarters begin with it and every third month after it.",
							&fiscal_year_start_setting, 1, 1, MONTHS, PGC_USERSET, 0,
							NULL, NULL, NULL);
}

CrmPeriod
crm_get_period(text *name)
{
	char	   *word = text_to_cstring(name);

	for (int i = 0; i < lengthof(period_names); i++)
	{
		if (strcmp(word, period_names[i]) == 0)
			return (CrmPeriod) i;
	}
	crm_refuse_value("period", word, _("It is day, week, month, quarter or year."));
	return PERIOD_DAY;			/* not reached */
}

/* What is left of a number after the last multiple, never negative. */
static int
rest_of(int number, int divisor)
{
	int			rest = number % divisor;

	return rest < 0 ? rest + divisor : rest;
}

/* The first day of a month that is counted from January of the year 0. */
static DateADT
first_of_month(int month)
{
	int			of_year = rest_of(month, MONTHS);

	return date2j((month - of_year) / MONTHS, of_year + 1, 1) - POSTGRES_EPOCH_JDATE;
}

static int
month_of(DateADT day)
{
	int			year;
	int			month;
	int			of_month;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &of_month);
	return year * MONTHS + month - 1;
}

DateADT
crm_period_first_day(CrmPeriod period, DateADT day)
{
	int			months = period_months[period];
	int			month;

	if (period == PERIOD_DAY)
		return day;
	if (period == PERIOD_WEEK)
		return day - rest_of(j2day(day + POSTGRES_EPOCH_JDATE) - week_start_setting, 7);
	month = month_of(day);
	return first_of_month(month - rest_of(month - (fiscal_year_start_setting - 1), months));
}

/*
 * crm_period_start(period text, day date) -> date
 *		The first day of the period that a day is in; NULL for what is not finite.
 */
PG_FUNCTION_INFO_V1(crm_period_start);
Datum
crm_period_start(PG_FUNCTION_ARGS)
{
	CrmPeriod	period = crm_get_period(PG_GETARG_TEXT_PP(0));
	DateADT		day = PG_GETARG_DATEADT(1);

	if (DATE_NOT_FINITE(day))
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(crm_period_first_day(period, day));
}

/*
 * crm_period_end(period text, day date) -> date
 *		The last day of the period that a day is in; NULL for what is not finite.
 */
PG_FUNCTION_INFO_V1(crm_period_end);
Datum
crm_period_end(PG_FUNCTION_ARGS)
{
	CrmPeriod	period = crm_get_period(PG_GETARG_TEXT_PP(0));
	DateADT		day = PG_GETARG_DATEADT(1);

	if (DATE_NOT_FINITE(day))
		PG_RETURN_NULL();
	day = crm_period_first_day(period, day);
	if (period <= PERIOD_WEEK)
		PG_RETURN_DATEADT(period == PERIOD_DAY ? day : day + 6);
	PG_RETURN_DATEADT(first_of_month(month_of(day) + period_months[period]) - 1);
}
