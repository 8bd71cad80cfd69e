/*
 * analytics/visit_log.h
 *		Visits of deals in stages, one after another, in one flat value: what
 *		crm_stage_history() and crm_deal_cohort() gather.
 *
 * The value is a bytea.  As an aggregate's state it has room for more and a
 * table that finds the number of a stage; the result has neither, and either
 * can be read.  So it passes between parallel workers, and nodes of a cluster,
 * as it is.  Nothing in it is trusted: it may have been made by hand.
 *
 * A record takes 16 bytes for the deal and a byte or two for the stage.  Where they are
 * given, the next stage and the number of the move take a byte or two each, the time
 * of entering 8, the duration some 6, and the amount of a deal as many.  A value is at
 * most 1 GB.
 */
#ifndef CRM_ANALYTICS_VISIT_LOG_H
#define CRM_ANALYTICS_VISIT_LOG_H

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "analytics/uuid_key.h"
#include "base/compat.h"

/* Which log it is, its version, and the byte order of the machine. */
typedef enum VisitLogKind
{
	VISIT_LOG_MOVES = 0x63726d11,	/* of crm_stage_history() */
	VISIT_LOG_DEALS = 0x63726d12	/* of crm_deal_cohort() */
} VisitLogKind;

typedef struct VisitLog
{
	int32		vl_len_;
	uint32		kind;			/* VisitLogKind */
	uint32		nrecords;
	uint32		used;			/* bytes of the records */
	uint32		nstages;
	uint32		nslots;			/* a power of two; 0 where none is to be added */
	HashSeed	seed;			/* of the slots */
	/* UuidKey stages[], uint32 slots[nslots], then the records */
} VisitLog;

StaticAssertDecl(sizeof(VisitLog) == 40, "a VisitLog has no padding");

/*
 * A record.  Of moves: the visit that the move ended, or a move that takes
 * another one back.  Of deals: the present visit.
 */
typedef struct VisitRecord
{
	UuidKey		deal;
	uint32		stage;			/* number in the log, from 1; 0: none */
	uint32		next;			/* the same of the next stage */
	int32		move_no;
	int32		reverts_no;		/* if is_revert */
	int			status;			/* DealStatus, of deals */
	bool		is_revert;
	bool		has_entered_at;
	bool		has_duration;
	TimestampTz entered_at;
	int64		duration;		/* microseconds */
	bool		has_amount;		/* of deals */
	int128		amount;			/* fixed point of CRM_AMOUNT_SCALE */
} VisitRecord;

/* The records of a log, in the order in which they came. */
typedef struct VisitLogReader
{
	uint32		kind;
	uint32		nstages;
	const char *stages;			/* UuidKeys, maybe not aligned */
	uint32		nrecords;
	uint32		nread;
	const uint8 *place;
	const uint8 *end;
} VisitLogReader;

/*
 * The state of the aggregate whose transition function was called, to be changed
 * in place: its own, or a new one if it is NULL.
 */
extern VisitLog *crm_visit_log_state(FunctionCallInfo fcinfo, VisitLogKind kind);

/*
 * Adds a record whose stages are uuids.  May put a larger copy, in the current
 * memory context, in place of *log.
 */
extern void crm_visit_log_add(VisitLog **log, VisitRecord *record,
							  const UuidKey *stage, const UuidKey *next);

/* Begins to read a log; ERROR 22023 if the bytea is not one of that kind. */
extern void crm_visit_log_read(VisitLogReader *reader, Datum log, VisitLogKind kind);

/* The next record; false at the end. */
extern bool crm_visit_log_next(VisitLogReader *reader, VisitRecord *record);

/* The uuid of a stage, by its number from 1. */
static inline UuidKey
crm_visit_log_stage(const VisitLogReader *reader, uint32 stage)
{
	return crm_uuid_key(reader->stages + (Size) (stage - 1) * sizeof(UuidKey));
}

#endif							/* CRM_ANALYTICS_VISIT_LOG_H */
