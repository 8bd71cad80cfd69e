/*
 * table/row_name.h
 *		The name in messages of a row that was read without checks of permissions.
 */
#ifndef CRM_TABLE_ROW_NAME_H
#define CRM_TABLE_ROW_NAME_H

#include "utils/uuid.h"

/*
 * The name in double quotes if the user may see that row of the table, by
 * privileges and row security; else the id.  For errors: it may run a query.
 */
extern char *crm_row_label(Oid table, const pg_uuid_t *id, const char *name);

#endif							/* CRM_TABLE_ROW_NAME_H */
