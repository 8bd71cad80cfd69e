/*
 * mcp/text.c
 *		The text of a result, for a model, and numbers without loss of digits.
 *
 * The data is in structuredContent.  The text beside it is for models whose host does
 * not pass that on, and for quick reading: names, ids and values without braces.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "mcp/message.h"
#include "mcp/text.h"

/* The digits that a double always holds. */
#define DOUBLE_DIGITS	15

/*
 * Of a summary: lines, members of an item that has an id, of others (which are lines
 * of a report), and of an object; characters of a value, and of one of the result's.
 */
#define MAX_LINES	25
#define MAX_OF_ROW	8
#define MAX_OF_LINE	12
#define MAX_OF_OBJECT	14
#define MAX_VALUE	120
#define MAX_OF_RESULT	2000

char *
crm_mcp_clip(const char *text, int characters)
{
	int			length = strlen(text);
	int			kept;

	if (pg_mbstrlen(text) <= characters)
		return pstrdup(text);
	kept = pg_mbcharcliplen(text, length, characters - 3);
	return psprintf("%s...", pnstrdup(text, kept));
}

char *
crm_mcp_first_clause(const char *text)
{
	const char *semicolon = strchr(text, ';');
	const char *period = strstr(text, ". ");
	const char *end = semicolon && period ? Min(semicolon, period) : semicolon ? semicolon : period;

	return end ? pnstrdup(text, end - text) : pstrdup(text);
}

/* Appends a number of JSON. */
static void
append_number(StringInfo out, const char *number, int length)
{
	char	   *digits = pnstrdup(number, length);
	int			count = 0;

	/* an exponent is left alone */
	if (strpbrk(digits, "eE") == NULL)
	{
		if (strchr(digits, '.') != NULL)
		{
			while (digits[length - 1] == '0')
				digits[--length] = '\0';
			if (digits[length - 1] == '.')
				digits[--length] = '\0';
		}
		for (int i = 0; i < length; i++)
			count += isdigit((unsigned char) digits[i]) && (count > 0 || digits[i] != '0');
	}
	appendStringInfo(out, count > DOUBLE_DIGITS ? "\"%s\"" : "%s", digits);
	pfree(digits);
}

char *
crm_mcp_exact_numbers(const char *json)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*json)
	{
		int			length = 1;

		if (*json == '"')
		{
			while (json[length] != '"')
				length += json[length] == '\\' ? 2 : 1;
			appendBinaryStringInfo(&out, json, length + 1);
			json += length + 1;
			continue;
		}
		if (*json == '-' || isdigit((unsigned char) *json))
		{
			length = strspn(json, "-+.0123456789eE");
			append_number(&out, json, length);
		}
		else if (!isspace((unsigned char) *json))
			appendStringInfoChar(&out, *json);
		json += length;
	}
	return out.data;
}

static char *
text_of(JsonbValue *value, int most)
{
	switch (value->type)
	{
		case jbvString:
			return crm_mcp_clip(pnstrdup(value->val.string.val, value->val.string.len), most);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return value->val.boolean ? "true" : "false";
		default:
			return NULL;
	}
}

/* The name of an object; NULL if it has none. */
static char *
name_of(JsonbContainer *object)
{
	static const char *const names[] = {"name", "title", "label"};

	for (int i = 0; i < lengthof(names); i++)
	{
		char	   *name = crm_mcp_string(object, names[i]);

		if (name != NULL)
			return crm_mcp_clip(name, MAX_VALUE);
	}
	return NULL;
}

static char *
describe_array(JsonbContainer *array)
{
	uint32		count = JsonContainerSize(array);
	StringInfoData text;

	initStringInfo(&text);
	for (uint32 i = 0; i < count && text.len < MAX_VALUE; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);
		char	   *name = NULL;

		if (element->type != jbvBinary)
			name = text_of(element, MAX_VALUE);
		else if (JsonContainerIsObject(element->val.binary.data))
			name = name_of(element->val.binary.data);
		if (name == NULL)
			return psprintf("%u", count);
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", name);
	}
	return psprintf("%u (%s)", count, crm_mcp_clip(text.data, MAX_VALUE));
}

static bool append_name(StringInfo out, JsonbContainer *object, const char *separator);
static void append_members(StringInfo out, JsonbContainer *object, const char *separator,
						   int most, int depth);

/* "old -> new" of a changed value; of another object its name, NULL if it has none. */
static char *
describe_change(JsonbContainer *object)
{
	JsonbValue	before;
	JsonbValue	after;
	char	   *texts[2];

	if (!crm_mcp_member(object, "old", &before) || !crm_mcp_member(object, "new", &after))
		return name_of(object);
	texts[0] = text_of(&before, MAX_VALUE);
	texts[1] = text_of(&after, MAX_VALUE);
	return psprintf("%s -> %s", texts[0] ? texts[0] : "none", texts[1] ? texts[1] : "none");
}

