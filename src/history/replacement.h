/*
 * history/replacement.h
 *		Replacing all moves of a deal.
 */
#ifndef CRM_HISTORY_REPLACEMENT_H
#define CRM_HISTORY_REPLACEMENT_H

#include "utils/numeric.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A visit of the new history.  What is NULL is not known. */
typedef struct NewVisit
{
	pg_uuid_t	stage_id;
	TimestampTz entered_at;
	char	   *actor;			/* NULL: the session's */
	Numeric		probability;	/* NULL: that of the stage */
	char	   *lost_reason;	/* of a stage for lost deals */
} NewVisit;

/* The history that a deal is to have, in the order of its visits: one at least. */
typedef struct NewHistory
{
	Relation	deals;
	pg_uuid_t	deal_id;
	pg_uuid_t	tenant_id;
	int			nvisits;
	NewVisit   *visits;
} NewHistory;

/*
 * Keeps the moves of the deal in a correction, and writes those between the visits
 * in their place, with the rights of deals' owner.  version is that of the deal
 * afterwards; reason may be NULL.  The caller is connected to SPI, has locked the
 * deal and has checked the visits.
 */
extern void crm_replace_moves(const NewHistory *history, int32 version, const char *reason);

#endif							/* CRM_HISTORY_REPLACEMENT_H */
