/*
 * table/restoring.h
 *		Rows that are restored: inserted as they are.
 */
#ifndef CRM_TABLE_RESTORING_H
#define CRM_TABLE_RESTORING_H

#include "utils/relcache.h"

/*
 * Whether rows that are inserted into that table are to be taken as they are,
 * as the setting crm.restoring says.  ERROR 42501 unless the user has the
 * rights of the table's owner.
 */
extern bool crm_is_restoring(Relation rel);

#endif							/* CRM_TABLE_RESTORING_H */
