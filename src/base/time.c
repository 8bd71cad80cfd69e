/*
 * base/time.c
 *		The dates and times that a CRM stores, and time zones.
 *
 * Between 1900 and 9999 reports can add intervals to them and subtract them,
 * and clients of all kinds can read them; neither is so beyond.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/argument_errors.h"
#include "base/time.h"

#define FIRST_YEAR 1900
#define LAST_YEAR 9999

/* The first day of a year, in days since 2000. */
#define first_day(year) (date2j(year, 1, 1) - POSTGRES_EPOCH_JDATE)

static bool
is_time(int64 value, int64 per_day)
{
	return value >= first_day(FIRST_YEAR) * per_day && value < first_day(LAST_YEAR + 1) * per_day;
}

bool
crm_is_date(DateADT date)
{
	return is_time(date, 1);
}

bool
crm_is_timestamp(TimestampTz time)
{
	return is_time(time, USECS_PER_DAY);
}

/*
 * crm_are_times(VARIADIC "any") -> boolean
 *		Whether all arguments that are not NULL are in the years 1900 to 9999.
 *		Errors: 42804 for an argument that is neither date nor timestamptz.
 */
PG_FUNCTION_INFO_V1(crm_are_times);
Datum
crm_are_times(PG_FUNCTION_ARGS)
{
	for (int i = 0; i < PG_NARGS(); i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, i);

		if (type != DATEOID && type != TIMESTAMPTZOID)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("argument %d of %s is of type %s, not date or timestamptz", i + 1,
							"crm_are_times", format_type_be(type))));
		if (PG_ARGISNULL(i))
			continue;
		if (!(type == DATEOID ? is_time(PG_GETARG_DATEADT(i), 1) :
			  is_time(PG_GETARG_TIMESTAMPTZ(i), USECS_PER_DAY)))
			PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(true);
}

char *
crm_time_text(TimestampTz time)
{
	return pstrdup(timestamptz_to_str(time));
}

/* ---- time zones ---- */

/*
 * Whether the zone has a file.  Else it is made of its name, which is an offset in the
 * manner of POSIX: it has a digit, and what is after the digit's sign is west.
 */
static bool
is_of_file(pg_tz *zone)
{
	static pg_tz *known = NULL; /* as PostgreSQL keeps it, for ever */
	const char *name = pg_get_timezone_name(zone);
	pg_tzenum  *files;
	pg_tz	   *file;

	if (zone == known || strpbrk(name, "0123456789") == NULL)
		return true;
	files = pg_tzenumerate_start();
	while ((file = pg_tzenumerate_next(files)) != NULL &&
		   strcmp(pg_get_timezone_name(file), name) != 0)
		CHECK_FOR_INTERRUPTS();
	pg_tzenumerate_end(files);
	if (file != NULL)
		known = zone;
	return file != NULL;
}

pg_tz *
crm_time_zone(const char *name)
{
	pg_tz	   *zone = pg_tzset(name);

	if (zone == NULL || !pg_tz_acceptable(zone) || !is_of_file(zone))
		crm_refuse_value("time_zone", name,
						 _("It is the name of a time zone, such as Europe/Berlin or UTC; an offset is none, as some mean east and some mean west."));
	return zone;
}
