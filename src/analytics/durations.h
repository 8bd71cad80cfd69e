/*
 * analytics/durations.h
 *		Durations of stages, kept for what depends on their order.
 *
 * Memory is bounded by work_mem, apart from 8 kB for each stage: what is more goes to
 * a temporary file.
 */
#ifndef CRM_ANALYTICS_DURATIONS_H
#define CRM_ANALYTICS_DURATIONS_H

/* A chunk is a block of the file. */
#define DURATIONS_OF_CHUNK	(BLCKSZ / sizeof(int64))

typedef struct DurationChunk
{
	struct DurationChunk *before;
	int64		durations[DURATIONS_OF_CHUNK];
} DurationChunk;

typedef struct StageDurations
{
	DurationChunk *last;		/* the one that is being filled, or NULL */
	uint32		used;			/* of the last one; the others are full */
	uint32		nblocks;		/* of the file */
	uint32		blocks_room;
	uint32	   *blocks;
} StageDurations;

typedef struct Durations Durations;

/* For stages that are numbered from 0, in the current memory context. */
extern Durations *crm_durations_create(int nstages);

/* Those of a stage, to which durations can be added. */
extern StageDurations *crm_durations_of(Durations *durations, int stage);

/* Makes room in a stage whose last chunk is full. */
extern void crm_durations_make_room(Durations *durations, StageDurations *of_stage);

static inline void
crm_durations_add(Durations *durations, StageDurations *of_stage, int64 duration)
{
	if (of_stage->last == NULL || of_stage->used == DURATIONS_OF_CHUNK)
		crm_durations_make_room(durations, of_stage);
	of_stage->last->durations[of_stage->used++] = duration;
}

/*
 * Selection: found[i] becomes the duration that would be at ranks[i], from 0, if those of
 * the stage were sorted.  The ranks are below their number.
 */
extern void crm_durations_select(Durations *durations, const StageDurations *of_stage,
								 const int64 *ranks, int nranks, int64 *found);

/* Forgets all durations, but keeps the memory for others. */
extern void crm_durations_reset(Durations *durations);

/* Has to be called, unless there is an error: it removes the file. */
extern void crm_durations_end(Durations *durations);

#endif							/* CRM_ANALYTICS_DURATIONS_H */
