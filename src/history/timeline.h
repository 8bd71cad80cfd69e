/*
 * history/timeline.h
 *		The moves of one deal, in their order, as they are and as they are to be.
 *
 * A visit is the time between two moves.  Each move tells when the visit that it
 * ended had begun, so a move that is corrected changes the row behind it as
 * well; and a move that takes one back brings the visit before that one back.
 *
 * Only the present life of a deal is here, not what was before it was deleted and put
 * back.
 */
#ifndef CRM_HISTORY_TIMELINE_H
#define CRM_HISTORY_TIMELINE_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "stage/deal_status.h"

/* In place of the number of a move: that the deal came into being. */
#define TIMELINE_BEGINNING	(-1)
/* The time of closing is that of no move. */
#define TIMELINE_NO_MOVE	(-2)
/* Or that of a move which the deal made before it was deleted and put back as it was. */
#define TIMELINE_EARLIER_MOVE	(-3)

typedef struct TimelineMove
{
	pg_uuid_t	id;
	pg_uuid_t	to_stage_id;
	int32		move_no;
	int32		reverts_no;		/* 0: an ordinary move */
	bool		stands;			/* no revert, nor reverted */
	DealStatus	from_status;
	DealStatus	to_status;
	bool		has_closed_at;	/* it cleared or replaced won_at or lost_at */
	TimestampTz entered_at,
				new_entered_at;
	TimestampTz changed_at,
				new_changed_at;
	TimestampTz closed_at,
				new_closed_at;
} TimelineMove;

typedef struct TimelineVisit
{
	DealStatus	status;
	TimestampTz entered_at,
				new_entered_at;

	/*
	 * Of a closed deal, the index of the move that closed it, and when that
	 * was.
	 */
	int			closer;
	TimestampTz closed_at,
				new_closed_at;
} TimelineVisit;

/* A deal as it is, read under a lock. */
typedef struct TimelineDeal
{
	pg_uuid_t	id;
	pg_uuid_t	tenant_id;
	int32		move_no;
	DealStatus	status;
	TimestampTz entered_at;		/* its stage */
	TimestampTz closed_at;		/* unless it is open */
} TimelineDeal;

typedef struct Timeline
{
	Relation	deals;
	TimelineDeal deal;
	int			nmoves;
	TimelineMove *moves;
	TimelineVisit *visits;		/* before the first move, and after each */
	bool		has_beginning;	/* the history has the deal from its beginning
								 * on */
	bool		has_earlier_life;
	bool		is_put_back;	/* and goes on from where it was */
	int32		earlier_moves;	/* of an earlier life */
	TimestampTz created_at;		/* as recorded; DT_NOBEGIN: not recorded */
} Timeline;

/* Reads it with the rights of deals' owner; palloc'd. */
extern Timeline *crm_timeline_read(Relation deals, const TimelineDeal *deal);

static inline TimelineVisit *
crm_timeline_present(const Timeline *timeline)
{
	return &timeline->visits[timeline->nmoves];
}

/* Whether it is known what closed the deal: a move that is here, or the deal's beginning. */
static inline bool
crm_timeline_has_closer(const TimelineVisit *visit)
{
	return visit->closer > TIMELINE_NO_MOVE;
}

/* The index of the move of that number, which must stand; ERROR PT404 or PT409. */
extern int	crm_timeline_find(const Timeline *timeline, int32 move_no);

/* That of the last move that stands, TIMELINE_BEGINNING if the deal never moved. */
extern int	crm_timeline_last(const Timeline *timeline);

/* When the move happened, as recorded. */
extern TimestampTz crm_timeline_time(const Timeline *timeline, int move);

/* The earliest time of a move: the start of the visit that it ended. */
extern TimestampTz crm_timeline_earliest(const Timeline *timeline, int move);

/*
 * Sets when the move of that index happened, and all that depends on it.  ERROR 23514 for
 * a time that is not between those of its neighbours.
 */
extern void crm_timeline_correct(Timeline *timeline, int move, TimestampTz at);

/* ERROR PT409: the move is of the time before the deal was deleted and put back. */
pg_noreturn extern void crm_timeline_refuse_earlier(const Timeline *timeline);

/*
 * Writes what was corrected to the history, with the rights of deals' owner,
 * and records what it was in deal_changes.  version is that of the deal
 * afterwards, at the time of the correction; reason may be NULL.
 */
extern void crm_timeline_write(const Timeline *timeline, int32 version, TimestampTz at,
							   const char *reason);

#endif							/* CRM_HISTORY_TIMELINE_H */
