/*
 * history/past.h
 *		What the history says of a deal that is being written.
 */
#ifndef CRM_HISTORY_PAST_H
#define CRM_HISTORY_PAST_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

/* The history beside a table of deals, for one statement. */
typedef struct DealHistory
{
	Oid			relid;			/* InvalidOid: there is none to read */
	Oid			index;			/* on deal_id */
	AttrNumber	deal_id;
	AttrNumber	tenant_id;
	AttrNumber	move_no;
} DealHistory;

extern void crm_deal_history_open(DealHistory *history, Relation deals);

/* The number of the last move of the tenant's deal of that id; 0 if it never moved. */
extern int32 crm_last_move_no(const DealHistory *history, const pg_uuid_t *deal_id,
							  const pg_uuid_t *tenant_id);

/*
 * The open stage that the deal stood in last, apart from moves that were taken
 * back and from those of another tenant's deal, now deleted, of the same id;
 * false if there is none.
 */
extern bool crm_last_open_stage(Relation deals, const pg_uuid_t *deal_id,
								const pg_uuid_t *tenant_id, pg_uuid_t *stage_id);

/* What deal_changes has of deals, for one statement. */
typedef struct DealPast
{
	Oid			relid;			/* InvalidOid: nothing, or nothing to read */
	Oid			index;			/* on deal_id */
	const AttrNumber *columns;
} DealPast;

typedef struct LastChange
{
	TimestampTz changed_at;
	int32		version;
	int32		move_no;		/* of the deal, after it, as the next ones */
	pg_uuid_t	stage_id;
	TimestampTz stage_entered_at;
	bool		deleted;		/* that is what the change was */
} LastChange;

extern void crm_deal_past_open(DealPast *past, Relation deals);

/* The last change of the tenant's deal of that id; false if there is none. */
extern bool crm_last_change(const DealPast *past, const pg_uuid_t *deal_id,
							const pg_uuid_t *tenant_id, LastChange *last);

#endif							/* CRM_HISTORY_PAST_H */
