/*
 * history/deal_changes.h
 *		Records the changes of deals, other than moves, in deal_changes.
 */
#ifndef CRM_HISTORY_DEAL_CHANGES_H
#define CRM_HISTORY_DEAL_CHANGES_H

#include "executor/tuptable.h"

#include "table/kinds.h"

/* Of one statement; costs nothing until there is something to record. */
typedef struct DealChangeAudit
{
	Relation	deals;
	const AttrNumber *columns;	/* by DealColumn */
	const struct OtherColumns *others;
	AttrNumber	last_watched;	/* the last column that is */
	struct DealChanges *changes;	/* NULL until something changed */
} DealChangeAudit;

extern void crm_deal_change_audit_begin(DealChangeAudit *audit, Relation deals,
										const AttrNumber *columns);

/*
 * Whether an update of a deal is to be recorded.  The probability of a deal
 * that moved is the move's.
 */
extern bool crm_deal_is_changed(const DealChangeAudit *audit, TupleTableSlot *old_deal,
								TupleTableSlot *new_deal, bool moved);

/*
 * Record a change.  The memory is the context's that is current the first
 * time; the caller is connected to SPI from then until the end.
 */
extern void crm_deal_was_updated(DealChangeAudit *audit, TupleTableSlot *old_deal,
								 TupleTableSlot *new_deal, bool moved);
extern void crm_deal_was_inserted(DealChangeAudit *audit, TupleTableSlot *new_deal);
extern void crm_deal_was_deleted(DealChangeAudit *audit, TupleTableSlot *old_deal);

extern void crm_deal_change_audit_end(DealChangeAudit *audit);

#endif							/* CRM_HISTORY_DEAL_CHANGES_H */
