/*
 * base/name_key.c
 *		crm_name_key(): two names are the same if their keys are equal.
 *
 * Unique indexes hold these keys, so a name's key never changes, whatever the
 * locale is, or the library that knows it.  The foldings of case are a table of
 * our own (lower() follows the database's locale, PostgreSQL 15 has no table of its own).
 * Normalization is PostgreSQL's, whose results change only for characters that
 * Unicode did not know when the server was released.
 */
#include "postgres.h"

#include "common/unicode_norm.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/case_folding.h"
#include "base/compat.h"
#include "base/name_key.h"

/* Bytes of a text that may be a name; memory is a multiple of it. */
#define MAX_NAME_BYTES	65536

/* Of Unicode's planes for private use. */
#define PRIVATE_USE		0xF0000

typedef struct CharRange
{
	pg_wchar	first;
	pg_wchar	last;
} CharRange;

/* Unicode's property White_Space above ASCII, and the blank of Braille. */
static const CharRange white_space[] = {
	{0x85, 0x85}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
	{0x202F, 0x202F}, {0x205F, 0x205F}, {0x2800, 0x2800}, {0x3000, 0x3000}
};

/*
 * Controls, the property Default_Ignorable_Code_Point (zero width, soft hyphen,
 * byte order mark, marks of direction, variation selectors, fillers, tags), and
 * the anchors of annotations.
 */
static const CharRange invisible[] = {
	{0x80, 0x84}, {0x86, 0x9F}, {0xAD, 0xAD}, {0x34F, 0x34F}, {0x61C, 0x61C},
	{0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x200B, 0x200F},
	{0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F},
	{0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3},
	{0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}
};

static bool
in_ranges(pg_wchar c, const CharRange *ranges, int nranges)
{
	for (int i = 0; i < nranges && c >= ranges[i].first; i++)
		if (c <= ranges[i].last)
			return true;
	return false;
}

static inline bool
is_white_space(pg_wchar c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return in_ranges(c, white_space, lengthof(white_space));
}

/* Not to be asked of white space. */
static inline bool
is_invisible(pg_wchar c)
{
	if (c < 0x80)
		return c < ' ' || c == 0x7F;
	return in_ranges(c, invisible, lengthof(invisible));
}

/* Folds a character above ASCII; returns how many it becomes, at most 3. */
static int
fold_beyond_ascii(pg_wchar c, pg_wchar *folded)
{
	int			low = 0,
				high = lengthof(fold_ranges) - 1;

	for (int i = 0; i < lengthof(fold_strings); i++)
	{
		const FoldString *string = &fold_strings[i];

		if (string->code != c)
			continue;
		memcpy(folded, string->folded, sizeof(string->folded));
		return folded[2] != 0 ? 3 : 2;
	}
	folded[0] = c;
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const FoldRange *range = &fold_ranges[middle];

		if (c < range->first)
			high = middle - 1;
		else if (c > range->last)
			low = middle + 1;
		else
		{
			if ((c - range->first) % range->step == 0)
				folded[0] = c + range->delta;
			break;
		}
	}
	return 1;
}

static inline int
fold(pg_wchar c, pg_wchar *folded)
{
	if (c >= 0x80)
		return fold_beyond_ascii(c, folded);
	folded[0] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	return 1;
}

/*
 * Folds case and white space and drops what is invisible, into 'to', which has
 * room for three times as many characters.  Both end with 0.
 */
static void
fold_name(const pg_wchar *from, pg_wchar *to)
{
	pg_wchar   *start = to;
	bool		space = false;

	for (; *from != 0; from++)
	{
		if (is_white_space(*from))
			space = true;
		else if (!is_invisible(*from))
		{
			if (space && to > start)
				*to++ = ' ';
			space = false;
			to += fold(*from, to);
		}
	}
	*to = 0;
}

/*
 * The characters of a text in the database's encoding, ended by 0.  A database of
 * the encoding SQL_ASCII does not know what bytes above ASCII stand for: they
 * become characters of private use, which nothing folds.
 */
