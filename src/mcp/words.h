/*
 * mcp/words.h
 *		The search for words: a text must contain each of them.
 */
#ifndef CRM_MCP_WORDS_H
#define CRM_MCP_WORDS_H

#include "utils/jsonb.h"

/*
 * The condition that the expression, a text, contains each word of the argument of that
 * name in $1; "true" if the argument has no words.
 */
extern char *crm_mcp_has_words(Jsonb *arguments, const char *argument, const char *expression);

#endif							/* CRM_MCP_WORDS_H */
