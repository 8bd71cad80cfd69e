/*
 * currency.c
 *		Currency codes (ISO 4217), and the days that amounts are converted at.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "crm_compat.h"
#include "currency_codes.h"

#define LETTERS	26

/* One bit a possible code; filled at the first call. */
static uint8 known[(LETTERS * LETTERS * LETTERS + 7) / 8];
static bool filled = false;

/* The number of a code's bit; -1 if it is not three letters in upper case. */
static inline int
code_number(const char *code)
{
	int			number = 0;

	for (int i = 0; i < 3; i++)
	{
		if (code[i] < 'A' || code[i] > 'Z')
			return -1;
		number = number * LETTERS + (code[i] - 'A');
	}
	return number;
}

static void
fill_known(void)
{
	for (int i = 0; i < lengthof(currency_codes); i++)
	{
		int			number = code_number(currency_codes[i]);

		Assert(number >= 0);
		known[number / 8] |= 1 << (number % 8);
	}
	filled = true;
}

/*
 * crm_is_currency(text) -> boolean
 *		Whether this is a code in currency_codes.h.  It stands in CHECKs, so what
 *		it once accepted it accepts for ever.
 */
PG_FUNCTION_INFO_V1(crm_is_currency);
Datum
crm_is_currency(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_TEXT_PP(0);
	int			number;

	if (VARSIZE_ANY_EXHDR(code) != 3)
		PG_RETURN_BOOL(false);
	if (!filled)
		fill_known();
	number = code_number(VARDATA_ANY(code));
	PG_RETURN_BOOL(number >= 0 && (known[number / 8] & (1 << (number % 8))) != 0);
}

/*
 * crm_conversion_day(won_at timestamptz, lost_at timestamptz) -> date
 *		The day, in UTC, whose exchange rate counts for a deal that was won or
 *		lost then; for one that is open, today's as of now().
 *
 * Both types count from 2000-01-01.  What the server has for it goes by way of
 * a time zone's name, and takes longer than adding up the deal does.
 */
PG_FUNCTION_INFO_V1(crm_conversion_day);
Datum
crm_conversion_day(PG_FUNCTION_ARGS)
{
	TimestampTz at;
	int64		day;

	if (!PG_ARGISNULL(0))
		at = PG_GETARG_TIMESTAMPTZ(0);
	else if (!PG_ARGISNULL(1))
		at = PG_GETARG_TIMESTAMPTZ(1);
	else
		at = GetCurrentTransactionStartTimestamp();

	if (TIMESTAMP_IS_NOBEGIN(at))
		PG_RETURN_DATEADT(DATEVAL_NOBEGIN);
	if (TIMESTAMP_IS_NOEND(at))
		PG_RETURN_DATEADT(DATEVAL_NOEND);
	day = at / USECS_PER_DAY;
	if (at % USECS_PER_DAY < 0)
		day--;
	PG_RETURN_DATEADT((DateADT) day);
}
