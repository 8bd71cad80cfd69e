/*
 * summary/io.c
 *		crm_summary as text (JSON) and in binary form (send and receive).
 *
 * The text is an array with an object for each entry, whose fields are the
 * columns of crm_summary_rows().  Output is in canonical order and has all
 * digits.  Input may be in any order; a missing field is null or 0.
 *
 * The binary format, all integers in network byte order:
 *
 *		byte	2, the version of the format
 *		int32	number of entries
 *		for each entry, in ascending order:
 *			byte		flags: 1 has a stage, 2 has a currency
 *			byte		value period: 0 one_time, 1 monthly, 2 quarterly, 3 annual
 *			3 bytes		currency, zero if there is none
 *			16 bytes	stage, zero if there is none
 *			int64		deals
 *			int64		deals without an amount
 *			int64		deals without a probability
 *			int128		value, in units of 10^-4
 *			int128		weighted value, in units of 10^-8
 *
 * Whatever is not exactly what crm_summary_send() writes is refused.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "summary/summary.h"
#include "table/trigger.h"

#define WIRE_VERSION		2
#define WIRE_HAS_STAGE		1
#define WIRE_HAS_CURRENCY	2
#define WIRE_ENTRY_SIZE		(1 + 1 + 3 + UUID_LEN + 8 + 8 + 8 + 16 + 16)

/* ---- text out ---- */

static void
append_stage(StringInfo buf, const SummaryKey *key)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *stage = (const unsigned char *) key->stage;
	char		buffer[UUID_LEN * 2 + 4];
	char	   *p = buffer;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[stage[i] >> 4];
		*p++ = hex[stage[i] & 0xF];
	}
	appendBinaryStringInfo(buf, buffer, p - buffer);
}

static void
append_count(StringInfo buf, int64 count)
{
	char		buffer[MAXINT8LEN + 1];

	appendBinaryStringInfo(buf, buffer, pg_lltoa(count, buffer));
}

static void
append_entry(StringInfo buf, const SummaryEntry *entry)
{
	uint64		rest = entry->key.rest;

	appendStringInfoString(buf, "{\"stage_id\": ");
	if (rest & SUMMARY_NO_STAGE)
		appendStringInfoString(buf, "null");
	else
	{
		appendStringInfoChar(buf, '"');
		append_stage(buf, &entry->key);
		appendStringInfoChar(buf, '"');
	}
	appendStringInfoString(buf, ", \"currency\": ");
	if (rest & SUMMARY_NO_CURRENCY)
		appendStringInfoString(buf, "null");
	else
	{
		appendStringInfoChar(buf, '"');
		for (int i = 0; i < 3; i++)
			appendStringInfoChar(buf, SUMMARY_LETTER(rest, i));
		appendStringInfoChar(buf, '"');
	}
	appendStringInfoString(buf, ", \"value_period\": \"");
	appendStringInfoString(buf, crm_summary_period_name(&entry->key));
	appendStringInfoString(buf, "\", \"deals\": ");
	append_count(buf, entry->deals);
	appendStringInfoString(buf, ", \"deals_without_amount\": ");
	append_count(buf, entry->deals_without_amount);
	appendStringInfoString(buf, ", \"deals_without_probability\": ");
	append_count(buf, entry->deals_without_probability);
	appendStringInfoString(buf, ", \"value\": ");
	crm_append_fixed(buf, entry->value, CRM_AMOUNT_SCALE);
	appendStringInfoString(buf, ", \"weighted_value\": ");
	crm_append_fixed(buf, entry->weighted_value, CRM_WEIGHTED_SCALE);
	appendStringInfoChar(buf, '}');
}

static void
append_json(StringInfo buf, Datum summary)
{
	SummaryView view = crm_summary_sorted_view(summary);
	SummaryEntry entry;

	appendStringInfoChar(buf, '[');
	for (uint32 i = 0; i < view.nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoString(buf, ", ");
		crm_summary_view_entry(&view, i, &entry);
		append_entry(buf, &entry);
	}
	appendStringInfoChar(buf, ']');
}

/* crm_summary_out(crm_summary) -> cstring */
PG_FUNCTION_INFO_V1(crm_summary_out);
Datum
crm_summary_out(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_json(&buf, PG_GETARG_DATUM(0));
	PG_RETURN_CSTRING(buf.data);
}

/* crm_summary_to_json(crm_summary) -> json: the output as it is. */
PG_FUNCTION_INFO_V1(crm_summary_to_json);
Datum
crm_summary_to_json(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_json(&buf, PG_GETARG_DATUM(0));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}

/* crm_summary_to_jsonb(crm_summary) -> jsonb: the same, parsed. */
PG_FUNCTION_INFO_V1(crm_summary_to_jsonb);
Datum
crm_summary_to_jsonb(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_json(&buf, PG_GETARG_DATUM(0));
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
}

/* ---- text in ---- */

