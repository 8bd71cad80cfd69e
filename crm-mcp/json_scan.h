/*
 * json_scan.h
 *		Finding members of JSON objects without parsing the rest.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* A part of a JSON text; start is NULL if there is none. */
typedef struct JsonPart
{
	const char *start;
	size_t		length;
} JsonPart;

/*
 * The value of the last member of that name in the object.  If the text is not an
 * object, or not JSON, the result may be any part of it.
 */
extern JsonPart json_member(JsonPart object, const char *name);

/* Whether the part is that string, which must not need escapes. */
extern bool json_is_string(JsonPart part, const char *string);

/* Whether two parts are the same text. */
extern bool json_equal(JsonPart a, JsonPart b);

/* Whether the part is a string or an integer, as JSON writes them: what an id may be. */
extern bool json_is_id(JsonPart part);

/* The length of the UTF-8 character that begins at c; 0 if none does. */
extern int	utf8_length(const char *c, const char *end);

#endif							/* JSON_SCAN_H */
