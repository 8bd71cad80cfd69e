/*
 * mcp/words.h
 *		Words that a text must have.
 */
#ifndef CRM_MCP_WORDS_H
#define CRM_MCP_WORDS_H

#include "utils/jsonb.h"

/*
 * The condition that each word of an argument, $1's member of that name, is in the
 * expression, a text; "true" if there are none.
 */
extern char *crm_mcp_has_words(Jsonb *arguments, const char *argument, const char *expression);

#endif							/* CRM_MCP_WORDS_H */
