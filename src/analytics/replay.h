/*
 * analytics/replay.h
 *		The state of every deal of a pipeline, over a period of the past.
 *
 * A deal has two independent histories: its stages are in stage_changes, where a row
 * has the visit that ended, and its values in deal_changes, where a row has all values
 * before the change.  Both record the state *before* an event.  So the history is
 * replayed backwards: the present state is the row of deals, and the state before each
 * move and each edit is in the row of that move or edit.
 *
 * Each table is read once, by a plain query with the caller's rights, row by row: the
 * moves that were taken back, the edits, the moves, the deals, in this order.  The edits
 * are those of all pipelines, as a deal may have been in another one then; for a small
 * pipeline the ids of its deals are read first, and then only what is of these.
 *
 * What is read is put into parts by the deals (analytics/deal_parts.h), and then the deals
 * are worked on part by part.  A deal without events since the period began is passed on as
 * it comes, and not kept.  So memory grows with the number of events, not with the table of
 * deals, and all of it is in one memory context.
 *
 * A deal that is deleted and put back under its id has several lives.  The number of a
 * move tells its life.  A move that was taken back in the same life is ignored; one
 * that was taken back in a later life counts in its own.
 */
#ifndef CRM_ANALYTICS_REPLAY_H
#define CRM_ANALYTICS_REPLAY_H

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "analytics/deal_filter.h"
#include "analytics/deal_index.h"
#include "analytics/deal_parts.h"
#include "analytics/places.h"
#include "analytics/row_columns.h"
#include "base/compat.h"
#include "summary/summary.h"

/* The order of the events of a deal; see crm_replay_compare(). */
typedef struct ReplayOrder
{
	TimestampTz at;
	int32		move_no;		/* of a move; else of the last move before */
	int32		version;		/* of an edit; for a move REPLAY_OF_MOVE, so
								 * that it comes first */
} ReplayOrder;

#define REPLAY_OF_MOVE	PG_INT32_MIN

#define REPLAY_NO_PROBABILITY	(-1)

/* Where a deal stands, and since when. */
typedef struct ReplayPlace
{
	TimestampTz entered_at;
	int32		probability;	/* of CRM_PROBABILITY_SCALE, or
								 * REPLAY_NO_PROBABILITY */
	uint32		number;			/* of Replay.places */
} ReplayPlace;

/* What a deal is worth, and to whom. */
typedef struct ReplayValues
{
	int128		amount;			/* of CRM_AMOUNT_SCALE; 0 if there is none */
	uint64		rest;			/* currency and period, as in SummaryKey */
	bool		has_amount;
	bool		is_archived;
	bool		is_owners;		/* of the owner who is asked about, if one is */
	uint32		subject;		/* by ReplayQuery.subject; 0: none */
} ReplayValues;

typedef enum ReplayChange
{
	REPLAY_MOVED,
	REPLAY_UPDATED,
	REPLAY_ARCHIVED,
	REPLAY_UNARCHIVED,
	REPLAY_DELETED,
	REPLAY_RESTORED,			/* put back as it was deleted: it goes on */
	REPLAY_RECREATED,			/* inserted under the id of a deleted deal */
	REPLAY_ERASED				/* the history is incomplete until then */
} ReplayChange;

/* Whether a life of a deal ends or begins with it, but for the first one. */
static inline bool
crm_replay_is_of_life(ReplayChange change)
{
	return change == REPLAY_DELETED || change == REPLAY_RESTORED || change == REPLAY_RECREATED;
}

/* A row of deal_changes: where the deal stood, and what it was before. */
typedef struct ReplayEdit
{
	UuidKey		deal_id;
	ReplayOrder order;
	ReplayPlace place;
	ReplayValues values;		/* none for a deal that is inserted again */
	struct ReplayEdit *next;	/* the user's, as the next one */
	uint32		end;
	ReplayChange change;
} ReplayEdit;

/* A row of stage_changes: where the deal stood before the move, and after. */
typedef struct ReplayMove
{
	ReplayOrder order;
	ReplayPlace place;
	uint32		life;			/* that it is of: how many of the deal's lives
								 * ended before */
	uint8		to_status;		/* DealStatus */
	bool		to_here;
} ReplayMove;

/* A move that was taken back. */
typedef struct ReplayUndone
{
	UuidKey		deal_id;
	int32		move_no;
	int32		reverted_by;	/* the number of the move that took it back */
} ReplayUndone;

/* A row of deals. */
typedef struct ReplayPresent
{
	UuidKey		deal_id;
	ReplayPlace place;
	ReplayValues values;
} ReplayPresent;

/* The end of a life, or the beginning of one but the first. */
typedef struct ReplayLife
{
	ReplayOrder order;
	bool		is_deleted;		/* else it was inserted again, */
	bool		goes_on;		/* as it was deleted */
	ReplayPlace place;			/* where it stood at its end */
} ReplayLife;

/* A deal with events; the user's struct begins with this. */
typedef struct ReplayDeal
{
	ReplayLife *lives;			/* in their order, once the edits are known */
	uint32		nlives;
	uint32		number;			/* in its part */
	bool		has_undone;		/* some of its moves were taken back */
	bool		is_arranged;	/* its lives are in their order */
	bool		is_awaited;		/* it was here, at some time, and its row has
								 * not come yet */
} ReplayDeal;

typedef struct Replay Replay;

/* A column whose earlier values the history has, and which deals are told apart by. */
typedef enum ReplaySubject
{
	REPLAY_NO_SUBJECT,
	REPLAY_OWNER,				/* owner_id */
	REPLAY_CLOSE_DATE			/* expected_close_date */
} ReplaySubject;

