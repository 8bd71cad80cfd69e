/*
 * mcp/prompts.h
 *		The prompts of MCP: texts by which a user starts an agent's task.
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
