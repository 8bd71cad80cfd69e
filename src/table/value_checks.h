/*
 * table/value_checks.h
 *		What is wrong with a value that a CHECK would refuse.
 */
#ifndef CRM_TABLE_VALUE_CHECKS_H
#define CRM_TABLE_VALUE_CHECKS_H

#include "table/row.h"

/*
 * ERROR 23514, 22001, 22003 or 23502 for a written value that a CHECK or NOT NULL of
 * the table's would refuse, with a message that names the value and what is
 * expected.  To be called when the rules have filled the row.
 */
extern void crm_check_values(const RowEdit *row);

/*
 * ERROR 22001 for a reason, an actor and the like that is too long to be recorded; NULL is
 * none.  what names it in the message.
 */
extern void crm_check_remark(const char *remark, const char *what);

#endif							/* CRM_TABLE_VALUE_CHECKS_H */
