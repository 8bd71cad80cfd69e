/*
 * import/amount.c
 *		Amounts as other systems write them, read by a declared format.
 *
 * Nothing is guessed: only the format decides whether 1.234 is more than a thousand
 * or less than two.  A text that does not match the format is not an amount.
 */
#include "postgres.h"

#include <ctype.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

typedef struct AmountFormat
{
	const char *name;
	char		group;			/* between thousands; 0: none */
	char		point;			/* 0: whole units of 10^-scale */
	int			scale;
} AmountFormat;

static const AmountFormat formats[] = {
	{"1234.56", 0, '.', 0},
	{"1234,56", 0, ',', 0},
	{"1,234.56", ',', '.', 0},
	{"1.234,56", '.', ',', 0},
	{"1 234.56", ' ', '.', 0},
	{"1 234,56", ' ', ',', 0},
	{"1'234.56", '\'', '.', 0},
	{"cents", 0, 0, 2},
	{"micros", 0, 0, 6},
};

/* A Unicode character that is read as a character of the formats. */
typedef struct Variant
{
	const char *written;
	char		means;
} Variant;

static const Variant variants[] = {
	{"\xC2\xA0", ' '},			/* no-break space */
	{"\xE2\x80\xAF", ' '},		/* narrow no-break space */
	{"\xE2\x80\x89", ' '},		/* thin space */
	{"\xE2\x80\x99", '\''},		/* right single quotation mark */
	{"\xE2\x88\x92", '-'},		/* minus sign */
};

/* An amount taken apart; the parts point into the text. */
typedef struct AmountParts
{
	bool		negative;
	const char *number;
	int			number_length;
	const char *currency;		/* what stands beside the number: a code or a
								 * symbol */
	int			currency_length;
} AmountParts;

static const AmountFormat *
find_format(const char *name)
{
	for (int i = 0; i < lengthof(formats); i++)
	{
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no format of amounts \"%s\"", name),
			 errhint("One of 1234.56, 1234,56, 1,234.56, 1.234,56, 1 234.56, 1 234,56, 1'234.56, cents, micros.")));
}

/* The text with every variant replaced by what it means; palloc'd. */
static char *
plain_text(const char *input)
{
	char	   *plain = palloc(strlen(input) + 1);
	char	   *to = plain;

	while (*input != '\0')
	{
		int			i = 0;

		while (i < lengthof(variants) &&
			   strncmp(input, variants[i].written, strlen(variants[i].written)) != 0)
			i++;
		if (i < lengthof(variants))
		{
			*to++ = variants[i].means;
			input += strlen(variants[i].written);
		}
		else
			*to++ = *input++;
	}
	*to = '\0';
	return plain;
}

static bool
is_of_number(char c, const AmountFormat *format)
{
	return isdigit((unsigned char) c) || (c != 0 && (c == format->group || c == format->point));
}

static bool
is_of_currency(char c)
{
	return IS_HIGHBIT_SET(c) || c == '$' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void
trim(const char **from, const char **to)
{
	while (*from < *to && **from == ' ')
		(*from)++;
	while (*from < *to && (*to)[-1] == ' ')
		(*to)--;
}

/* Removes a sign from either end, or parentheses: (500) is -500.  False at a second sign. */
static bool
take_sign(const char **from, const char **to, bool *negative)
{
	trim(from, to);
	if (*to - *from >= 2 && **from == '(' && (*to)[-1] == ')')
	{
		if (*negative)
			return false;
		*negative = true;
		(*from)++;
		(*to)--;
	}
	else if (*from < *to && (**from == '-' || **from == '+'))
	{
		if (*negative)
			return false;
		*negative = **from == '-';
		(*from)++;
	}
	else if (*from < *to && (*to)[-1] == '-')
	{
		if (*negative)
			return false;
		*negative = true;
		(*to)--;
	}
	trim(from, to);
	return true;
}

/* Removes a currency code or symbol from either end. */
static void
take_currency(const char **from, const char **to, AmountParts *parts)
{
	const char *at = *from;

	while (at < *to && is_of_currency(*at))
		at++;
	if (at > *from)
	{
		parts->currency = *from;
		parts->currency_length = at - *from;
		*from = at;
	}
	else
	{
		at = *to;
		while (at > *from && is_of_currency(at[-1]))
			at--;
		parts->currency = at;
		parts->currency_length = *to - at;
		*to = at;
	}
	trim(from, to);
}

/* False if the text cannot be an amount of that format. */
static bool
take_apart(const char *input, const AmountFormat *format, AmountParts *parts)
{
	const char *from = input;
	const char *to = input + strlen(input);

	parts->negative = false;
	if (!take_sign(&from, &to, &parts->negative))
		return false;
	take_currency(&from, &to, parts);
	if (!take_sign(&from, &to, &parts->negative))
		return false;
	parts->number = from;
	parts->number_length = to - from;
	for (const char *c = from; c < to; c++)
	{
		if (!is_of_number(*c, format))
			return false;
	}
	return from < to;
}

/*
 * Appends the digits, with a point in place of the format's decimal separator; false
 * if a group does not have three digits, or there are no digits.
 */
static bool
append_digits(StringInfo buf, const AmountParts *parts, const AmountFormat *format)
{
	const char *end = parts->number + parts->number_length;
	int			since_group = -1;	/* digits; -1: no group yet */
	int			digits = 0;
	bool		in_fraction = false;

	for (const char *c = parts->number; c < end; c++)
	{
		if (isdigit((unsigned char) *c))
		{
			appendStringInfoChar(buf, *c);
			digits++;
			if (since_group >= 0)
				since_group++;
			continue;
		}
		if (in_fraction || digits == 0 || (since_group >= 0 && since_group != 3))
			return false;
		if (*c == format->point)
		{
			in_fraction = true;
			since_group = -1;
			appendStringInfoChar(buf, '.');
		}
		else if (since_group < 0 && digits > 3)
			return false;
		else
			since_group = 0;
	}
	return digits > 0 && isdigit((unsigned char) end[-1]) && (since_group < 0 || since_group == 3);
}

/*
 * crm_import_amount(value text, format text) -> numeric
 *		The amount with all its digits; NULL if the text is not an amount of
 *		that format.  Errors: 22023 for an unknown format.
 */
PG_FUNCTION_INFO_V1(crm_import_amount);
Datum
crm_import_amount(PG_FUNCTION_ARGS)
{
	char	   *value = plain_text(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const AmountFormat *format = find_format(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	AmountParts parts;
	StringInfoData buf;

	initStringInfo(&buf);
	if (!take_apart(value, format, &parts))
		PG_RETURN_NULL();
	if (parts.negative)
		appendStringInfoChar(&buf, '-');
	if (!append_digits(&buf, &parts, format))
		PG_RETURN_NULL();
	if (format->scale > 0)
		appendStringInfo(&buf, "e-%d", format->scale);
	PG_RETURN_DATUM(DirectFunctionCall3(numeric_in, CStringGetDatum(buf.data),
										ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/*
 * crm_import_currency(value text, format text) -> text
 *		The currency code or symbol beside the number; NULL if there is none, or
 *		if the text is not an amount.
 */
PG_FUNCTION_INFO_V1(crm_import_currency);
Datum
crm_import_currency(PG_FUNCTION_ARGS)
{
	char	   *value = plain_text(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const AmountFormat *format = find_format(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	AmountParts parts;
	StringInfoData buf;

	initStringInfo(&buf);
	if (!take_apart(value, format, &parts) || parts.currency_length == 0 ||
		!append_digits(&buf, &parts, format))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(parts.currency, parts.currency_length));
}
