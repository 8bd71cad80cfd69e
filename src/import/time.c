/*
 * import/time.c
 *		Dates and times as other systems write them, read by a declared format.
 *
 * Nothing is guessed: only the format decides whether 03/04/2024 is in March or in
 * April.  30 February and years of two digits are refused.
 */
#include "postgres.h"

#include <ctype.h>

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

/* Milliseconds since 1970, up to the year 9999, have no more digits than these. */
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

/* Reads digits, at least min and at most max of them. */
static bool
take_number(const char **input, int min, int max, int *number)
{
	int			digits = 0;

	*number = 0;
	while (digits < max && isdigit((unsigned char) **input))
	{
		*number = *number * 10 + (**input - '0');
		(*input)++;
		digits++;
	}
	return digits >= min && !isdigit((unsigned char) **input);
}

static bool
take(const char **input, char c)
{
	if (**input != c)
		return false;
	(*input)++;
	return true;
}

/* Reads past the word, in upper or lower case; false if it is not there. */
static bool
take_word(const char **input, const char *word)
{
	if (pg_strncasecmp(*input, word, strlen(word)) != 0)
		return false;
	*input += strlen(word);
	return true;
}

static void
skip_spaces(const char **input)
{
	while (**input == ' ')
		(*input)++;
}

/* Three numbers, with the same separator between them. */
static bool
take_date(const char **input, TimeFormat format, struct pg_tm *tm)
{
	int			number[3];
	char		separator = 0;

	for (int i = 0; i < 3; i++)
	{
		bool		is_year = i == (format == TIME_ISO ? 0 : 2);

		if (i > 0)
		{
			if (strchr("-/.", **input) == NULL || **input == '\0' ||
				(i == 2 && **input != separator))
				return false;
			separator = *(*input)++;
		}
		if (!take_number(input, is_year ? 4 : 1, is_year ? 4 : 2, &number[i]))
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
take_fraction(const char **input, fsec_t *fsec)
{
	int			unit = USECS_PER_SEC;

	if (!isdigit((unsigned char) **input))
		return false;
	for (; isdigit((unsigned char) **input); (*input)++)
	{
		unit /= 10;
		*fsec += (**input - '0') * unit;
	}
	return true;
}

/* AM or PM: the hours are then 1 to 12. */
static bool
take_half_of_day(const char **input, struct pg_tm *tm)
{
	bool		afternoon;

	skip_spaces(input);
	afternoon = take_word(input, "PM");
	if (!afternoon && !take_word(input, "AM"))
		return true;
	if (tm->tm_hour < 1 || tm->tm_hour > HOURS_PER_DAY / 2)
		return false;
	tm->tm_hour = tm->tm_hour % (HOURS_PER_DAY / 2) + (afternoon ? HOURS_PER_DAY / 2 : 0);
	return true;
}

/* Hours, minutes and, if given, seconds. */
static bool
take_clock(const char **input, struct pg_tm *tm, fsec_t *fsec)
{
	if (!take_number(input, 1, 2, &tm->tm_hour) || !take(input, ':') ||
		!take_number(input, 2, 2, &tm->tm_min))
		return false;
	if (take(input, ':') && !take_number(input, 2, 2, &tm->tm_sec))
		return false;
	if (take(input, '.') && !take_fraction(input, fsec))
		return false;
	return take_half_of_day(input, tm) && tm->tm_hour < HOURS_PER_DAY &&
		tm->tm_min < MINS_PER_HOUR && tm->tm_sec < SECS_PER_MINUTE;
}

/* Z, UTC or an offset such as +02:00, as seconds west of Greenwich. */
static bool
take_offset(const char **input, int *west, bool *is_given)
{
	int			hours,
				minutes = 0,
				sign;

	skip_spaces(input);
	*west = 0;
	*is_given = take_word(input, "Z") || take_word(input, "UTC");
	if (*is_given || (**input != '+' && **input != '-'))
		return true;
	sign = *(*input)++ == '+' ? -1 : 1;
	if (!isdigit((unsigned char) (*input)[0]) || !isdigit((unsigned char) (*input)[1]))
		return false;
	hours = ((*input)[0] - '0') * 10 + ((*input)[1] - '0');
	*input += 2;
	(void) take(input, ':');
	if (**input != '\0' && !take_number(input, 2, 2, &minutes))
		return false;
	*is_given = true;
	*west = sign * (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE);
	return hours <= 15 && minutes < MINS_PER_HOUR;
}

static bool
read_written(const char *input, TimeFormat format, pg_tz *zone, TimestampTz *result)
{
	struct pg_tm tm = {0};
	fsec_t		fsec = 0;
	int			west = 0;
	bool		has_offset = false;

	if (!take_date(&input, format, &tm))
		return false;
	if (*input != '\0')
	{
		if (!take(&input, 'T') && !take(&input, ' ') && !take(&input, ','))
			return false;
		skip_spaces(&input);
		if (!take_clock(&input, &tm, &fsec) || !take_offset(&input, &west, &has_offset))
			return false;
	}
	if (*input != '\0')
		return false;
	if (!has_offset)
		west = DetermineTimeZoneOffset(&tm, zone);
	return tm2timestamp(&tm, fsec, &west, result) == 0;
}

static bool
read_epoch(const char *input, TimeFormat format, TimestampTz *result)
{
	int64		number = 0;
	bool		negative = take(&input, '-');
	int			digits = 0;

	for (; isdigit((unsigned char) *input) && digits <= MAX_EPOCH_DIGITS; digits++)
		number = number * 10 + (*input++ - '0');
	if (digits == 0 || digits > MAX_EPOCH_DIGITS || *input != '\0')
		return false;
	if (negative)
		number = -number;
	if (pg_mul_s64_overflow(number, format == TIME_EPOCH ? USECS_PER_SEC : 1000, &number))
		return false;
	*result = number - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return true;
}

/*
 * crm_import_time(value text, format text, zone text) -> timestamptz
 *		The time, in that zone unless the text has an offset; a date means its
 *		midnight.  NULL if the text is not a time of that format, or not in the
 *		years 1900 to 9999.  Errors: 22023 for an unknown format or zone.
 */
PG_FUNCTION_INFO_V1(crm_import_time);
Datum
crm_import_time(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimeFormat	format = find_format(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	pg_tz	   *zone = crm_time_zone(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	TimestampTz result;

	if (!(format >= TIME_EPOCH ? read_epoch(value, format, &result) :
		  read_written(value, format, zone, &result)) || !crm_is_timestamp(result))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(result);
}
