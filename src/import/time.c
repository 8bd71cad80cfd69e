/*
 * import/time.c
 *		Dates and times as other systems write them, read by a format that is
 *		declared.
 *
 * 03/04/2024 is a day in March or in April by the format alone; 30 February is
 * none, nor is a year of two digits.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/time.h"

typedef enum TimeFormat
{
	TIME_ISO,
	TIME_DMY,
	TIME_MDY,
	TIME_EPOCH,
	TIME_EPOCH_MS,
} TimeFormat;

static const char *const format_names[] = {
	[TIME_ISO] = "iso",
	[TIME_DMY] = "dmy",
	[TIME_MDY] = "mdy",
	[TIME_EPOCH] = "epoch",
	[TIME_EPOCH_MS] = "epoch_ms",
};

/* Seconds since 1970 that are in the years 1900 to 9999 have so many digits. */
#define MAX_EPOCH_DIGITS 15

static TimeFormat
find_format(const char *name)
{
	for (int i = 0; i < lengthof(format_names); i++)
	{
		if (strcmp(format_names[i], name) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no format of times \"%s\"", name),
			 errhint("One of iso (2024-01-31 14:30), dmy (31.01.2024), mdy (1/31/2024 2:30 PM), epoch, epoch_ms.")));
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits, at least min and at most max of them. */
static bool
take_number(const char **text, int min, int max, int *number)
{
	int			digits = 0;

	*number = 0;
	while (digits < max && is_digit(**text))
	{
		*number = *number * 10 + (**text - '0');
		(*text)++;
		digits++;
	}
	return digits >= min && !is_digit(**text);
}