static void
refuse_text(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input for type %s", "crm_summary"),
			 errdetail_internal("%s", detail),
			 errhint("It is an array of objects such as {\"stage_id\": null, \"currency\": \"USD\", \"value_period\": \"one_time\", \"deals\": 1, \"deals_without_amount\": 0, \"deals_without_probability\": 0, \"value\": 100, \"weighted_value\": 50}.")));
}

static bool
field_is(const JsonbValue *name, const char *wanted)
{
	return name->val.string.len == strlen(wanted) &&
		memcmp(name->val.string.val, wanted, name->val.string.len) == 0;
}

/* A number of the given scale; ERROR 22003 with the detail if it does not fit. */
static int128
read_number(const JsonbValue *name, const JsonbValue *value, int scale, const char *detail)
{
	int128		result;

	if (value->type != jbvNumeric)
		refuse_text(psprintf("\"%.*s\" must be a number.",
							 name->val.string.len, name->val.string.val));
	if (!crm_numeric_to_fixed(NumericGetDatum(value->val.numeric), scale, &result) ||
		(scale == 0 && (result < PG_INT64_MIN || result > PG_INT64_MAX)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%.*s\" of a crm_summary is out of range",
						name->val.string.len, name->val.string.val),
				 errdetail_internal("%s", detail)));
	return result;
}

static int64
read_count(const JsonbValue *name, const JsonbValue *value)
{
	return (int64) read_number(name, value, 0, "It must be a whole number of 64 bits.");
}

static int128
read_sum(const JsonbValue *name, const JsonbValue *value, int scale)
{
	return read_number(name, value, scale,
					   psprintf("It must fit 128 bits and have at most %d digits after the decimal point.",
								scale));
}

/* Reads a field of the key into it; false if the field is not one of the key's. */
static bool
read_key_field(const JsonbValue *name, const JsonbValue *value, SummaryKey *key)
{
	bool		stage = field_is(name, "stage_id");
	bool		currency = field_is(name, "currency");
	const char *string = value->val.string.val;
	int			len;

	if (!stage && !currency && !field_is(name, "value_period"))
		return false;
	if (value->type == jbvNull)
		return true;
	if (value->type != jbvString)
		refuse_text(psprintf("\"%.*s\" must be a string or null.",
							 name->val.string.len, name->val.string.val));
	len = value->val.string.len;
	if (stage)
	{
		Datum		uuid = DirectFunctionCall1(uuid_in,
											   CStringGetDatum(pnstrdup(string, len)));

		memcpy(key->stage, DatumGetPointer(uuid), UUID_LEN);
		key->rest &= ~SUMMARY_NO_STAGE;
	}
	else if (currency)
	{
		key->rest &= ~SUMMARY_NO_CURRENCY;
		key->rest |= crm_summary_currency_key(string, len);
	}
	else
		key->rest |= crm_summary_period_key(string, len);
	return true;
}

static void
read_field(const JsonbValue *name, const JsonbValue *value, SummaryEntry *entry)
{
	if (read_key_field(name, value, &entry->key))
		return;
	if (field_is(name, "deals"))
		entry->deals = read_count(name, value);
	else if (field_is(name, "deals_without_amount"))
		entry->deals_without_amount = read_count(name, value);
	else if (field_is(name, "deals_without_probability"))
		entry->deals_without_probability = read_count(name, value);
	else if (field_is(name, "value"))
		entry->value = read_sum(name, value, CRM_AMOUNT_SCALE);
	else if (field_is(name, "weighted_value"))
		entry->weighted_value = read_sum(name, value, CRM_WEIGHTED_SCALE);
	else
		refuse_text(psprintf("\"%.*s\" is not a field of it.",
							 pg_mbcliplen(name->val.string.val, name->val.string.len, 40),
							 name->val.string.val));
}

/* Reads an object, whose beginning the iterator has just returned. */
static void
read_entry(JsonbIterator **it, SummaryEntry *entry)
{
	JsonbValue	name;
	JsonbValue	value;

	memset(entry, 0, sizeof(SummaryEntry));
	entry->key.rest = SUMMARY_NO_STAGE | SUMMARY_NO_CURRENCY | CRM_ONE_TIME;
	while (JsonbIteratorNext(it, &name, false) == WJB_KEY)
	{
		if (JsonbIteratorNext(it, &value, false) != WJB_VALUE)
			refuse_text("A field is an array or an object.");
		read_field(&name, &value, entry);
	}
}

/* crm_summary_in(cstring) -> crm_summary; ERROR 22P02, 22003, 22023 */
PG_FUNCTION_INFO_V1(crm_summary_in);
Datum
crm_summary_in(PG_FUNCTION_ARGS)
{
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, PG_GETARG_DATUM(0)));
	WorkingSummary *summary = crm_summary_new();
	JsonbIterator *it = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	SummaryEntry entry;
	SummaryView view;

	if (JsonbIteratorNext(&it, &value, false) != WJB_BEGIN_ARRAY || value.val.array.rawScalar)
		refuse_text("It is not an array.");
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_END_ARRAY)
	{
		SummaryEntry *to;

		CHECK_FOR_INTERRUPTS();
		if (token != WJB_BEGIN_OBJECT)
			refuse_text("An element is not an object.");
		read_entry(&it, &entry);
		to = crm_summary_insert(&summary, &entry.key);
		if (!crm_summary_entry_is_zero(to))
			refuse_text("Two elements have the same stage, currency and value period.");
		*to = entry;
	}
	view.nentries = summary->nentries;
	view.entries = (const char *) summary->entries;
	PG_RETURN_POINTER(crm_summary_store(&view));
}

