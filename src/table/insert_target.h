/*
 * table/insert_target.h
 *		The columns and values that are inserted into a table beside deals.
 */
#ifndef CRM_TABLE_INSERT_TARGET_H
#define CRM_TABLE_INSERT_TARGET_H

#include "access/tupdesc.h"
#include "utils/relcache.h"

/* A column that is written, and the type of the values. */
typedef struct InsertField
{
	const char *column;
	Oid			type;
	const char *since;			/* the first version whose table has it; NULL:
								 * all.  The table of an older CRM may lack
								 * it: then it is not written. */
} InsertField;

/* What the table is given.  Its other columns have defaults. */
typedef struct InsertTarget
{
	const char *table;
	const InsertField *fields;
	int			nfields;
	const char *guard;			/* the function of the row trigger that lets
								 * only these rows pass; NULL: none */
} InsertTarget;

/* The type of a row of the fields. */
extern TupleDesc crm_target_row(const InsertTarget *target);

/* The fields for which the table of an older CRM has no column, a bit each. */
#define CRM_FIELD_BIT(i)	(UINT64CONST(1) << (i))
extern uint64 crm_lacking_fields(Relation rel, const InsertTarget *target);

/* The same of the table beside deals; none if there is no such table. */
extern uint64 crm_lacking_fields_beside(Relation deals, const InsertTarget *target);

#endif							/* CRM_TABLE_INSERT_TARGET_H */