static bool
take(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Takes a word, in any case. */
static bool
take_word(const char **text, const char *word)
{
	if (pg_strncasecmp(*text, word, strlen(word)) != 0)
		return false;
	*text += strlen(word);
	return true;
}

static void
skip_spaces(const char **text)
{
	while (**text == ' ')
		(*text)++;
}

/* Three numbers, with the same separator between them. */
static bool
take_date(const char **text, TimeFormat format, struct pg_tm *tm)
{
	int			number[3];
	char		separator = 0;

	for (int i = 0; i < 3; i++)
	{
		bool		is_year = i == (format == TIME_ISO ? 0 : 2);

		if (i > 0)
		{
			if (strchr("-/.", **text) == NULL || **text == '\0' ||
				(i == 2 && **text != separator))
				return false;
			separator = *(*text)++;
		}
		if (!take_number(text, is_year ? 4 : 1, is_year ? 4 : 2, &number[i]))
			return false;
	}
	tm->tm_year = number[format == TIME_ISO ? 0 : 2];
	tm->tm_mon = number[format == TIME_MDY ? 0 : 1];
	tm->tm_mday = number[format == TIME_ISO ? 2 : format == TIME_DMY ? 0 : 1];
	return tm->tm_mon >= 1 && tm->tm_mon <= MONTHS_PER_YEAR && tm->tm_mday >= 1 &&
		tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

/* Up to six digits count, as microseconds. */
static bool
take_fraction(const char **text, fsec_t *fsec)
{
	int			unit = USECS_PER_SEC;

	if (!is_digit(**text))
		return false;
	for (; is_digit(**text); (*text)++)
	{
		unit /= 10;
		*fsec += (**text - '0') * unit;
	}
	return true;
}

/* AM or PM: the hours are then 1 to 12. */
static bool
take_half_of_day(const char **text, struct pg_tm *tm)
{
	bool		afternoon;

	skip_spaces(text);
	afternoon = take_word(text, "PM");
	if (!afternoon && !take_word(text, "AM"))
		return true;
	if (tm->tm_hour < 1 || tm->tm_hour > HOURS_PER_DAY / 2)
		return false;
	tm->tm_hour = tm->tm_hour % (HOURS_PER_DAY / 2) + (afternoon ? HOURS_PER_DAY / 2 : 0);
	return true;
}

/* Hours, minutes and, if given, seconds. */
static bool
take_clock(const char **text, struct pg_tm *tm, fsec_t *fsec)
{
	if (!take_number(text, 1, 2, &tm->tm_hour) || !take(text, ':') ||
		!take_number(text, 2, 2, &tm->tm_min))
		return false;
	if (take(text, ':') && !take_number(text, 2, 2, &tm->tm_sec))
		return false;
	if (take(text, '.') && !take_fraction(text, fsec))
		return false;
	return take_half_of_day(text, tm) && tm->tm_hour < HOURS_PER_DAY &&
		tm->tm_min < MINS_PER_HOUR && tm->tm_sec < SECS_PER_MINUTE;
}

/* Z, UTC or an offset such as +02:00, as seconds west of Greenwich. */
static bool
take_offset(const char **text, int *west, bool *is_given)
{
	int			hours,
				minutes = 0,
				sign;

	skip_spaces(text);
	*west = 0;
	*is_given = take_word(text, "Z") || take_word(text, "UTC");
	if (*is_given || (**text != '+' && **text != '-'))
		return true;
	sign = *(*text)++ == '+' ? -1 : 1;
	if (!is_digit((*text)[0]) || !is_digit((*text)[1]))
		return false;
	hours = ((*text)[0] - '0') * 10 + ((*text)[1] - '0');
	*text += 2;
	(void) take(text, ':');
	if (**text != '\0' && !take_number(text, 2, 2, &minutes))
		return false;
	*is_given = true;
	*west = sign * (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE);
	return hours <= 15 && minutes < MINS_PER_HOUR;
}

static bool
read_written(const char *text, TimeFormat format, pg_tz *zone, TimestampTz *result)
{
	struct pg_tm tm = {0};
	fsec_t		fsec = 0;
	int			west = 0;
	bool		has_offset = false;

	if (!take_date(&text, format, &tm))
		return false;
	if (*text != '\0')
	{
		if (!take(&text, 'T') && !take(&text, ' ') && !take(&text, ','))
			return false;
		skip_spaces(&text);
		if (!take_clock(&text, &tm, &fsec) || !take_offset(&text, &west, &has_offset))
			return false;
	}
	if (*text != '\0')
		return false;
	if (!has_offset)
		west = DetermineTimeZoneOffset(&tm, zone);
	return tm2timestamp(&tm, fsec, &west, result) == 0;
}

static bool
read_epoch(const char *text, TimeFormat format, TimestampTz *result)
{
	int64		number = 0;
	bool		negative = take(&text, '-');
	int			digits = 0;

	for (; is_digit(*text) && digits <= MAX_EPOCH_DIGITS; digits++)
		number = number * 10 + (*text++ - '0');
	if (digits == 0 || digits > MAX_EPOCH_DIGITS || *text != '\0')
		return false;
	if (negative)
		number = -number;
	if (pg_mul_s64_overflow(number, format == TIME_EPOCH ? USECS_PER_SEC : 1000, &number))
		return false;
	*result = number - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return true;
}

static pg_tz *
find_zone(const char *name)
{
	pg_tz	   *zone = pg_tzset(name);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", name)));
	return zone;
}

/*
 * crm_import_time(value text, format text, zone text) -> timestamptz
 *		The time, in that zone unless it comes with an offset of its own; a date
 *		is its midnight.  NULL if the text is no time of that format, or not in
 *		the years 1900 to 9999.  Errors: 22023 for a format or zone that there
 *		is not.
 */
PG_FUNCTION_INFO_V1(crm_import_time);
Datum
crm_import_time(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimeFormat	format = find_format(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	pg_tz	   *zone = find_zone(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	TimestampTz result;

	if (!(format >= TIME_EPOCH ? read_epoch(value, format, &result) :
		  read_written(value, format, zone, &result)) || !crm_is_timestamp(result))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(result);
}
