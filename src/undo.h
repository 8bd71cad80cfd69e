/*
 * undo.h
 *		The move that undo_move is taking back, as the triggers need to know it.
 */
#ifndef CRM_UNDO_H
#define CRM_UNDO_H

#include "utils/relcache.h"
#include "utils/uuid.h"

/*
 * If the row of that id in that table is being put back by undo_move, the
 * stage change that it reverts; else NULL.
 */
extern const pg_uuid_t *crm_undo_in_progress(Relation deals, const pg_uuid_t *deal_id);

#endif							/* CRM_UNDO_H */
