/*
 * undo.h
 *		The move that undo_move is taking back, as the triggers need to know it.
 */
#ifndef CRM_UNDO_H
#define CRM_UNDO_H

#include "utils/relcache.h"
#include "utils/uuid.h"

/*
 * For the BEFORE trigger: whether undo_move is what writes the row of that id,
 * to put it into that stage by its next move.  Other writes that triggers of
 * the user's make meanwhile are not.
 */
extern bool crm_undo_writes(Relation deals, const pg_uuid_t *deal_id,
							const pg_uuid_t *stage_id, int32 old_move_no);

/* For the audit: the stage change that this move reverts; NULL: none. */
extern const pg_uuid_t *crm_undo_reverts(Relation deals, const pg_uuid_t *deal_id, int32 move_no);

#endif							/* CRM_UNDO_H */
