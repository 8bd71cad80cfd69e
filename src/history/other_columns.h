/*
 * history/other_columns.h
 *		Columns of deals that have no column of their own in deal_changes.
 *
 * What changed of them is in the column other, an object by their names.  They
 * are a few of the CRM's own, and those of the user's that are arguments of the
 * trigger which records (see crm_track_column).
 */
#ifndef CRM_HISTORY_OTHER_COLUMNS_H
#define CRM_HISTORY_OTHER_COLUMNS_H

#include "executor/tuptable.h"
#include "utils/relcache.h"

/* At most so many are recorded. */
#define MAX_OTHER_COLUMNS	64

typedef struct OtherColumns
{
	int			ncolumns;
	AttrNumber	last;			/* the last one in the row */
	AttrNumber	lost_reason;	/* that of a move is recorded with the move */
	AttrNumber	columns[MAX_OTHER_COLUMNS];
} OtherColumns;

/* Those of that table of deals, for as long as the caller holds its lock. */
extern const OtherColumns *crm_other_columns(Relation deals);

/* Whether one differs; both rows are deformed up to the last of them. */
extern bool crm_others_differ(const OtherColumns *others, TupleTableSlot *old_deal,
							  TupleTableSlot *new_deal, bool moved);

/* What differs, as jsonb: {"column": {"old": ..., "new": ...}}; false if nothing does. */
extern bool crm_others_to_json(const OtherColumns *others, TupleTableSlot *old_deal,
							   TupleTableSlot *new_deal, bool moved, Datum *json);

/* Whether the CRM records changes of that column of deals anyway, or makes it itself. */
extern bool crm_is_own_column(const char *name);

#endif							/* CRM_HISTORY_OTHER_COLUMNS_H */
