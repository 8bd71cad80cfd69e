/*
 * analytics/stage_history.h
 *		What deals did: a byte or two for every stay of every deal in a stage,
 *		from which times, funnels and conversions are counted with no sort.
 *
 * The deals that count come first, as a cohort: crm_cohort() gathers them into
 * one value.  A deal knows how many moves it has made, so each of its stays has
 * a place of its own, and crm_stage_history() can take the history in any
 * order, in parallel too.  Memory: 32 bytes a deal for the cohort, 32 to 64 a
 * deal and 2 to 12 a stay for the history.
 */
#ifndef CRM_ANALYTICS_STAGE_HISTORY_H
#define CRM_ANALYTICS_STAGE_HISTORY_H

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/uuid.h"

#include "analytics/uuid_hash.h"
#include "base/compat.h"
#include "base/money.h"

/* What is to be counted; the order is that of figures_names in analytics/cohort.c. */
typedef enum StageFigures
{
	FIGURES_VISIT,				/* times, of each stay */
	FIGURES_FIRST,				/* of each deal's first stay in a stage */
	FIGURES_LATEST,				/* of its latest one */
	FIGURES_CUMULATIVE,			/* of all its stays together */
	FIGURES_DIRECT,				/* deals that moved straight to a stage */
	FIGURES_REACHED				/* deals that came to it, or beyond, later */
} StageFigures;

#define FIGURES_COUNT			(FIGURES_REACHED + 1)
#define FIGURES_ARE_TIMES(f)	((f) <= FIGURES_CUMULATIVE)
/* Whether the durations of single stays are needed at the end. */
#define FIGURES_BY_DEAL(f)		((f) >= FIGURES_FIRST && (f) <= FIGURES_CUMULATIVE)

typedef enum CohortStatus
{
	COHORT_OPEN,
	COHORT_WON,
	COHORT_LOST
} CohortStatus;

#define COHORT_STATUSES 3

/* Numbers of stages must fit a VisitCode. */
#define COHORT_MAX_STAGES	32000

typedef struct CohortStage
{
	UuidKey		id;
	uint64		status;			/* CohortStatus */
} CohortStage;

/* A move that counts for nothing, as it was taken back or took one back. */
typedef struct CohortMove
{
	UuidKey		deal;
	int64		move_no;
} CohortMove;

/* A deal that counts. */
typedef struct CohortDeal
{
	UuidKey		id;
	TimestampTz entered_at;		/* its present stay, if stage is not 0 */
	int32		move_no;
	uint16		stage;			/* of its present stay, from 1; 0: that does
								 * not count */
	uint16		status;			/* CohortStatus */
} CohortDeal;

#define COHORT_MAGIC	0x63726d01

/*
 * The result of crm_cohort(), for this server process and its workers.  It is a
 * bytea, so a reader takes nothing in it for granted.
 */
typedef struct Cohort
{
	int32		vl_len_;
	uint32		magic;
	uint32		figures;		/* StageFigures */
	uint32		nstages;
	uint32		nundone;
	uint32		ndeals;
	TimestampTz period_from;	/* of the stays that count: from, included */
	TimestampTz period_before;	/* to, not included */
	TimestampTz now;			/* when present stays are measured */
	/* CohortStage[nstages], CohortMove[nundone], CohortDeal[ndeals] */
} Cohort;

StaticAssertDecl(sizeof(Cohort) == 48 && sizeof(CohortStage) == 24 && sizeof(CohortMove) == 24 &&
				 sizeof(CohortDeal) == 32, "a cohort has no padding");

/* A stay: 0 if there is none, else the stage's number or VISIT_ELSEWHERE. */
typedef uint16 VisitCode;

#define VISIT_COUNTS	0x8000	/* it is in the period, and has a duration if
								 * need be */
#define VISIT_STAGE(code)	((code) & 0x7FFF)
#define VISIT_ELSEWHERE	0x7FFF	/* a stage that was not asked for */
#define VISIT_UNDONE	0x7FFE	/* no stay, as the move that ended it counts
								 * for nothing */

typedef struct HistoryDeal
{
	UuidKey		id;
	uint32		first;			/* its first stay, in visits[] */
	uint32		status;
} HistoryDeal;

/* What is counted while the stays come in: those of FIGURES_VISIT. */
typedef struct StageTally
{
	int128		total;			/* microseconds */
	int64		visits;
	int64		longest;
} StageTally;

/* What of a StageHistory passes between processes as it is. */
typedef struct HistoryShape
{
	uint32		figures;		/* StageFigures */
	uint32		nstages;
	uint32		ndeals;
	uint32		nvisits;
	TimestampTz period_from;
	TimestampTz period_before;
} HistoryShape;

/* A stay on its way into visits[]: looked up in bulk, as memory is slow. */
typedef struct HistoryRow
{
	UuidKey		deal;
	uint64		hash;
	int64		duration;
	int32		visit_no;
	VisitCode	code;
	VisitCode	next;
	uint32		place;			/* deal, then stay */
} HistoryRow;

#define HISTORY_BATCH	128

typedef struct StageHistory
{
	HistoryShape shape;
	CohortStage *stages;		/* in their order */
	HistoryDeal *deals;			/* and one more, whose first is nvisits */
	VisitCode  *visits;
	VisitCode  *next;			/* of FIGURES_DIRECT: where each stay led */
	int64	   *durations;		/* if FIGURES_BY_DEAL */
	StageTally *tallies;		/* by stage */
	StageTally *present;		/* of the present stays, the same in all
								 * processes */

	/* Only where rows are added: */
	UuidTable  *by_stage;
	UuidTable  *by_deal;
	int			nrows;
	HistoryRow	rows[HISTORY_BATCH];
} StageHistory;

/* analytics/stage_history.c */
extern StageHistory *crm_history_from_cohort(Datum cohort, MemoryContext context);
extern void crm_history_add_rows(StageHistory *history);
extern void crm_add_tally(StageTally *to, const StageTally *from);

/* analytics/stage_history_result.c */
extern Datum crm_history_result(const StageHistory *history);

/* Whether a stay that began then is in the period. */
static inline bool
crm_in_period(TimestampTz entered_at, TimestampTz from, TimestampTz before)
{
	return entered_at >= from && entered_at < before;
}

#endif							/* CRM_ANALYTICS_STAGE_HISTORY_H */
