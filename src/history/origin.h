/*
 * history/origin.h
 *		Deals that are inserted: those that are new, and those that come back.
 */
#ifndef CRM_HISTORY_ORIGIN_H
#define CRM_HISTORY_ORIGIN_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* Whether a row with these times, as it is stored, is sure to be new. */
extern bool crm_deal_is_surely_new(TimestampTz created_at, TimestampTz stage_entered_at,
								   TimestampTz updated_at);

/* Notes that the deal is new, though one would not know it by its times. */
extern void crm_note_new_deal(const pg_uuid_t *id);

/* Whether that was noted; forgets it. */
extern bool crm_take_new_deal(const pg_uuid_t *id);

#endif							/* CRM_HISTORY_ORIGIN_H */
