/*
 * history/undo.h
 *		Taking the last move of a deal back.
 */
#ifndef CRM_HISTORY_UNDO_H
#define CRM_HISTORY_UNDO_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/compat.h"

/*
 * Written to status: asks the rules to take the last move of the deal back.  Everybody
 * may write it, as all that the deal is given comes from the history.
 */
#define CRM_UNDO "undo"

/* What the history has of the deal as it was before the move. */
typedef enum UndoValue
{
	UNDO_DEAL_ID,
	UNDO_PIPELINE_ID,
	UNDO_STAGE_ID,
	UNDO_STATUS,
	UNDO_PROBABILITY,
	UNDO_STAGE_ENTERED_AT,
	UNDO_WON_AT,
	UNDO_LOST_AT,
	UNDO_LOST_REASON,
	UNDO_HAS_LOST_REASON,		/* whether the move has replaced it, perhaps
								 * null */
	UNDO_NVALUES
} UndoValue;

/* A deal before its last move is taken back. */
typedef struct UndoneDeal
{
	pg_uuid_t	id;
	pg_uuid_t	tenant_id;
	pg_uuid_t	stage_id;
	TimestampTz stage_entered_at;
} UndoneDeal;

typedef struct UndoValues
{
	Datum		values[UNDO_NVALUES];
	bool		nulls[UNDO_NVALUES];
} UndoValues;

/* A move that is taken back. */
typedef struct UndoneMove
{
	pg_uuid_t	id;
	int32		move_no;
} UndoneMove;

/*
 * The last move that stands; ERROR PT409 if it is not how the deal came to be where it
 * is.  The caller is connected to SPI; the values are in the memory that was current
 * before.
 */
extern UndoneMove crm_find_last_move(Relation deals, const UndoneDeal *deal, UndoValues *was);

/*
 * Between the rules and the trigger that records: remembers that the deal's move of that
 * number takes another one back; which one that is, NULL if it takes none back; and
 * that the move of that number is an ordinary one.
 */
extern void crm_undo_note(Relation deals, const pg_uuid_t *deal_id, int32 move_no,
						  const UndoneMove *undone);
extern const UndoneMove *crm_undo_noted(Relation deals, const pg_uuid_t *deal_id, int32 move_no);
extern void crm_undo_forget(const pg_uuid_t *deal_id, int32 move_no);

/* The error of undo_move when the deal cannot stand where it stood. */
pg_noreturn extern void crm_undo_impossible(const pg_uuid_t *deal_id);

#endif							/* CRM_HISTORY_UNDO_H */
