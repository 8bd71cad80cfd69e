/*
 * import/csv.c
 *		Splits a record of a CSV file (RFC 4180) into its fields.
 *
 * COPY reads whole files, and fails at the first line that does not fit the table.
 * An import reports every line that it cannot use, and reads the others.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"

typedef struct Fields
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
	int			room;
} Fields;

static void
add_field(Fields *fields, const char *text, int length)
{
	if (fields->n == fields->room)
	{
		fields->room *= 2;
		fields->values = repalloc_array(fields->values, Datum, fields->room);
		fields->nulls = repalloc_array(fields->nulls, bool, fields->room);
	}
	fields->nulls[fields->n] = length == 0;
	fields->values[fields->n++] = length == 0 ? (Datum) 0 :
		PointerGetDatum(cstring_to_text_with_len(text, length));
}

/* Reads a quoted field from after its first quote; NULL if the closing quote is missing. */
static const char *
unquote(const char *from, const char *end, StringInfo buf)
{
	resetStringInfo(buf);
	while (from < end)
	{
		const char *quote = memchr(from, '"', end - from);

		if (quote == NULL)
			return NULL;
		appendBinaryStringInfo(buf, from, quote - from);
		from = quote + 1;
		if (from == end || *from != '"')
			return from;
		appendStringInfoChar(buf, '"');
		from++;
	}
	return NULL;
}

/* False if a closing quote is missing, or is not followed by a delimiter or the end. */
static bool
split(const char *from, const char *end, char delimiter, Fields *fields)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		const char *to;

		if (from < end && *from == '"')
		{
			to = unquote(from + 1, end, &buf);
			if (to == NULL || (to < end && *to != delimiter))
				return false;
			add_field(fields, buf.data, buf.len);
		}
		else
		{
			to = memchr(from, delimiter, end - from);
			if (to == NULL)
				to = end;
			add_field(fields, from, to - from);
		}
		if (to == end)
			return true;
		from = to + 1;
	}
}

/*
 * crm_import_fields(record text, delimiter text) -> text[]
 *		The fields of a record, whose lines are joined by newlines; an empty
 *		field is NULL, with quotes too, as some systems quote every field.  NULL
 *		in place of the array if the record is not valid CSV.  Errors: 22023 for
 *		a delimiter that is not one ASCII character.
 */
PG_FUNCTION_INFO_V1(crm_import_fields);
Datum
crm_import_fields(PG_FUNCTION_ARGS)
{
	text	   *record = PG_GETARG_TEXT_PP(0);
	char	   *delimiter = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *from = VARDATA_ANY(record);
	Fields		fields = {.room = 32};
	int			lower = 1;

	if (strlen(delimiter) != 1 || IS_HIGHBIT_SET(delimiter[0]) || delimiter[0] == '"')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the delimiter must be one ASCII character, and not \"\"\""),
				 errhint("Give the character that stands between the fields, such as a comma.")));
	fields.values = palloc_array(Datum, fields.room);
	fields.nulls = palloc_array(bool, fields.room);
	if (!split(from, from + VARSIZE_ANY_EXHDR(record), delimiter[0], &fields))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(construct_md_array(fields.values, fields.nulls, 1, &fields.n, &lower,
											 TEXTOID, -1, false, TYPALIGN_INT));
}
