/*
 * table/running_writes.h
 *		Statements that are writing to deals and have not ended yet.
 *
 * Until then a function that they call may see some rows as written already,
 * while history and totals follow only at the end.
 */
#ifndef CRM_TABLE_RUNNING_WRITES_H
#define CRM_TABLE_RUNNING_WRITES_H

#include "utils/palloc.h"
#include "utils/relcache.h"

/*
 * Notes that a statement of this session writes to that table; called once
 * for an INSERT or UPDATE.  It runs as long as its memory context lives.
 */
extern void crm_note_running_write(Oid deals, MemoryContext statement);

/*
 * Notes that a client has given an id to a deal that such a statement inserts;
 * whether one has to any statement that runs now.
 */
extern void crm_note_given_id(Oid deals);
extern bool crm_ids_were_given(void);

/* Whether any statement of this session is writing to the table. */
extern bool crm_write_is_running(Relation deals);

#endif							/* CRM_TABLE_RUNNING_WRITES_H */
