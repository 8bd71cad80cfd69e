/*
 * install/linked_table.h
 *		The user's table that a column of a CRM is linked to, and what a view of
 *		it shows.
 */
#ifndef CRM_INSTALL_LINKED_TABLE_H
#define CRM_INSTALL_LINKED_TABLE_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/relcache.h"

#include "install/links.h"

typedef struct LinkedTable
{
	const CrmLink *link;
	Relation	rel;
	AttrNumber	key;			/* a unique uuid */
	AttrNumber	name;			/* shown as "name"; 0: none was given */
	List	   *columns;		/* numbers of those to show: key, name, others */
} LinkedTable;

/*
 * Opens the table; its key is that column, or by default its primary key.  The
 * columns to show are those listed, an array of name, or all.  ERROR if no
 * foreign key can refer to it, or the view would have two columns of one name.
 */
extern void crm_open_linked_table(LinkedTable *table, FunctionCallInfo fcinfo, const CrmLink *link,
								  Oid relid, const char *key, const char *name, ArrayType *columns);

/* The name of the column. */
extern char *crm_linked_column(const LinkedTable *table, AttrNumber column);

/* Creates the view in that schema, commented as the table is; returns its OID. */
extern Oid	crm_create_linked_view(const LinkedTable *table, Oid schema);

#endif							/* CRM_INSTALL_LINKED_TABLE_H */
