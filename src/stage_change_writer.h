/*
 * stage_change_writer.h
 *		Writes rows of stage_changes, many at a time.
 */
#ifndef CRM_STAGE_CHANGE_WRITER_H
#define CRM_STAGE_CHANGE_WRITER_H

#include "utils/relcache.h"

/*
 * What a move stores, in the order of the writer's parameters.  The types are
 * the columns', but for closing: JSON as text.
 */
typedef enum ChangeField
{
	CHANGE_TENANT_ID,
	CHANGE_DEAL_ID,
	CHANGE_FROM_PIPELINE_ID,
	CHANGE_FROM_STAGE_ID,
	CHANGE_TO_PIPELINE_ID,
	CHANGE_TO_STAGE_ID,
	CHANGE_ENTERED_AT,
	CHANGE_CHANGED_AT,
	CHANGE_MOVE_NO,
	CHANGE_FROM_STATUS,
	CHANGE_TO_STATUS,
	CHANGE_AMOUNT,
	CHANGE_CURRENCY,
	CHANGE_PROBABILITY,
	CHANGE_FROM_PROBABILITY,
	CHANGE_REVERTS_ID,
	CHANGE_CLOSING,
	CHANGE_NFIELDS
} ChangeField;

typedef struct StageChange
{
	Datum		values[CHANGE_NFIELDS];
	bool		nulls[CHANGE_NFIELDS];
} StageChange;

typedef struct StageChangeWriter StageChangeWriter;

/*
 * Begins writing for one statement on that table of deals.  The memory is the
 * current context's; the caller is connected to SPI until the end.
 */
extern StageChangeWriter *crm_stage_changes_begin(Relation deals);

/* Takes a copy of the change; writes when a batch is full. */
extern void crm_stage_changes_add(StageChangeWriter *writer, const StageChange *change);

/* Writes what is left. */
extern void crm_stage_changes_end(StageChangeWriter *writer);

#endif							/* CRM_STAGE_CHANGE_WRITER_H */