/* A member's value; NULL if it is of no use to the reader. */
static char *
describe_value(JsonbValue *value, int depth)
{
	StringInfoData text;

	if (value->type != jbvBinary)
		return text_of(value, depth == 0 ? MAX_OF_RESULT : MAX_VALUE);
	if (JsonContainerSize(value->val.binary.data) == 0)
		return NULL;
	if (JsonContainerIsArray(value->val.binary.data))
		return describe_array(value->val.binary.data);
	initStringInfo(&text);
	if (depth > 1)
		return describe_change(value->val.binary.data);
	(void) append_name(&text, value->val.binary.data, ": ");
	append_members(&text, value->val.binary.data, ", ", MAX_OF_ROW, depth + 1);
	return text.len > 0 ? text.data : NULL;
}

/* Whether the summary leaves the member out: it is technical, or shown before. */
static bool
is_skipped(const char *key)
{
	static const char *const keys[] = {
		"id", "name", "title", "label", "created_at", "updated_at", "move_no", "version", "stage_position", "source"
	};
	int			length = strlen(key);

	for (int i = 0; i < lengthof(keys); i++)
	{
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return length > 3 && strcmp(key + length - 3, "_id") == 0;
}

/* Appends "name (id)", as far as the object has them; returns whether it has an id. */
static bool
append_name(StringInfo out, JsonbContainer *object, const char *separator)
{
	char	   *name = name_of(object);
	char	   *id = crm_mcp_string(object, "id");

	if (id == NULL)
		id = crm_mcp_string(object, "deal_id");
	if (name != NULL)
		appendStringInfoString(out, name);
	if (id != NULL)
		appendStringInfo(out, name ? " (%s)" : "%s", id);
	if (name != NULL || id != NULL)
		appendStringInfoString(out, separator);
	return id != NULL;
}

/* Appends "name: value" for the members that are of use, up to the limit. */
static void
append_members(StringInfo out, JsonbContainer *object, const char *separator, int most,
			   int depth)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *key = NULL;
	int			count = 0;

	while (count < most && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		char	   *text;

		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE || key == NULL || is_skipped(key))
			continue;
		text = describe_value(&value, depth);

		if (text !=NULL)
			appendStringInfo(out, "%s%s: %s", count++ > 0 ? separator : "", key, text);
	}
}

/* Appends a line for each item, as many as there is room for. */
static void
append_items(StringInfo out, JsonbContainer *items)
{
	uint32		count = JsonContainerSize(items);

	for (uint32 i = 0; i < Min(count, MAX_LINES); i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(items, i);

		appendStringInfoString(out, "\n- ");
		if (item->type == jbvBinary && JsonContainerIsObject(item->val.binary.data))
		{
			int			most = append_name(out, item->val.binary.data, ": ") ? MAX_OF_ROW : MAX_OF_LINE;

			append_members(out, item->val.binary.data, ", ", most, 1);
		}
		else if (describe_value(item, 1) != NULL)
			appendStringInfoString(out, describe_value(item, 1));
	}
	if (count > MAX_LINES)
		appendStringInfo(out, "\n%u more are in structuredContent", count - MAX_LINES);
}

char *
crm_mcp_summary(const char *json)
{
	const char *problem;
	char	   *id;
	Jsonb	   *result = crm_mcp_parse(json, &problem, &id);
	StringInfoData out;
	JsonbValue	items;
	JsonbValue	value;

	/* a function of the user's may return JSON that jsonb cannot hold */
	if (result == NULL)
		return "The result is in structuredContent.";
	initStringInfo(&out);
	if (!crm_mcp_member(&result->root, "items", &items) || items.type != jbvBinary ||
		!JsonContainerIsArray(items.val.binary.data))
	{
		(void) append_name(&out, &result->root, "\n");
		append_members(&out, &result->root, "\n", MAX_OF_OBJECT, 0);
		return out.len > 0 ? out.data : "Done.";
	}
	appendStringInfo(&out, "%u", JsonContainerSize(items.val.binary.data));
	if (crm_mcp_member(&result->root, "total", &value) && value.type == jbvNumeric)
		appendStringInfo(&out, " of %s", text_of(&value, MAX_VALUE));
	if (crm_mcp_string(&result->root, "next") != NULL)
		appendStringInfo(&out, " (more: cursor %s)", crm_mcp_string(&result->root, "next"));
	append_items(&out, items.val.binary.data);
	return out.data;
}
