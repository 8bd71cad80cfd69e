/*
 * mcp/text.h
 *		The text of a result, for a model, and numbers without loss of digits.
 */
#ifndef CRM_MCP_TEXT_H
#define CRM_MCP_TEXT_H

/* The text, or as much of it as that many characters hold, then "...". */
extern char *crm_mcp_clip(const char *text, int characters);

/* What comes before the first ";" or the end of the first sentence. */
extern char *crm_mcp_first_clause(const char *text);

/*
 * The JSON without white space, whose numbers have no zeros at their end; those of
 * more digits than a client's double holds are strings.
 */
extern char *crm_mcp_exact_numbers(const char *json);

/*
 * A short text of a result, a JSON object: a line for each item of a list, or for
 * each member, as far as there is room.
 */
extern char *crm_mcp_summary(const char *json);

#endif							/* CRM_MCP_TEXT_H */
