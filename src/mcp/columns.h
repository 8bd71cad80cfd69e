/*
 * mcp/columns.h
 *		The columns of a table as the arguments of tools, and SQL over them.
 *
 * In that SQL the table is called t, and $1 is the object of the tool's
 * arguments.
 */
#ifndef CRM_MCP_COLUMNS_H
#define CRM_MCP_COLUMNS_H

#include "access/attnum.h"
#include "utils/jsonb.h"
#include "mcp/schema.h"

typedef struct McpColumn
{
	McpProperty property;
	AttrNumber	attno;
	Oid			domain;			/* that a CHECK casts it to; else its type */
	bool		not_null;
	bool		has_default;
	bool		generated;
	bool		indexed;
	bool		can_select;
	bool		can_insert;
	bool		can_update;
} McpColumn;

/* The columns of a table, a list of McpColumn, without tenant_id. */
extern List *crm_mcp_columns(Oid table);
extern McpColumn *crm_mcp_find_column(List *columns, const char *name);

/* A copy of the column's property, which the caller may change. */
extern McpProperty *crm_mcp_copy_property(McpColumn *column);

/*
 * The value of a member of the parameter $1, which is a jsonb, and the values of several;
 * not for arrays.  By operators, as Citus would run a function that it finds in an
 * UPDATE or DELETE beforehand, and lose the types of a record.
 */
extern char *crm_mcp_argument_value(const char *name, Oid type, int32 typmod);
extern char *crm_mcp_argument_values(List *properties);

/* The properties that the arguments hold.  Without nulls, null counts as not given. */
extern List *crm_mcp_given(Jsonb *arguments, List *properties, bool nulls);

/* The table's name, quoted and qualified. */
extern char *crm_mcp_table_name(Oid table);

/* "a, b"; with the prefix "f.", it is "f.a, f.b". */
extern char *crm_mcp_names(List *properties, const char *prefix);

/* "t.a, t.b": the columns that the caller may read; NULL if there are none. */
extern char *crm_mcp_readable(List *columns);

/* "a type, b type": columns of a record. */
extern char *crm_mcp_record_columns(List *properties);

/* jsonb_to_record($1) AS f(...) of the properties; empty if there are none. */
extern char *crm_mcp_record(List *properties);

/* An expression: the row of t as JSON, of the columns that the caller may read (at least one). */
extern char *crm_mcp_row_as_json(List *columns);

/*
 * Runs an INSERT, UPDATE or DELETE of one row of t, and returns that row as
 * JSON; NULL if none was written.  The object is empty if the caller may read
 * no column.
 */
extern char *crm_mcp_run_returning(List *columns, const char *statement, Jsonb *arguments);

#endif							/* CRM_MCP_COLUMNS_H */
