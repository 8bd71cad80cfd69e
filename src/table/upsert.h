/*
 * table/upsert.h
 *		An inserted row whose key stands already: the UPDATE that it may become.
 */
#ifndef CRM_TABLE_UPSERT_H
#define CRM_TABLE_UPSERT_H

#include "commands/trigger.h"

/* What the row triggers of one statement remember of the row they saw last. */
typedef struct Upsert Upsert;

/* For a statement that writes to rel, in its memory. */
extern Upsert *crm_upsert_create(Relation rel, MemoryContext statement);

/*
 * Whether a row with one of the unique keys of these values stands, of the same
 * tenant; its values are then given, and live until the next call.  The row is
 * locked as a foreign key locks its parent, so that INSERT ends in a conflict
 * with it, whatever others do.  Waits for a transaction that is writing such a
 * row.
 */
extern bool crm_upsert_find(Upsert *upsert, const Datum *values, const bool *nulls,
							const Datum **standing_values, const bool **standing_nulls);

/* Whether the column is part of a unique key. */
extern bool crm_upsert_is_key(const Upsert *upsert, AttrNumber attno);

/* Whether the statement knows that the column's DEFAULT is NULL; notes it. */
extern bool crm_upsert_defaults_to_null(const Upsert *upsert, AttrNumber attno);
extern void crm_upsert_note_null_default(Upsert *upsert, AttrNumber attno);

/* Whether the id of the row that was looked for is one that a default has just made. */
extern bool crm_upsert_id_is_new(const Upsert *upsert);

/* Notes the row as it was given and as its BEFORE INSERT trigger returns it. */
extern void crm_upsert_note(Upsert *upsert, HeapTuple given, HeapTuple filled);

/*
 * For a BEFORE UPDATE trigger, with the values of the new row: if the UPDATE is
 * what the row that was noted has become, the columns that it assigns from
 * EXCLUDED get back what was given, NULL where nothing was.  True: some did.
 */
extern bool crm_upsert_resume(Upsert *upsert, const TriggerData *trigdata,
							  Datum *values, bool *nulls);

#endif							/* CRM_TABLE_UPSERT_H */
