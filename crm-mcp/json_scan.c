/*
 * json_scan.c
 *		Finding members of JSON objects without parsing the rest.
 *
 * The server parses and checks messages.  This is for the members that are needed
 * without an answer of the server: the id, and the id of a cancelled request.
 * Nothing here needs the text to be JSON.
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

/* How many bytes a character has that begins so; 0 if none does. */
static int
length_by_first_byte(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xC2)
		return 0;
	if (first < 0xE0)
		return 2;
	if (first < 0xF0)
		return 3;
	return first < 0xF5 ? 4 : 0;
}

int
utf8_length(const char *c, const char *end)
{
	const unsigned char *u = (const unsigned char *) c;
	int			length = length_by_first_byte(u[0]);

	if (length > end - c)
		return 0;
	for (int i = 1; i < length; i++)
	{
		if ((u[i] & 0xC0) != 0x80)
			return 0;
	}
	/* overlong forms, surrogates, and what is beyond Unicode */
	if ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) ||
		(u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F))
		return 0;
	return length;
}

/* The value of the four hexadecimal digits at c; -1 if they are none. */
static int
hex4(const char *c, const char *end)
{
	int			value = 0;

	if (end - c < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *digit = c[i] != '\0' ? strchr(digits, c[i]) : NULL;

		if (digit == NULL)
			return -1;
		value = value * 16 + (digit - digits) % 16;
	}
	return value;
}

/* The length of the escape that begins at c with a backslash; 0 if it is none. */
static int
escape_length(const char *c, const char *end)
{
	int			code;

	if (end - c < 2 || c[1] == '\0')
		return 0;
	if (c[1] != 'u')
		return strchr("\"\\/bfnrt", c[1]) != NULL ? 2 : 0;
	code = hex4(c + 2, end);
	if (code >= 0xD800 && code < 0xDC00 && end - c >= 12 && c[6] == '\\' && c[7] == 'u')
	{
		code = hex4(c + 8, end);
		return code >= 0xDC00 && code < 0xE000 ? 12 : 0;
	}
	return code < 0 || (code >= 0xD800 && code < 0xE000) ? 0 : 6;
}

static bool
is_string(JsonPart part)
{
	const char *end = part.start + part.length - 1;
	int			length;

	if (part.length < 2 || part.start[0] != '"' || *end != '"')
		return false;
	for (const char *c = part.start + 1; c < end; c += length)
	{
		if (*c == '"' || (unsigned char) *c < 0x20)
			return false;
		length = *c == '\\' ? escape_length(c, end) : utf8_length(c, end);
		if (length == 0)
			return false;
	}
	return true;
}

static bool
is_integer(JsonPart part)
{
	const char *end = part.start + part.length;
	const char *c = part.start;

	if (c < end && *c == '-')
		c++;
	if (c == end || (*c == '0' && end - c > 1))
		return false;
	for (; c < end; c++)
	{
		if (*c < '0' || *c > '9')
			return false;
	}
	return true;
}

bool
json_is_id(JsonPart part)
{
	return part.start != NULL && (is_string(part) || is_integer(part));
}
