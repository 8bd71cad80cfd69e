/*
 * analytics/deal_visits.h
 *		The visits of the deals of cohorts, which crm_deal_cohort() gathered.
 *
 * Moves come in any order, from crm_stage_history() (log_moves.c) or from the
 * table (pipeline_moves.c).  Either each visit is passed on as it comes, and
 * nothing is kept of it, or all are kept and put into their order.
 *
 * Memory is allocated for the records read, not for the numbers that a header claims:
 * 48 to 64 bytes for each deal, 16 more if amounts are asked for, and 36 for each visit
 * that is kept.
 */
#ifndef CRM_ANALYTICS_DEAL_VISITS_H
#define CRM_ANALYTICS_DEAL_VISITS_H

#include "datatype/timestamp.h"
#include "funcapi.h"

#include "analytics/uuid_key.h"
#include "analytics/visit_log.h"
#include "base/compat.h"
#include "stage/deal_status.h"

/* A pipeline has as many stages as that, at most. */
#define MAX_STAGES		1000

/* A visit of a deal in one of the stages that were asked for. */
typedef struct Visit
{
	int64		figure;			/* duration if times are asked for, else
								 * entered_at */
	int32		move_no;		/* of the move that ended it */
	uint16		stage;			/* number of the stage, from 0 */
	uint16		next;			/* the same of the next one, or NEXT_NOWHERE */
	/* Both are below VISIT_COUNTS, which is added to stage. */
} Visit;

#define VISIT_COUNTS		0x8000	/* it began in the period */
#define VISIT_STAGE(visit) ((visit)->stage & 0x7FFF)
#define NEXT_NOWHERE	0x7FFF

/* What to read from the logs. */
typedef struct VisitsAsked
{
	int			nstages;
	Datum	   *stages;			/* uuids in their order, none twice */
	bool		times;			/* only visits with a duration, which is
								 * wanted */
	bool		next;			/* which stage came next */
	bool		amounts;		/* of the deals */
	TimestampTz period_from;	/* included */
	TimestampTz period_before;	/* not included */
} VisitsAsked;

typedef struct DealVisits DealVisits;

/* A deal as it is now. */
typedef struct DealNow
{
	DealStatus	status;
	int128		amount;			/* fixed point of CRM_AMOUNT_SCALE; 0 unless
								 * amounts are asked for */
} DealNow;

/*
 * Takes the visits of a deal, those of one deal in the order of move_no (visits of
 * the same number by their other fields) and the present one last; may reorder
 * them.
 */
typedef void (*DealReceiver) (void *arg, const DealNow *deal, Visit *visits, uint32 nvisits);

/* Takes a visit that counts; is_first: the first of its deal in that stage to come. */
typedef void (*VisitReceiver) (void *arg, DealStatus status, const Visit *visit, bool is_first);

/* With more stages, the visits have to be kept. */
#define MAX_STAGES_PASSED_ON	32

/* A move, with the numbers of its stages by crm_stage_number(). */
typedef struct VisitMove
{
	UuidKey		deal;
	uint16		stage;			/* the one that it left, or ELSEWHERE */
	uint16		next;			/* if it is asked for */
	int32		move_no;
	bool		has_entered_at;
	bool		has_duration;
	TimestampTz entered_at;
	int64		duration;		/* microseconds */
} VisitMove;

#define ELSEWHERE	PG_UINT16_MAX	/* a stage that was not asked for */

/*
 * Reads stages, their number and the period from three arguments, of which the
 * first is a uuid[]; ERROR 54000 for too many stages, 22023 for one named twice.
 */
extern void crm_visits_asked(FunctionCallInfo fcinfo, int stages_arg, int from_arg, int before_arg,
							 bool times, VisitsAsked *asked);

/* ERROR 22023: a stage is null, or named twice. */
pg_noreturn extern void crm_refuse_stages(void);

/* The cohorts in an argument that is not NULL: a bytea, or an array of several. */
extern Datum *crm_get_cohorts(FunctionCallInfo fcinfo, int arg, int *ncohorts);

/*
 * Begins, in the current memory context, with the deals of cohorts: an argument that
 * is a bytea, or an array of several, and may be NULL.  No deal is in two of them.
 * Visits are passed on to pass_on, or kept if that is NULL.
 */
extern DealVisits *crm_begin_visits(FunctionCallInfo fcinfo, int cohorts_arg,
									const VisitsAsked *asked, VisitReceiver pass_on, void *arg);

extern int	crm_cohort_count(const DealVisits *visits);

extern const VisitsAsked *crm_asked(const DealVisits *visits);

/* The number of a stage, from 0; ELSEWHERE if it was not asked for. */
extern uint16 crm_stage_number(const DealVisits *visits, UuidKey stage);

/* The same by the number of the stage in a log, where 0 is none; palloc'd. */
extern uint16 *crm_log_stage_numbers(const DealVisits *visits, const VisitLogReader *reader);

/*
 * Add a move that does not count: one that another one took back; one of an earlier life of
 * the deal, with all moves before it.  All of these have
 * to come first; then crm_add_moves(); then the moves, each of which is filled in at
 * the place that crm_new_move() returns, and added.
 */
extern void crm_add_past(DealVisits *visits, UuidKey deal, int32 move_no);
extern void crm_add_taken_back(DealVisits *visits, UuidKey deal, int32 move_no);
extern void crm_add_moves(DealVisits *visits);
extern VisitMove *crm_new_move(DealVisits *visits);
extern void crm_add_move(DealVisits *visits);

/* After the last move.  Passes present visits on, or puts those that were kept into order. */
extern void crm_end_visits(DealVisits *visits);

/*
 * Calls receive for each deal of a cohort, from 0, that has visits which were kept; does
 * nothing if there is no such cohort.  May be called again.
 */
extern void crm_pass_cohort(DealVisits *visits, int cohort, DealReceiver receive, void *arg);

/* log_moves.c: adds the moves of a value of crm_stage_history(), an argument that may be NULL. */
extern void crm_add_moves_of_log(DealVisits *visits, FunctionCallInfo fcinfo, int history_arg);

/*
 * pipeline_moves.c: adds the moves out of stages of a pipeline, read with the
 * caller's rights.  Arguments 0 and 1 are the CRM's schema and the pipeline.
 */
extern void crm_add_moves_of_pipeline(DealVisits *visits, FunctionCallInfo fcinfo);

/* Puts a row of ncolumns values; the result of a log lacks the first one, which tells the group. */
extern void crm_put_visit_row(ReturnSetInfo *rows, int ncolumns, Datum *values, bool *nulls);

#endif							/* CRM_ANALYTICS_DEAL_VISITS_H */