/* ---- wire ---- */

static void
send_int128(StringInfo buf, int128 value)
{
	pq_sendint64(buf, (uint64) ((uint128) value >> 64));
	pq_sendint64(buf, (uint64) value);
}

static int128
receive_int128(StringInfo buf)
{
	uint64		high = pq_getmsgint64(buf);
	uint64		low = pq_getmsgint64(buf);

	return (int128) (((uint128) high << 64) | low);
}

/* crm_summary_send(crm_summary) -> bytea */
PG_FUNCTION_INFO_V1(crm_summary_send);
Datum
crm_summary_send(PG_FUNCTION_ARGS)
{
	SummaryView view = crm_summary_sorted_view(PG_GETARG_DATUM(0));
	SummaryEntry entry;
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, WIRE_VERSION);
	pq_sendint32(&buf, view.nentries);
	for (uint32 i = 0; i < view.nentries; i++)
	{
		uint64		rest;

		CHECK_FOR_INTERRUPTS();
		crm_summary_view_entry(&view, i, &entry);
		rest = entry.key.rest;
		pq_sendbyte(&buf, (rest & SUMMARY_NO_STAGE ? 0 : WIRE_HAS_STAGE) |
					(rest & SUMMARY_NO_CURRENCY ? 0 : WIRE_HAS_CURRENCY));
		pq_sendbyte(&buf, SUMMARY_PERIOD(rest));
		for (int j = 0; j < 3; j++)
			pq_sendbyte(&buf, SUMMARY_LETTER(rest, j));
		pq_sendbytes(&buf, (const char *) entry.key.stage, UUID_LEN);
		pq_sendint64(&buf, entry.deals);
		pq_sendint64(&buf, entry.deals_without_amount);
		pq_sendint64(&buf, entry.deals_without_probability);
		send_int128(&buf, entry.value);
		send_int128(&buf, entry.weighted_value);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static void
refuse_wire(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary representation of type %s", "crm_summary"),
			 errdetail_internal("%s", detail)));
}

/* Reads an entry; the caller has checked the length. */
static void
receive_entry(StringInfo buf, SummaryEntry *entry)
{
	int			flags = pq_getmsgbyte(buf);
	int			period = pq_getmsgbyte(buf);
	const char *currency = pq_getmsgbytes(buf, 3);

	entry->key.rest = SUMMARY_CURRENCY(currency) | (uint64) period;
	if (!(flags & WIRE_HAS_STAGE))
		entry->key.rest |= SUMMARY_NO_STAGE;
	if (!(flags & WIRE_HAS_CURRENCY))
		entry->key.rest |= SUMMARY_NO_CURRENCY;
	pq_copymsgbytes(buf, (char *) entry->key.stage, UUID_LEN);
	entry->deals = pq_getmsgint64(buf);
	entry->deals_without_amount = pq_getmsgint64(buf);
	entry->deals_without_probability = pq_getmsgint64(buf);
	entry->value = receive_int128(buf);
	entry->weighted_value = receive_int128(buf);

	if ((flags & ~(WIRE_HAS_STAGE | WIRE_HAS_CURRENCY)) != 0 ||
		!crm_summary_key_valid(&entry->key))
		refuse_wire("A key is invalid.");
	if (crm_summary_entry_is_zero(entry))
		refuse_wire("An entry is zero.");
}

/* crm_summary_recv(internal) -> crm_summary; ERROR 22P03 */
PG_FUNCTION_INFO_V1(crm_summary_recv);
Datum
crm_summary_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	uint32		nentries;
	SummaryEntry *entries;
	SummaryView view;

	if (buf->len - buf->cursor < 1 + (int) sizeof(int32))
		refuse_wire("It is too short.");
	if (pq_getmsgbyte(buf) != WIRE_VERSION)
		refuse_wire("It is of an unknown version.");
	nentries = pq_getmsgint(buf, sizeof(int32));
	if ((uint64) nentries * WIRE_ENTRY_SIZE != (uint64) (buf->len - buf->cursor))
		refuse_wire("Its length is not that of the number of entries it names.");

	entries = palloc_extended((Size) nentries * sizeof(SummaryEntry), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		receive_entry(buf, &entries[i]);
		if (i > 0 && crm_summary_compare_keys(&entries[i - 1].key, &entries[i].key) >= 0)
			refuse_wire("Its entries are not in ascending order.");
	}
	view.nentries = nentries;
	view.entries = (const char *) entries;
	PG_RETURN_POINTER(crm_summary_store(&view));
}
