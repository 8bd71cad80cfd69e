/*
 * deal/deal.h
 *		A deal being inserted or updated, as its rules see it.
 *
 * "Written" means: on INSERT given and not NULL, on UPDATE distinct from the
 * old value, as object-relational mappers send every column back.
 *
 * "Restored" is a row that is inserted with created_at, stage_entered_at and
 * updated_at of its own: one that comes from a dump or from another CRM.  It
 * tells what was, so rules that are about entering a stage today do not apply.
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
	bool		dated;			/* UPDATE names stage_entered_at, to date a
								 * move */
	bool		restored;
	TimestampTz clock;			/* when the trigger met the row */
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
 * The stage that the write puts the deal into; NULL if it leaves the deal
 * where it stands.  ERROR if the write contradicts itself, or does not say
 * enough.
 */
extern const StageFacts *crm_deal_target_stage(DealWrite *deal);

/* The status before an update. */
extern DealStatus crm_deal_old_status(const DealWrite *deal);

/* As of when the deal enters that stage; ERROR if it cannot be. */
extern TimestampTz crm_deal_effective_time(DealWrite *deal, const StageFacts *stage);

/*
 * Keeps won_at, lost_at, lost_reason and the probability of a closed deal: of
 * one that enters the stage as of that time, and of one that stays where it is.
 * ERROR if what was written of them does not fit.
 */
extern void crm_deal_close(DealWrite *deal, const StageFacts *stage, TimestampTz effective);
extern void crm_deal_stay_closed(DealWrite *deal);

#endif							/* CRM_DEAL_DEAL_H */
