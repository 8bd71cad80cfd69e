/*
 * deal/deal.h
 *		A deal that is being inserted or updated, as its rules see it.
 *
 * "Written" means: on INSERT given and not NULL, on UPDATE distinct from the
 * old value, as object-relational mappers send every column back.
 */
#ifndef CRM_DEAL_DEAL_H
#define CRM_DEAL_DEAL_H

#include "datatype/timestamp.h"

#include "history/past.h"
#include "stage/lookup.h"
#include "table/kinds.h"
#include "table/row.h"

/* Lookups in the history of deals, kept for one statement. */
typedef struct DealsPast
{
	bool		is_open;
	DealHistory moves;
	DealPast	changes;
} DealsPast;

typedef struct DealWrite
{
	RowEdit		row;
	FunctionCallInfo fcinfo;	/* of the trigger function */
	const AttrNumber *columns;	/* by DealColumn */
	StageLookup *lookup;
	DealsPast  *past;			/* opened when it is asked for */
	bool		insert;			/* of a row that does not stand */
	bool		dated;			/* see names_entered_at() in deal/rules.c */
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

/* The id of the deal, for messages; palloc'd. */
extern char *crm_deal_id_text(const DealWrite *deal);

/*
 * The stage that the write puts the deal into; NULL if the deal stays in its
 * stage.  ERROR if the written columns contradict each other or do not determine
 * a stage.
 */
extern const StageFacts *crm_deal_target_stage(DealWrite *deal);

/* The status before an update. */
extern DealStatus crm_deal_old_status(const DealWrite *deal);

/* The time as of which the deal enters that stage; ERROR if it is not allowed. */
extern TimestampTz crm_deal_effective_time(const DealWrite *deal, const StageFacts *stage);

/*
 * The moment that a time given by a client means, which is not before the
 * earliest moment possible; see deal/moment.c.
 */
extern TimestampTz crm_deal_moment(const DealWrite *deal, TimestampTz time, TimestampTz earliest);
extern TimestampTz crm_moment(TimestampTz time, TimestampTz earliest, TimestampTz clock);

/* Whether the first time is the second one truncated to milliseconds. */
extern bool crm_deal_is_cut(TimestampTz time, TimestampTz whole);

/* ERROR if the moment is infinite or later than the clock; "what" names it. */
extern void crm_deal_check_past(const DealWrite *deal, DealColumn column, const char *what,
								TimestampTz moment);

/*
 * Set won_at, lost_at, lost_reason and the probability as the status requires:
 * of a deal that enters the stage as of that time, and of one that stays in its
 * stage.  ERROR if what was written contradicts the status.
 */
extern void crm_deal_close(DealWrite *deal, const StageFacts *stage, TimestampTz effective);
extern void crm_deal_stay_closed(DealWrite *deal);

/*
 * Correct when the deal was closed to the moment that the column, won_at or
 * lost_at, was given: that is when the move happened by which it was closed.
 */
extern void crm_deal_correct_closing(DealWrite *deal, DealColumn column, const char *name);

/*
 * Written to move_no: asks the rules to set the deal's times to those of its history.
 * Everybody may write it, as it cannot make the deal differ from the history.
 */
#define CRM_FOLLOW_HISTORY	(-1)

extern bool crm_deal_follows_history(const DealWrite *deal);
extern void crm_deal_follow_history(DealWrite *deal);

/*
 * Whether the write asks for the last move to be taken back (CRM_UNDO), and doing so: by a
 * move of that number.
 */
extern bool crm_deal_is_undone(const DealWrite *deal);
extern void crm_deal_undo(DealWrite *deal, int32 move_no);

/* created_at as it is now; -infinity while it is null. */
extern TimestampTz crm_deal_creation(const DealWrite *deal);

/* ERROR if the deal, as it is now, was closed before it was created. */
extern void crm_deal_check_closed_after_creation(const DealWrite *deal);

/*
 * Make the closing columns and the probability fit that status, whatever was
 * written, as the CHECKs need it; a time that is missing is the clock's.
 */
extern void crm_deal_fit_status(DealWrite *deal, DealStatus status);

/* Fill an inserted row whose key exists already, as far as its CHECKs need it. */
extern void crm_deal_fit_standing(DealWrite *deal);

/*
 * Remember a row that the rules of UPDATE have judged; whether an inserted row is
 * that one, moved to another partition of the table.
 */
extern void crm_deal_note_update(const DealWrite *deal, MemoryContext statement);
extern bool crm_deal_comes_from_partition(const DealWrite *deal, MemoryContext statement);

#endif							/* CRM_DEAL_DEAL_H */
