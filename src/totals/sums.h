/*
 * totals/sums.h
 *		The sums of deals, by tenant and pipeline.
 */
#ifndef CRM_TOTALS_SUMS_H
#define CRM_TOTALS_SUMS_H

#include "executor/tuptable.h"

#include "summary/summary.h"
#include "table/kinds.h"

/* The deals of a pipeline; no padding, as the key is hashed as bytes. */
typedef struct TotalsGroup
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	pipeline_id;
	WorkingSummary *summary;
} TotalsGroup;

#define TOTALS_KEY_SIZE offsetof(TotalsGroup, summary)

typedef struct DealTotals DealTotals;

/*
 * Begins with no deals.  The rows to come have their columns, by DealColumn,
 * where columns says; deals is for messages.  The memory, of the size of the
 * totals whatever the number of rows, is the current context's.
 */
extern DealTotals *crm_deal_totals_begin(Relation deals, const AttrNumber *columns);

/* Counts a deal in, or out; one that is archived counts for nothing. */
extern void crm_deal_totals_add(DealTotals *totals, TupleTableSlot *deal);
extern void crm_deal_totals_subtract(DealTotals *totals, TupleTableSlot *deal);

/*
 * Counts the old row out and the new one in.  Cheap if they count alike, as
 * when something else of the deal was edited.
 */
extern void crm_deal_totals_replace(DealTotals *totals, TupleTableSlot *old_deal,
									TupleTableSlot *new_deal);

/* Whether there is nothing left after all. */
extern bool crm_deal_totals_are_zero(const DealTotals *totals);

/* Visits each group; its summary may have entries that are zero. */
typedef void (*TotalsVisitor) (const TotalsGroup *group, void *arg);
extern void crm_deal_totals_visit(const DealTotals *totals, TotalsVisitor visit, void *arg);

#endif							/* CRM_TOTALS_SUMS_H */
