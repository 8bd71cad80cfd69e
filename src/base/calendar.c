/*
 * base/calendar.c
 *		The periods of a calendar: weeks, months, fiscal quarters and years.
 *
 * A period is known by its first day.  All of it is arithmetic on dates, so that
 * it knows no time zone; which day a time is on, its cast to date tells, and
 * crm_day_start() when a day begins.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/argument_errors.h"
#include "base/calendar.h"
#include "base/shard.h"

#define MONTHS	12
#define JANUARY	1
#define MONDAY	1

static const char *const period_names[] = {"day", "week", "month", "quarter", "year"};

/* How many months a period has. */
static const int period_months[] = {0, 0, 1, 3, MONTHS};

static const char *const weekdays[] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"
};

/*
 * A setting of which reports depend.  If it was set before the library was loaded, or is
 * of a role or a database, PostgreSQL would only warn of a wrong value, and reports would
 * be by the default: so it is kept then, and refused where it is used.
 */
typedef struct CalendarSetting
{
	const char *name;
	const char *expected;
	int			(*parse) (const char *text);	/* WRONG if it is not one */
	char	   *text;
	int			value;			/* of the text */
} CalendarSetting;

#define WRONG	(-1)

static int
parse_weekday(const char *text)
{
	for (int i = 0; i < lengthof(weekdays); i++)
	{
		if (pg_strcasecmp(text, weekdays[i]) == 0)
			return i;
	}
	return text[0] == '\0' ? MONDAY : WRONG;
}

static int
parse_month(const char *text)
{
	int			month;

	if (text[0] == '\0')
		return JANUARY;
	return parse_int(text, &month, 0, NULL) && month >= 1 && month <= MONTHS ? month : WRONG;
}

static CalendarSetting week_start = {
	"crm.week_start", "It is a day of the week, sunday to saturday.", parse_weekday
};

static CalendarSetting fiscal_year_start = {
	"crm.fiscal_year_start", "It is the number of a month, 1 to 12.", parse_month
};

static bool is_defining = false;

/* A wrong value that a role or a database has is taken along to other nodes of Citus. */
static bool
is_taken_along(const CalendarSetting *setting, const char *value)
{
	const char *present = setting->text;

	return (present != NULL && strcmp(present, value) == 0) ||
		(IsTransactionState() && crm_session_is_of_citus());
}

static bool
check_setting(const CalendarSetting *setting, const char *text, GucSource source)
{
	if (is_defining || InitializingParallelWorker || source <= PGC_S_DATABASE_USER ||
		setting->parse(text) != WRONG || is_taken_along(setting, text))
		return true;
	GUC_check_errhint("%s", setting->expected);
	return false;
}

static bool
check_week_start(char **text, void **extra, GucSource source)
{
	return check_setting(&week_start, *text, source);
}

static bool
check_fiscal_year_start(char **text, void **extra, GucSource source)
{
	return check_setting(&fiscal_year_start, *text, source);
}

static void
assign_week_start(const char *text, void *extra)
{
	week_start.value = parse_weekday(text);
}

static void
assign_fiscal_year_start(const char *text, void *extra)
{
	fiscal_year_start.value = parse_month(text);
}

void
crm_calendar_define_settings(void)
{
	is_defining = true;
	DefineCustomStringVariable(week_start.name,
							   "The first day of a week in reports.",
							   NULL,
							   &week_start.text, "monday", PGC_USERSET, 0,
							   check_week_start, assign_week_start, NULL);
	DefineCustomStringVariable(fiscal_year_start.name,
							   "The month with which a fiscal year begins in reports, 1 to 12.",
							   "Quarters begin with it and every third month after it.",
							   &fiscal_year_start.text, "1", PGC_USERSET, 0,
							   check_fiscal_year_start, assign_fiscal_year_start, NULL);
	is_defining = false;
}

/* ERROR 22023 for a wrong value. */
static int
get_value(const CalendarSetting *setting)
{
	if (setting->value == WRONG)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("setting \"%s\" is \"%s\"", setting->name, setting->text),
				 errhint("%s", setting->expected)));
	return setting->value;
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
		return day - rest_of(j2day(day + POSTGRES_EPOCH_JDATE) - get_value(&week_start), 7);
	month = month_of(day);
	if (period == PERIOD_MONTH)
		return first_of_month(month);
	return first_of_month(month - rest_of(month - (get_value(&fiscal_year_start) - JANUARY),
										  months));
}

/*
 * Of a midnight that comes twice, as clocks are put back to it or to a time after it, the first
 * one; PostgreSQL's cast takes the second one.  Where they are put back to the day before,
 * it is that day again until the second one, which is right then.
 */
static TimestampTz
first_midnight(DateADT day, TimestampTz midnight)
{
	int64		epoch = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
	pg_time_t	local = (day + epoch) * SECS_PER_DAY;
	pg_time_t	last = timestamptz_to_time_t(midnight);
	pg_time_t	first = last;
	pg_time_t	from = last - 2 * SECS_PER_DAY;
	pg_time_t	boundary;
	long int	before;
	long int	after;
	int			is_dst;

	while (pg_next_dst_boundary(&from, &before, &is_dst, &boundary, &after, &is_dst,
								session_timezone) == 1 && boundary <= last)
	{
		if (after < before && boundary + after >= local && local - before < first)
			first = local - before;
		from = boundary;
	}
	return midnight - (last - first) * USECS_PER_SEC;
}

/*
 * crm_day_start(day date) -> timestamptz
 *		The moment from which on it is that day, in the session's time zone.
 */
PG_FUNCTION_INFO_V1(crm_day_start);
Datum
crm_day_start(PG_FUNCTION_ARGS)
{
	DateADT		day = PG_GETARG_DATEADT(0);
	TimestampTz midnight = DatumGetTimestampTz(DirectFunctionCall1(date_timestamptz,
																   DateADTGetDatum(day)));

	if (TIMESTAMP_NOT_FINITE(midnight))
		PG_RETURN_TIMESTAMPTZ(midnight);
	PG_RETURN_TIMESTAMPTZ(first_midnight(day, midnight));
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
