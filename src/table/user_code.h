/*
 * table/user_code.h
 *		Whether storing a row runs code of a user's.
 */
#ifndef CRM_TABLE_USER_CODE_H
#define CRM_TABLE_USER_CODE_H

#include "nodes/nodes.h"
#include "utils/relcache.h"

/* Whether the function is neither an immutable one of PostgreSQL's, the clock, nor ours. */
extern bool crm_is_user_code(Oid function);

/*
 * Whether a row that is inserted into the table, its columns computed by these
 * expressions, may run anything but PostgreSQL's immutable functions and those of
 * this extension: by a default, a row trigger, a CHECK, a generated column, a
 * domain or an index.  In doubt it does.
 */
extern bool crm_insert_runs_user_code(Relation rel, const List *columns);

#endif							/* CRM_TABLE_USER_CODE_H */
