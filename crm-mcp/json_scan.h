/*
 * json_scan.h
 *		Finding members of JSON objects without understanding the rest.
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
 * The value of a member of the object that is the text, the last one of that
 * name.  For what is no object, or no JSON, any answer will do.
 */
extern JsonPart json_member(JsonPart object, const char *name);

/* Whether the part is the string, which needs no escapes. */
extern bool json_is_string(JsonPart part, const char *string);

/* Whether two parts are the same text. */
extern bool json_equal(JsonPart a, JsonPart b);

#endif							/* JSON_SCAN_H */
