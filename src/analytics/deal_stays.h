/*
 * analytics/deal_stays.h
 *		The stays of each deal of a cohort, in their order, read from the logs of
 *		crm_stage_history() and crm_deal_cohort().
 *
 * Memory follows the records that there are, whatever they claim: 36 to 71 bytes
 * a deal, 20 a move.
 */
#ifndef CRM_ANALYTICS_DEAL_STAYS_H
#define CRM_ANALYTICS_DEAL_STAYS_H

#include "datatype/timestamp.h"
#include "fmgr.h"

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
	TimestampTz period_from;	/* included */
	TimestampTz period_before;	/* not included */
} StaysAsked;

typedef struct DealStays DealStays;

/*
 * Reads stages, their number and the period from three arguments, of which the
 * first is a uuid[]; ERROR 54000 for too many stages, 22023 for one named twice.
 */
extern void crm_stays_asked(FunctionCallInfo fcinfo, int stages_arg, int from_arg, int before_arg,
							bool times, StaysAsked *asked);

/* Reads the logs, both of which may be NULL, into the current memory context. */
extern DealStays *crm_read_deal_stays(FunctionCallInfo fcinfo, int history_arg, int cohort_arg,
									  const StaysAsked *asked);

/*
 * Calls visit() for each deal that has stays, with those in the order of
 * move_no (stays of the same number by their other fields) and the present one
 * last.  All stays lie in one array, one deal's behind another's; a visitor may
 * overwrite those of the deals visited so far.  Can be called once.
 */
typedef void (*DealVisitor) (void *arg, DealStatus status, const Stay *stays, uint32 nstays);

extern void crm_visit_deals(DealStays *stays, DealVisitor visit, void *arg);

/* The array of all stays. */
extern Stay *crm_all_stays(DealStays *stays);

#endif							/* CRM_ANALYTICS_DEAL_STAYS_H */
