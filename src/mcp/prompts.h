/*
 * mcp/prompts.h
 *		What a user can start an agent with.
 */
#ifndef CRM_MCP_PROMPTS_H
#define CRM_MCP_PROMPTS_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Appends the prompts, an array. */
extern void crm_mcp_append_prompts(StringInfo out);

/*
 * Appends the members description and messages of a prompt.  False if there is none
 * of that name; then, and if an argument is missing, *problem says so.
 */
extern bool crm_mcp_append_prompt(StringInfo out, const char *name, JsonbContainer *arguments,
								  const char **problem);

#endif							/* CRM_MCP_PROMPTS_H */
