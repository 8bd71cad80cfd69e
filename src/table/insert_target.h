/*
 * table/insert_target.h
 *		What is written to a table beside deals.
 */
#ifndef CRM_TABLE_INSERT_TARGET_H
#define CRM_TABLE_INSERT_TARGET_H

/* A column that is written, and the type of the values. */
typedef struct InsertField
{
	const char *column;
	Oid			type;
} InsertField;

/* What the table is given.  Its other columns have defaults. */
typedef struct InsertTarget
{
	const char *table;
	const InsertField *fields;
	int			nfields;
	const char *failure;		/* how the message begins when it is not to be
								 * written to */
} InsertTarget;

#endif							/* CRM_TABLE_INSERT_TARGET_H */
