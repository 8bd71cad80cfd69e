/*
 * history/stage_changes.h
 *		Records the moves of deals in stage_changes.
 */
#ifndef CRM_HISTORY_STAGE_CHANGES_H
#define CRM_HISTORY_STAGE_CHANGES_H

#include "executor/tuptable.h"

#include "table/kinds.h"

typedef struct StageRecorder StageRecorder;

/*
 * Begins recording for one statement on that table of deals, whose columns
 * are given by DealColumn.  The memory is the current context's; the caller
 * is connected to SPI until the end.
 */
extern StageRecorder *crm_stage_recorder_begin(Relation deals, const AttrNumber *columns);

/* Records the move of a deal, given its old and its new row. */
extern void crm_stage_recorder_add(StageRecorder *recorder, TupleTableSlot *old_deal,
								   TupleTableSlot *new_deal);

extern void crm_stage_recorder_end(StageRecorder *recorder);

#endif							/* CRM_HISTORY_STAGE_CHANGES_H */
