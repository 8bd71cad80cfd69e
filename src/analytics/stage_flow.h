/*
 * analytics/stage_flow.h
 *		The pace of a pipeline: which deals entered and left its stages, by period.
 */
#ifndef CRM_ANALYTICS_STAGE_FLOW_H
#define CRM_ANALYTICS_STAGE_FLOW_H

#include "funcapi.h"

#include "analytics/deal_index.h"
#include "base/calendar.h"
#include "summary/summary.h"

typedef enum Flow
{
	FLOW_ENTERED,
	FLOW_FORWARD,
	FLOW_BACKWARD,
	FLOW_LOST,
	FLOW_MOVED_OUT
} Flow;

/* An amount with its currency, as in SummaryKey.rest. */
typedef struct FlowAmount
{
	int128		amount;
	uint32		currency;		/* SUMMARY_LETTERs */
	bool		is_there;
} FlowAmount;

/* What is needed of a deal to tell where and when it was created. */
typedef struct FlowDeal
{
	FlowAmount	amount;			/* as of its creation, if that is known */
	TimestampTz entered_at;		/* its first stage here */
	int32		move_no;		/* of the first move; PG_INT32_MAX: none yet */
	uint32		stage;			/* number; NOT_A_DEAL: it is elsewhere */
	uint32		cohort;
	int32		past_no;		/* of the last move of an earlier life */
	int32		version;		/* when it was inserted again, the last time */
	bool		was_recreated;	/* it was; else the last two are not set */
} FlowDeal;

/* A deal flowed. */
typedef struct FlowEvent
{
	uint32		deal;			/* number */
	uint32		stage;
	DateADT		start;
	int32		move_no;		/* 0: it was created */
	FlowAmount	amount;
	DateADT		rate_day;
	Flow		flow;
} FlowEvent;

/* Events stay where they are, in chunks of so many. */
#define CHUNK_EVENTS	4096

typedef struct StageFlow
{
	MemoryContext context;
	HashSeed	seed;
	DealIndex  *deals_index;
	FlowDeal   *deals;			/* by number */
	uint32		room;
	DealIndex  *stages_index;	/* of stages, numbered in the same way */
	const Datum *positions;		/* of the first npositions stages */
	const bool *positions_null;
	uint32		npositions;
	CrmPeriod	period;
	DateADT		from;
	DateADT		before;
	uint32		currency;		/* of amounts without one */
	uint32		in_currency;	/* 0: none */
	struct flow_undone_hash *undone;
	FlowEvent **chunks;
	uint32		chunks_room;
	uint32		nevents;
} StageFlow;

static inline FlowEvent *
get_event(const StageFlow *flow, uint32 number)
{
	return &flow->chunks[number / CHUNK_EVENTS][number % CHUNK_EVENTS];
}

/* Adds up the events, and puts a row for each sum. */
extern void crm_put_flow_sums(const StageFlow *flow, ReturnSetInfo *rows);

#endif							/* CRM_ANALYTICS_STAGE_FLOW_H */
