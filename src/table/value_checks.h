/*
 * table/value_checks.h
 *		What is wrong with a value that a CHECK would refuse.
 */
#ifndef CRM_TABLE_VALUE_CHECKS_H
#define CRM_TABLE_VALUE_CHECKS_H

#include "table/row.h"

/* Of a reason, a remark and the like: bytes at most. */
#define CRM_MAX_REMARK	10000

/*
 * ERROR 23514, 22001, 22003 or 23502 for a written value that a CHECK or NOT NULL of
 * the table's would refuse, with a message that names the value and what is
 * expected.  To be called when the rules have filled the row.
 */
extern void crm_check_values(const RowEdit *row);

#endif							/* CRM_TABLE_VALUE_CHECKS_H */
