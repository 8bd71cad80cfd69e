/*
 * deal/deal.h
 *		A deal that is being inserted or updated, as its rules see it.
 *
 * "Written" means: on INSERT given and not NULL, on UPDATE distinct from the
 * old value, as object-relational mappers send every column back.
 *
 * "Restored" means: inserted with explicit created_at, stage_entered_at and
 * updated_at, as rows of a dump or of another CRM are.  Such a row records the
 * past, so that the rules about entering a stage now do not apply.
 */
#ifndef CRM_DEAL_DEAL_H
#define CRM_DEAL_DEAL_H

#include "datatype/timestamp.h"

#include "history/past.h"
#include "stage/lookup.h"
#include "table/kinds.h"
#include "table/row.h"

typedef struct DealWrite
{
	RowEdit		row;
	const AttrNumber *columns;	/* by DealColumn */
	StageLookup *lookup;
	const DealHistory *history;
	bool		insert;
	bool		dated;			/* see names_entered_at() in deal/rules.c */
	bool		restored;
	TimestampTz clock;			/* the time when the trigger fired */
} DealWrite;

static inline bool
deal_is_null(const DealWrite *deal, DealColumn column)
{
	return crm_row_is_null(&deal->row, deal->columns[column]);
}

static inline Datum
deal_get(const DealWrite *deal, DealColumn column)
{
	return crm_row_get(&deal->row, deal->columns[column]);
}

static inline bool
deal_old_is_null(const DealWrite *deal, DealColumn column)
{
	return crm_row_old_is_null(&deal->row, deal->columns[column]);
}

static inline Datum
deal_get_old(const DealWrite *deal, DealColumn column)
{
	return crm_row_get_old(&deal->row, deal->columns[column]);
}

static inline void
deal_set(DealWrite *deal, DealColumn column, Datum value)
{
	crm_row_set(&deal->row, deal->columns[column], value);
}

static inline void
deal_set_null(DealWrite *deal, DealColumn column)
{
	crm_row_set_null(&deal->row, deal->columns[column]);
}

extern bool crm_deal_written(const DealWrite *deal, DealColumn column);

/* The deal's name in messages: its title and id; palloc'd. */
extern char *crm_deal_label(const DealWrite *deal);

/*
 * The stage that the write puts the deal into; NULL if the deal stays in its
 * stage.  ERROR if the written columns contradict each other or do not determine
 * a stage.
 */
extern const StageFacts *crm_deal_target_stage(DealWrite *deal);

/* The status before an update. */
extern DealStatus crm_deal_old_status(const DealWrite *deal);

/* The time as of which the deal enters that stage; ERROR if it is not allowed. */
extern TimestampTz crm_deal_effective_time(DealWrite *deal, const StageFacts *stage);

/*
 * Set won_at, lost_at, lost_reason and the probability as the status requires:
 * of a deal that enters the stage as of that time, and of one that stays in its
 * stage.  ERROR if what was written contradicts the status.
 */
extern void crm_deal_close(DealWrite *deal, const StageFacts *stage, TimestampTz effective);
extern void crm_deal_stay_closed(DealWrite *deal);

#endif							/* CRM_DEAL_DEAL_H */
