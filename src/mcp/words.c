/*
 * mcp/words.c
 *		The search for words: a text must contain each of them.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "mcp/message.h"
#include "mcp/words.h"

/* Words after these are ignored. */
#define MAX_WORDS	10

/* What is between two words; the same in C and in a regular expression. */
#define SPACE		" \t\n\r\f\v"
#define SPACE_REGEX	"[ \\t\\n\\r\\f\\v]"

static int
count_words(const char *text)
{
	int			count = 0;

	for (text +=strspn(text, SPACE); *text; text +=strspn(text, SPACE))
	{
		count++;
		text	  +=strcspn(text, SPACE);
	}
	return count;
}

/* Each word is read by a sub-select, which is evaluated once. */
char *
crm_mcp_has_words(Jsonb *arguments, const char *argument, const char *expression)
{
	char	   *text = crm_mcp_string(&arguments->root, argument);
	int			count = text ? Min(count_words(text), MAX_WORDS) : 0;
	StringInfoData condition;

	initStringInfo(&condition);
	for (int i = 1; i <= count; i++)
		appendStringInfo(&condition, "%spg_catalog.strpos(pg_catalog.lower(%s), (SELECT pg_catalog.lower("
						 "(pg_catalog.regexp_split_to_array(pg_catalog.regexp_replace("
						 "pg_catalog.jsonb_extract_path_text($1, '%s'), '^" SPACE_REGEX "+', ''), '" SPACE_REGEX "+'))[%d])))"
						 " OPERATOR(pg_catalog.>) 0", i > 1 ? " AND " : "(", expression, argument, i);
	appendStringInfoString(&condition, count > 0 ? ")" : "true");
	return condition.data;
}
