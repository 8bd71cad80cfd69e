/*
 * mcp/schema.h
 *		The arguments of tools, and their JSON Schema.
 */
#ifndef CRM_MCP_SCHEMA_H
#define CRM_MCP_SCHEMA_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

/* The longest description that hosts accept, in characters. */
#define MCP_MAX_DESCRIPTION	1024

/* A member of a tool's arguments. */
typedef struct McpProperty
{
	const char *name;
	Oid			type;
	int32		typmod;
	const char *description;	/* NULL if there is none */
	List	   *choices;		/* of strings; NIL: anything */
	const char *fallback;		/* its default as JSON, NULL if there is none */
	bool		required;
	bool		nullable;
	bool		is_object;
	bool		column;			/* a column of the tool's table */
	const struct McpReference *refers;	/* whose id it is, or NULL
										 * (mcp/reference.h) */
	const struct McpFilter *filter; /* of a list, or NULL (mcp/list_filters.h) */
} McpProperty;

/* An argument of the tool itself: no column, not required, without a default. */
extern McpProperty *crm_mcp_make_property(const char *name, Oid type, const char *description);

/* The property, or NULL if none of the list has that name. */
extern McpProperty *crm_mcp_find_property(List *properties, const char *name);

extern void crm_mcp_append_schema(StringInfo out, McpProperty *property);

/* The strings that a CHECK's expression, or a type, allows; NIL: any. */
extern List *crm_mcp_choices_of_check(Node *expression);
extern List *crm_mcp_choices_of_type(Oid type);

/* Whether a CHECK's expression, or a domain, allows only JSON objects. */
extern bool crm_mcp_check_wants_object(Node *expression);
extern bool crm_mcp_type_wants_object(Oid type);

/* A constant expression as JSON; NULL if it is not a constant, or null. */
extern char *crm_mcp_constant(Node *node);
extern const char *crm_mcp_type_name(Oid type, int32 typmod);

#endif							/* CRM_MCP_SCHEMA_H */
