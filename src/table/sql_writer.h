/*
 * table/sql_writer.h
 *		Inserts rows into a table beside deals by SQL, many at a time.
 *
 * For table/writer.c, where the table is one that only SQL can write to.
 */
#ifndef CRM_TABLE_SQL_WRITER_H
#define CRM_TABLE_SQL_WRITER_H

#include "access/tupdesc.h"
#include "utils/relcache.h"

#include "table/insert_target.h"

typedef struct SqlWriter SqlWriter;

/* As the functions of writer.h. */
extern SqlWriter *crm_sql_writer_begin(Relation deals, const InsertTarget *target);
extern void crm_sql_writer_add(SqlWriter *writer, const Datum *values, const bool *nulls);
extern void crm_sql_writer_end(SqlWriter *writer);

#endif							/* CRM_TABLE_SQL_WRITER_H */