static pg_wchar *
decode(const char *name, int len)
{
	const unsigned char *p;
	const unsigned char *end;
	pg_wchar   *result;
	pg_wchar   *next;

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		char	   *utf8 = (char *) pg_do_encoding_conversion((unsigned char *) name, len,
															  GetDatabaseEncoding(), PG_UTF8);

		if (utf8 != name)
			len = strlen(utf8);
		name = utf8;
	}
	p = (const unsigned char *) name;
	end = p + len;
	next = result = palloc((len + 1) * sizeof(pg_wchar));
	while (p < end)
	{
		if (GetDatabaseEncoding() == PG_SQL_ASCII)
			*next++ = *p < 0x80 ? *p : PRIVATE_USE + *p;
		else
			*next++ = utf8_to_unicode(p);
		p += GetDatabaseEncoding() == PG_SQL_ASCII ? 1 : pg_utf_mblen(p);
	}
	*next = 0;
	return result;
}

/*
 * The key as a text of the database's encoding.  An encoding other than UTF-8 may
 * not have the character: there, those above ASCII are written by their numbers.
 */
static text *
encode(const pg_wchar *from)
{
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfoSpaces(&key, VARHDRSZ);
	for (; *from != 0; from++)
	{
		unsigned char utf8[4];

		if (*from < 0x80)
			appendStringInfoChar(&key, (char) *from);
		else if (GetDatabaseEncoding() == PG_UTF8)
		{
			unicode_to_utf8(*from, utf8);
			appendBinaryStringInfo(&key, (char *) utf8, pg_utf_mblen(utf8));
		}
		else if (GetDatabaseEncoding() == PG_SQL_ASCII)
			appendStringInfoChar(&key, (char) (*from - PRIVATE_USE));
		else
			appendStringInfo(&key, "\\+%06X", (unsigned int) *from);
	}
	SET_VARSIZE(key.data, key.len);
	return (text *) key.data;
}

/*
 * crm_name_key(text) -> text
 *		The name without what readers do not see as a difference: Unicode's NFKC,
 *		case folded, white space trimmed and each run of it one space, invisible
 *		characters left out; empty if nothing is left.  A key is its own key.
 *		Errors: 22001 for more than 64 kB.
 */
PG_FUNCTION_INFO_V1(crm_name_key);
Datum
crm_name_key(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	int			len = VARSIZE_ANY_EXHDR(name);
	pg_wchar   *characters;
	pg_wchar   *folded;
	int			n = 0;
	bool		ascii = true;

	if (len > MAX_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("a name of %d bytes is too long", len),
				 errdetail("A name has at most %d bytes.", MAX_NAME_BYTES),
				 errhint("Shorten it.")));
	characters = decode(VARDATA_ANY(name), len);
	for (; characters[n] != 0; n++)
		ascii = ascii && characters[n] < 0x80;
	if (!ascii)
	{
		characters = unicode_normalize(UNICODE_NFKD, characters);
		for (n = 0; characters[n] != 0;)
			n++;
	}
	folded = palloc((3 * n + 1) * sizeof(pg_wchar));
	fold_name(characters, folded);
	PG_RETURN_TEXT_P(encode(ascii ? folded : unicode_normalize(UNICODE_NFKC, folded)));
}

/* The first character of a text; with SQL_ASCII one of private use for those above ASCII. */
static pg_wchar
decode_character(const char *text)
{
	pg_wchar   *decoded;
	pg_wchar	result;

	if ((unsigned char) *text <0x80 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return (unsigned char) *text <0x80 ? *text : PRIVATE_USE;
	if (GetDatabaseEncoding() == PG_UTF8)
		return utf8_to_unicode((const unsigned char *) text);
	decoded = decode(text, pg_mblen(text));
	result = *decoded;
	pfree(decoded);
	return result;
}

bool
crm_is_space(const char *character)
{
	pg_wchar	c = decode_character(character);

	return is_white_space(c) || c < ' ' || (c >= 0x7F && c < 0xA0);
}

/* Stops at the first visible character, as this is mostly the first of all. */
bool
crm_text_is_blank(const char *text, int len)
{
	const char *end = text +len;

	while (text <end)
	{
		pg_wchar	c = decode_character(text);

		if (!is_white_space(c) && !is_invisible(c))
			return false;
		text	  +=pg_mblen(text);
	}
	return true;
}
