/*
 * history/undo.h
 *		The move that undo_move is taking back, as the triggers need to know it.
 */
#ifndef CRM_HISTORY_UNDO_H
#define CRM_HISTORY_UNDO_H

#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/compat.h"

/* A move that is being taken back. */
typedef struct UndoneMove
{
	pg_uuid_t	id;
	int32		move_no;
} UndoneMove;

/*
 * If undo_move is putting the deal of that id in that table back into that
 * stage, as its move of that number: the stage change that it reverts.  Else
 * NULL, as for what users' triggers do to the deal meanwhile.
 */
extern const UndoneMove *crm_undo_in_progress(Relation deals, const pg_uuid_t *deal_id,
											  const pg_uuid_t *stage_id, int32 move_no);

/* The error of undo_move when the deal cannot stand where it stood. */
pg_noreturn extern void crm_undo_impossible(const pg_uuid_t *deal_id);

#endif							/* CRM_HISTORY_UNDO_H */
