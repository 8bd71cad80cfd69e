/*
 * history/put_back.h
 *		Whether a deal that was inserted again goes on as it was.
 *
 * A deal that is inserted under the id of a deleted one is a new one, but for one that is
 * put back as it had been deleted: in its stage, since the same time, with the number of its
 * last move.  Some clients have no microseconds.  The view stage_visits has the same rule.
 */
#ifndef CRM_HISTORY_PUT_BACK_H
#define CRM_HISTORY_PUT_BACK_H

/* Condition of a query.  row: alias of a 'restored' row of deal_changes, the table. */
#define CRM_IS_PUT_BACK(row, deal_changes) \
	"EXISTS (SELECT " \
	"FROM (SELECT k.stage_id, k.stage_entered_at, k.move_no FROM " deal_changes " k " \
	"WHERE k.deal_id OPERATOR(pg_catalog.=) " row ".deal_id " \
	"AND k.tenant_id OPERATOR(pg_catalog.=) " row ".tenant_id " \
	"AND k.change OPERATOR(pg_catalog.=) 'deleted' " \
	"AND k.changed_at OPERATOR(pg_catalog.<=) " row ".changed_at " \
	"ORDER BY k.changed_at DESC, k.version DESC LIMIT 1) k " \
	"WHERE k.stage_id OPERATOR(pg_catalog.=) " row ".stage_id " \
	"AND k.move_no OPERATOR(pg_catalog.=) " row ".move_no " \
	"AND pg_catalog.date_trunc('milliseconds', k.stage_entered_at) OPERATOR(pg_catalog.=) " \
	"pg_catalog.date_trunc('milliseconds', " row ".stage_entered_at))"

#endif							/* CRM_HISTORY_PUT_BACK_H */
