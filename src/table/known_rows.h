/*
 * table/known_rows.h
 *		Rows of small tables, found by id over and over.
 */
#ifndef CRM_TABLE_KNOWN_ROWS_H
#define CRM_TABLE_KNOWN_ROWS_H

#include "table/columns.h"
#include "table/scan.h"

/*
 * Calls visit for the row of rel whose primary key, the uuid column attno, is
 * id, as crm_visit_rows() does; but not if there is none.
 */
extern void crm_visit_row(Relation rel, AttrNumber attno, const pg_uuid_t *id,
						  CrmRowVisitor visit, void *arg);

#endif							/* CRM_TABLE_KNOWN_ROWS_H */
