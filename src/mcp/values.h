/*
 * mcp/values.h
 *		Values of arguments: whether they are of the argument's type, and what is
 *		told if they are not.
 */
#ifndef CRM_MCP_VALUES_H
#define CRM_MCP_VALUES_H

#include "mcp/schema.h"
#include "utils/jsonb.h"

/* A string, a number or a boolean as text; NULL for any other value. */
extern char *crm_mcp_value_text(const JsonbValue *value);

/* The text of a hint, translated: what values the argument has. */
extern char *crm_mcp_values_hint(McpProperty *property);

/*
 * ERROR of class 22 that names the argument unless the value, which is neither an
 * object nor an array, is of the type.
 */
extern void crm_mcp_check_value(McpProperty *property, Oid type, const JsonbValue *value);

#endif							/* CRM_MCP_VALUES_H */
