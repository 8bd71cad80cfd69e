/*
 * table/caller_query.h
 *		Code shared by the functions behind a CRM's API.
 *
 * A function written in SQL runs all its statements in the snapshot that it
 * began with, and so does not see what it waited for.  Those that wait for
 * others are therefore written in C, as queries of which each has the newest
 * snapshot, run with the caller's rights.
 */
#ifndef CRM_TABLE_CALLER_QUERY_H
#define CRM_TABLE_CALLER_QUERY_H

#include "fmgr.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "table/columns.h"

/*
 * Opens the table of that name in the schema that argument 0, a regnamespace,
 * is, and connects to SPI.  ERROR PT404 if it is not there.  If kind is given,
 * the table must have its columns.  A function that is going to write the table
 * locks it for that at once: to wait for the lock later could be a deadlock.
 */
extern Relation crm_api_begin(FunctionCallInfo fcinfo, const char *table, const CrmTableKind *kind);
extern Relation crm_api_begin_write(FunctionCallInfo fcinfo, const char *table,
									const CrmTableKind *kind);
extern void crm_api_end(Relation rel);

/* An argument that must be given: ERROR 22004 if it is NULL.  The second returns it. */
extern void crm_api_require_argument(FunctionCallInfo fcinfo, int n, const char *name);
extern const pg_uuid_t *crm_api_uuid(FunctionCallInfo fcinfo, int n, const char *name);

/*
 * Runs a query; its parameters are uuids, or of the given types.  Returns how
 * many rows it concerned.  Of the first row that it returned, crm_api_value()
 * reads a column, which must be of that type (and not null, if isnull is
 * NULL), and crm_api_text() one of any type, as text; NULL if it is null.
 */
extern uint64 crm_api_run(const char *query, int nargs, const Datum *args);
extern uint64 crm_api_run_typed(const char *query, int nargs, const Oid *types, const Datum *args);
extern Datum crm_api_value(int column, Oid type, bool *isnull);
extern char *crm_api_text(int column);

/* Runs a query that returns one row at most; ERROR PT404 if it returns none. */
extern void crm_api_require(const char *query, const char *what, const pg_uuid_t *id);

/*
 * For an UPDATE or DELETE of a row that concerned none: ERROR PT404 if the
 * row is gone, as the query tells, else 42501.
 */
pg_noreturn extern void crm_api_unchanged(const char *query, const char *what, const pg_uuid_t *id);

/*
 * The row of that id in the table whose row type this is, as it is now, also
 * if it changed since the calling statement began; false if the caller sees
 * none.
 */
extern bool crm_current_row(Oid type, const pg_uuid_t *id, Datum *row);

/* ERROR 42501 unless the caller may update that column. */
extern void crm_api_check_update(Relation rel, const char *column);

#endif							/* CRM_TABLE_CALLER_QUERY_H */
