/*
 * base/currency.c
 *		Currency codes (ISO 4217).
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/compat.h"
#include "base/currency_codes.h"

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
 *		Whether this is a code in base/currency_codes.h.  CHECK constraints use it:
 *		a code that it has accepted once must be accepted for ever.
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
