/*
 * base/one_line.c
 *		crm_one_line(): a text as a part of a sentence.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/name_key.h"

/* What stands for the rest of a text: of one character, or of three. */
#define MARK		(GetDatabaseEncoding() == PG_UTF8 ? "\xE2\x80\xA6" : "...")
#define MARK_LENGTH	(GetDatabaseEncoding() == PG_UTF8 ? 1 : 3)

/*
 * Copies a text, each run of white space and controls as one blank, and none at the ends;
 * of more than max characters the first ones and the mark, max together.  Returns the
 * length in bytes.
 */
static int
copy_line(const char *from, int len, int max, char *to)
{
	const char *end = from + len;
	char	   *start = to;
	char	   *cut = to;		/* after the characters that leave room for
								 * the mark */
	int			n = 0;
	bool		space = false;

	for (int size; from < end; from += size)
	{
		size = pg_mblen(from);
		if (crm_is_space(from))
		{
			space = n > 0;
			continue;
		}
		if (n + space >= max)
		{
			memcpy(cut, MARK, strlen(MARK));
			return cut + strlen(MARK) - start;
		}
		if (space)
			*to++ = ' ';
		memcpy(to, from, size);
		to += size;
		n += 1 + space;
		space = false;
		if (n + MARK_LENGTH <= max)
			cut = to;
	}
	return to - start;
}

/*
 * crm_one_line(value text, max_length integer) -> text
 *		The text in one line of at most so many characters, at least 3.
 */
PG_FUNCTION_INFO_V1(crm_one_line);
Datum
crm_one_line(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	int			len = VARSIZE_ANY_EXHDR(value);
	text	   *result = palloc(VARHDRSZ + len + strlen(MARK));

	SET_VARSIZE(result, VARHDRSZ + copy_line(VARDATA_ANY(value), len,
											 Max(PG_GETARG_INT32(1), 3), VARDATA(result)));
	PG_RETURN_TEXT_P(result);
}
