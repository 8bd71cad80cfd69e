/*
 * history/correction.h
 *		What a correction supersedes, kept in deal_changes.
 */
#ifndef CRM_HISTORY_CORRECTION_H
#define CRM_HISTORY_CORRECTION_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/compat.h"

/* Rows of the history of one deal that are to be corrected or deleted. */
typedef struct Superseded
{
	Relation	deals;
	const pg_uuid_t *deal_id;
	const pg_uuid_t *tenant_id;
	Datum		moves;			/* uuid[], of stage_changes */
	Datum		edits;			/* uuid[], of deal_changes */
} Superseded;

/*
 * Writes a row of deal_changes that has them, whole, and the times of the deal;
 * that is the only thing which makes the guard of the history let them change.
 * Returns its id, palloc'd.  at and version are those of the deal's row after
 * the correction, stage_entered_at is when it entered its stage then; reason
 * may be NULL.  The caller is connected to SPI and has the owner's rights.
 */
extern pg_uuid_t *crm_keep_superseded(const Superseded *superseded, TimestampTz stage_entered_at,
									  int32 version, TimestampTz at, const char *reason);

/* ERROR 39P01: the owner's code has left out rows of that table that a correction writes. */
pg_noreturn extern void crm_refuse_suppressed(const pg_uuid_t *deal_id, const char *table);

#endif							/* CRM_HISTORY_CORRECTION_H */
