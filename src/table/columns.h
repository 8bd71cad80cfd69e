/*
 * table/columns.h
 *		The CRM's tables as the triggers need them: columns, neighbours, locks.
 *
 * The tables belong to the user, who may have added, dropped and reordered
 * columns: nothing is assumed of a column but its name and type, and both are
 * verified.
 */
#ifndef CRM_TABLE_COLUMNS_H
#define CRM_TABLE_COLUMNS_H

#include "access/htup.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "storage/lock.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

/*
 * A column that the code reads or writes.  A CRM older than "since" need not
 * have it: its number is then InvalidAttrNumber, its value null, and it is not
 * written.
 */
typedef struct CrmColumn
{
	const char *name;
	Oid			type;
	const char *since;			/* the first version that has it; NULL: all */
} CrmColumn;

/* The columns of a kind of table. */
typedef struct CrmTableKind
{
	const char *name;			/* for messages */
	const CrmColumn *columns;
	int			ncolumns;
} CrmTableKind;

/*
 * The attribute numbers of the kind's columns in rel, in the kind's order; 0
 * for a column that an older CRM does not have.  ERROR if one is missing that
 * it should have.  Cached for the session; valid as long as the caller holds a lock on rel.
 */
extern const AttrNumber *crm_columns(Relation rel, const CrmTableKind *kind);

/* The number of that column, which must be of that type; 0 if there is none. */
extern AttrNumber crm_optional_column(Relation rel, const char *name, Oid type);

/*
 * Whether rel is without that column, as the table of a CRM older than "since"
 * may be.  False for one that a user dropped: whoever writes it will say so.
 */
extern bool crm_lacks_column(Relation rel, const char *name, const char *since);

/* The value of a column; null if the table does not have it. */
static inline Datum
crm_slot_value(TupleTableSlot *slot, AttrNumber attno, bool *isnull)
{
	if (attno != InvalidAttrNumber)
		return slot_getattr(slot, attno, isnull);
	*isnull = true;
	return (Datum) 0;
}

/* The value of a column that cannot be null; ERROR 23502 if it is. */
extern Datum crm_required_value(Relation rel, HeapTuple tuple, AttrNumber attno);

extern Datum crm_required_slot_value(Relation rel, TupleTableSlot *row, AttrNumber attno);

/* The same check, of a value that is at hand. */
extern void crm_check_not_null(Relation rel, AttrNumber attno, bool isnull);

/* The owner of that table; InvalidOid if it is gone. */
extern Oid	crm_table_owner(Oid relid);

/*
 * The table that the foreign key on that column of rel refers to.  ERROR 42501
 * unless rel's owner may read all of it.
 */
extern Oid	crm_referenced_table(Relation rel, AttrNumber attno);

/* The name, qualified and quoted, of the table of that name beside rel. */
extern char *crm_sibling_name(Relation rel, const char *table);

#endif							/* CRM_TABLE_COLUMNS_H */
