/*
 * analytics/deal_stays.h
 *		The stays of the deals of a cohort, which crm_deal_cohort() gathered.
 *
 * Moves come in any order, from crm_stage_history() (log_moves.c) or from the
 * table (pipeline_moves.c).  Either each stay is passed on as it comes, and
 * nothing is kept of it, or all are kept and put into their order.
 *
 * Memory follows the records that there are, whatever they claim: 48 to 64 bytes
 * a deal, and 36 a stay that is kept.
 */
#ifndef CRM_ANALYTICS_DEAL_STAYS_H
#define CRM_ANALYTICS_DEAL_STAYS_H

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "analytics/stay_log.h"
#include "analytics/uuid_key.h"
#include "stage/deal_status.h"

/* A pipeline has as many stages as that, at most. */
#define MAX_STAGES		1000

/* A stay of a deal in one of the stages that were asked for. */
typedef struct Stay
{
	int64		figure;			/* duration if times are asked for, else
								 * entered_at */
	int32		move_no;		/* of the move that ended it */
	uint16		stage;			/* number of the stage, from 0 */
	uint16		next;			/* the same of the next one, or NEXT_NOWHERE */
	/* Both are below STAY_COUNTS, which is added to stage. */
} Stay;

#define STAY_COUNTS		0x8000	/* it began in the period */
#define STAY_STAGE(stay) ((stay)->stage & 0x7FFF)
#define NEXT_NOWHERE	0x7FFF

/* What is asked of the logs. */
typedef struct StaysAsked
{
	int			nstages;
	Datum	   *stages;			/* uuids in their order, none twice */
	bool		times;			/* only stays with a duration, which is wanted */
	bool		next;			/* which stage came next */
	TimestampTz period_from;	/* included */
	TimestampTz period_before;	/* not included */
} StaysAsked;

typedef struct DealStays DealStays;

/*
 * Takes the stays of a deal, those of one deal in the order of move_no (stays of
 * the same number by their other fields) and the present one last; may reorder
 * them.
 */
typedef void (*DealVisitor) (void *arg, DealStatus status, Stay *stays, uint32 nstays);

/* Takes a stay that counts; is_first: the first of its deal in that stage to come. */
typedef void (*StayVisitor) (void *arg, DealStatus status, const Stay *stay, bool is_first);

/* More stages cannot be told apart without keeping the stays. */
#define MAX_STAGES_PASSED_ON	32

/* A move, with the numbers of its stages by crm_stage_number(). */
typedef struct StayMove
{
	UuidKey		deal;
	uint16		stage;			/* the one that it left, or ELSEWHERE */
	uint16		next;			/* if it is asked for */
	int32		move_no;
	bool		has_entered_at;
	bool		has_duration;
	TimestampTz entered_at;
	int64		duration;		/* microseconds */
} StayMove;

#define ELSEWHERE	PG_UINT16_MAX	/* a stage that was not asked for */

/*
 * Reads stages, their number and the period from three arguments, of which the
 * first is a uuid[]; ERROR 54000 for too many stages, 22023 for one named twice.
 */
extern void crm_stays_asked(FunctionCallInfo fcinfo, int stages_arg, int from_arg, int before_arg,
							bool times, StaysAsked *asked);

/*
 * Begins, in the current memory context, with the deals of a cohort, an argument
 * that may be NULL.  Stays are passed on to pass_on, or kept if that is NULL.
 */
extern DealStays *crm_begin_stays(FunctionCallInfo fcinfo, int cohort_arg, const StaysAsked *asked,
								  StayVisitor pass_on, void *arg);

extern const StaysAsked *crm_asked(const DealStays *stays);

/* The number of a stage, from 0; ELSEWHERE if it was not asked for. */
extern uint16 crm_stage_number(const DealStays *stays, UuidKey stage);

/* The same by the number of the stage in a log, where 0 is none; palloc'd. */
extern uint16 *crm_log_stage_numbers(const DealStays *stays, const StayLogReader *reader);

/*
 * A move that another one took back, for which it counts for nothing.  All of
 * them first, then crm_add_moves(), then the moves: each is filled in where
 * crm_new_move() says, then added.
 */
extern void crm_add_taken_back(DealStays *stays, UuidKey deal, int32 move_no);
extern void crm_add_moves(DealStays *stays);
extern StayMove *crm_new_move(DealStays *stays);
extern void crm_add_move(DealStays *stays);

/*
 * After the last move.  Passes present stays on; if stays were kept, visit is called
 * for each deal.
 */
extern void crm_end_stays(DealStays *stays, DealVisitor visit, void *arg);

/* log_moves.c: adds the moves of a value of crm_stage_history(), an argument that may be NULL. */
extern void crm_add_moves_of_log(DealStays *stays, FunctionCallInfo fcinfo, int history_arg);

/*
 * pipeline_moves.c: adds the moves out of stages of a pipeline, read with the
 * caller's rights.  Arguments 0 and 1 are the CRM's schema and the pipeline.
 */
extern void crm_add_moves_of_pipeline(DealStays *stays, FunctionCallInfo fcinfo);

#endif							/* CRM_ANALYTICS_DEAL_STAYS_H */
