/*
 * table/scan.h
 *		Reading rows of a table by a uuid, without checks of permissions.
 */
#ifndef CRM_TABLE_SCAN_H
#define CRM_TABLE_SCAN_H

#include "access/htup.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

/* An index that finds rows of rel by that column; InvalidOid if there is none. */
extern Oid	crm_index_on_column(Relation rel, AttrNumber attno);

/*
 * Calls visit for each row of rel whose uuid column attno is key, as of now,
 * with all that this transaction has done; stops when it returns false.  The
 * index, if there is one, has that column in front.
 */
typedef bool (*CrmRowVisitor) (Relation rel, HeapTuple tuple, void *arg);
extern void crm_visit_rows(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
						   CrmRowVisitor visit, void *arg);

/*
 * The same for the only row of a key, in a table of few rows that many statements read:
 * where it still stands where it stood last, it is read without the index.
 */
extern void crm_visit_row(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
						  CrmRowVisitor visit, void *arg);

/*
 * Waits until no other transaction that writes a row with that key is running,
 * as the unique index is going to do; the column is its first one.
 */
extern void crm_wait_for_writers(Relation rel, AttrNumber attno, const pg_uuid_t *key);

#endif							/* CRM_TABLE_SCAN_H */
