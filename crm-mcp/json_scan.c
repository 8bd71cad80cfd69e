/*
 * json_scan.c
 *		Finding members of JSON objects without parsing the rest.
 *
 * The server parses and checks messages.  This is for the members that are needed
 * without an answer of the server: the id, and the id of a cancelled request.
 */
#include "json_scan.h"

#include <string.h>

static const char *
skip_space(const char *c, const char *end)
{
	while (c < end && (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\r'))
		c++;
	return c;
}

/* The end of the string that begins at c. */
static const char *
skip_string(const char *c, const char *end)
{
	for (c++; c < end && *c != '"'; c++)
	{
		if (*c == '\\')
			c++;
	}
	return c < end ? c + 1 : end;
}

/* The end of the value that begins at c. */
static const char *
skip_value(const char *c, const char *end)
{
	int			depth = 0;

	while (c < end)
	{
		if (*c == '"')
			c = skip_string(c, end);
		else if (*c == '{' || *c == '[')
		{
			depth++;
			c++;
		}
		else if (*c == '}' || *c == ']')
		{
			if (depth == 0)
				return c;
			depth--;
			c++;
		}
		else if (depth == 0 && (*c == ',' || *c == ' ' || *c == '\t' || *c == '\n' || *c == '\r'))
			return c;
		else
			c++;
		if (depth == 0 && c < end && (c[-1] == '"' || c[-1] == '}' || c[-1] == ']'))
			return c;
	}
	return end;
}

JsonPart
json_member(JsonPart object, const char *name)
{
	JsonPart	found = {NULL, 0};
	const char *c;
	const char *end;

	if (object.start == NULL)
		return found;
	end = object.start + object.length;
	c = skip_space(object.start, end);
	if (c == end || *c != '{')
		return found;
	for (c = skip_space(c + 1, end); c < end && *c == '"'; c = skip_space(c + 1, end))
	{
		JsonPart	key = {c, 0};
		const char *value;

		c = skip_string(c, end);
		key.length = c - key.start;
		c = skip_space(c, end);
		if (c == end || *c != ':')
			break;
		value = skip_space(c + 1, end);
		c = skip_value(value, end);
		if (json_is_string(key, name))
		{
			found.start = value;
			found.length = c - value;
		}
		c = skip_space(c, end);
		if (c == end || *c != ',')
			break;
	}
	return found;
}

bool
json_is_string(JsonPart part, const char *string)
{
	size_t		length = strlen(string);

	return part.start != NULL && part.length == length + 2 && part.start[0] == '"' &&
		memcmp(part.start + 1, string, length) == 0;
}

bool
json_equal(JsonPart a, JsonPart b)
{
	return a.start != NULL && b.start != NULL && a.length == b.length &&
		memcmp(a.start, b.start, a.length) == 0;
}
