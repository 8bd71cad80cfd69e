/*
 * table/plain_insert.h
 *		Rows into a plain table, past SQL.
 *
 * For what the CRM itself writes beside deals.  Where the table is a heap to
 * which its owner attached nothing that an INSERT would have to heed, a row is
 * stored as the executor would store it, without planning or starting it up for
 * each.  Of any other table the caller is told so, and runs the INSERT.
 */
#ifndef CRM_TABLE_PLAIN_INSERT_H
#define CRM_TABLE_PLAIN_INSERT_H

#include "fmgr.h"
#include "utils/relcache.h"

/* A column that is written: the type is that of the value. */
typedef struct InsertField
{
	const char *column;
	Oid			type;
	const char *cast;			/* how SQL makes the column's type of it, or
								 * NULL */
	const char *since;			/* the first version whose table has it; NULL:
								 * all.  The table of an older CRM may be
								 * without it: then it is not written. */
} InsertField;

/* What a table beside deals is given.  The other columns have defaults. */
typedef struct InsertTarget
{
	const char *table;
	const InsertField *fields;
	int			nfields;
	PGFunction	guard;			/* the function of a BEFORE ROW trigger that
								 * lets these rows pass, or NULL */
} InsertTarget;

typedef struct PlainInsert PlainInsert;

/*
 * Begins to insert into the target beside deals; NULL if that is to be done by
 * SQL.  Opens and locks as INSERT does.  The target has to last for the
 * session; what is allocated is the current context's.
 */
extern PlainInsert *crm_plain_insert_begin(Relation deals, const InsertTarget *target);

/* Whether the row can be stored: else INSERT says what is wrong with it. */
extern bool crm_plain_insert_fits(const PlainInsert *insert, const bool *nulls);

/*
 * Stores a row that fits, its values in the order of the fields.  Allocates
 * little, in the current context.
 */
extern void crm_plain_insert_row(PlainInsert *insert, const Datum *values, const bool *nulls);

/* Ends it; the rows become visible to what the transaction does next. */
extern void crm_plain_insert_end(PlainInsert *insert);

#endif							/* CRM_TABLE_PLAIN_INSERT_H */
