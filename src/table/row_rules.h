/*
 * table/row_rules.h
 *		The rules that all tables share: fixed columns, and one tenant.
 */
#ifndef CRM_TABLE_ROW_RULES_H
#define CRM_TABLE_ROW_RULES_H

#include "fmgr.h"

#include "table/row.h"

/* A column that refers to a parent of the same tenant. */
typedef struct ParentReference
{
	AttrNumber	attno;
	Oid			parent;
	Oid			index;			/* on the parent's id */
	AttrNumber	parent_id;
	AttrNumber	parent_tenant_id;
} ParentReference;

/* What a statement knows of its table. */
typedef struct RowColumns
{
	Upsert	   *upsert;			/* NULL: none of its rows was inserted */
	AttrNumber	id;				/* 0: none */
	AttrNumber	tenant_id;
	AttrNumber	updated_at;		/* 0: none */
	int			nparents;
	ParentReference parents[FLEXIBLE_ARRAY_MEMBER];
} RowColumns;

/* Resolves the columns once a statement, which keeps them in fn_extra. */
extern RowColumns *crm_row_columns(FmgrInfo *flinfo, Relation rel,
								   int nparents, char **parents);

/*
 * The common rules, then the table's own ones, if any.  A row inserted for a
 * tenant that is not the user's learns nothing from their errors.  Of a row
 * whose key stands (row->stands) the table's rules only fill what its CHECKs
 * need; to a row that is restored no rule applies.
 */
typedef void (*TableRules) (RowEdit *row, const AttrNumber *table_columns);
extern void crm_apply_row_rules(RowEdit *row, const RowColumns *columns,
								TableRules table_rules, const AttrNumber *table_columns);

#endif							/* CRM_TABLE_ROW_RULES_H */