/* What a replay is asked for. */
typedef struct ReplayQuery
{
	Relation	deals;
	pg_uuid_t	tenant_id;
	pg_uuid_t	pipeline_id;
	TimestampTz from_at;
	TimestampTz to_at;			/* the last moment in question */
	const pg_uuid_t *owner_id;	/* or NULL: any */
	bool		want_probability;
	bool		want_closed_at;
	bool		sees_all;		/* the caller sees all deals of the tenant */
	ReplaySubject subject;
} ReplayQuery;

/*
 * The user of a replay.  edit and move are called for each row, in no order; moves
 * that were taken back are left out, and those that the user does not want, whatever their
 * deals are.  deal is called once for each deal that was in the pipeline, after all its
 * rows: with NULL as the deal if it has no events since from_at, with NULL as the present if
 * it no longer exists.  An edit stays where it is until then.
 */
typedef struct ReplayUser
{
	Size		deal_size;		/* of a struct that begins with ReplayDeal */
	void		(*edit) (Replay *replay, ReplayDeal *deal, ReplayEdit *edit);
	bool		(*wants) (const Replay *replay, const ReplayMove *move);
	void		(*move) (Replay *replay, ReplayDeal *deal, const ReplayMove *move);
	void		(*deal) (Replay *replay, ReplayDeal *deal, const ReplayPresent *present);
} ReplayUser;

struct Replay
{
	ReplayQuery query;
	const ReplayUser *user;
	void	   *arg;			/* the user's */
	int			most_ids;		/* if more rows have the ids of its deals, a
								 * pipeline is large; a deal has one for each
								 * move */
	bool		has_lives;		/* some deals have several, as far as it
								 * matters */
	MemoryContext context;		/* what the user keeps goes there, too */
	RowColumns	columns;		/* of the rows that are read */
	Places	   *places;			/* with days if query.want_closed_at */
	DealIndex  *subjects;		/* values of the column, numbered; a date is
								 * the first word */
	Rooms		records;		/* of all that is read */
	DealParts	undone;
	DealParts	edits;
	DealParts	moves;
	DealParts	presents;
	DealFilter	with_events;

	/*
	 * Of the part at hand, or in a small pipeline of the deals that were
	 * here:
	 */
	DealIndex  *deals;
	Rooms		scratch;
	char	   *chunks[32];		/* of deals, by number */
	struct replay_undone_hash *undone_moves;
	struct LifeNode *life_nodes;
	struct SmallPipeline *small;	/* while its ids are read */
	uint32		seed;
};

/*
 * Begins a replay, in a memory context of its own, that the caller deletes; then
 * reads the histories and calls the user.  The caller is connected to SPI.
 */
extern Replay *crm_replay_begin(const ReplayQuery *query, const ReplayUser *user, void *arg);
extern void crm_replay_run(Replay *replay);

/* Memory for what is kept of a deal until deal was called: not zeroed, at most ROOMS_MAX_SIZE. */
static inline void *
crm_replay_alloc(Replay *replay, Size size)
{
	return crm_rooms_alloc(&replay->scratch, size);
}

/* The end of the life that the deal was in at from_at; NULL: its present one. */
static inline const ReplayLife *
crm_replay_end_of_life(const ReplayDeal *deal)
{
	return deal->nlives > 0 ? &deal->lives[0] : NULL;
}

/* As qsort has it: by time; of the same time by the number of the move. */
static inline int
crm_replay_compare(const ReplayOrder *a, const ReplayOrder *b)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->move_no != b->move_no)
		return a->move_no < b->move_no ? -1 : 1;
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return 0;
}

/* A keyed hash of a number, so that clients cannot choose numbers that collide. */
static inline uint32
crm_replay_hash_number(const Replay *replay, uint32 number)
{
	return murmurhash32(number ^ replay->seed);
}

/* analytics/replay_queries.c */
typedef enum ReplayRows
{
	REPLAY_READ_IDS,			/* of the deals that were here since from_at */
	/* These are of the deals with those ids, if some are given: */
	REPLAY_READ_UNDONE,			/* deal, the move, the move that took it back */
	REPLAY_READ_EDITS,
	REPLAY_READ_MOVES,
	REPLAY_READ_DEALS,			/* of the pipeline */
	/* And in any case: */
	REPLAY_READ_OTHER_DEALS		/* of those ids */
} ReplayRows;

/* Up to so many deals a pipeline is small. */
#define REPLAY_SMALL	1000

/* Finds out what is asked before any row is read. */
extern void crm_replay_prepare(Replay *replay);

/*
 * Whether to read what those deals have, as the pipeline is small, or as many edits of other
 * deals would have to be read instead.
 */
extern bool crm_replay_prefers_ids(Replay *replay, uint32 ndeals);

typedef void (*ReplayReceiver) (TupleTableSlot *row, void *replay);
extern void crm_replay_read(Replay *replay, ReplayRows rows, Datum ids, ReplayReceiver receive);

/* analytics/replay_rows.c */

/*
 * A deal that was here since from_at, and whether rows of the history were deleted
 * instead; false for a row that lacks what the CRM always writes, as below.
 */
extern bool crm_replay_get_id(TupleTableSlot *row, Datum *deal_id, bool *is_erased);
extern bool crm_replay_get_undone(TupleTableSlot *row, ReplayUndone *undone);
extern bool crm_replay_get_edit(Replay *replay, TupleTableSlot *row, ReplayEdit *edit);
extern bool crm_replay_get_move(Replay *replay, TupleTableSlot *row, UuidKey *deal_id,
								ReplayMove *move);
extern bool crm_replay_get_deal(Replay *replay, TupleTableSlot *row, bool any_pipeline,
								ReplayPresent *present);

#endif							/* CRM_ANALYTICS_REPLAY_H */
