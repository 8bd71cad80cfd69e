/*
 * history/erasure.c
 *		Records that rows of the history were deleted.
 *
 * Reports compute the past from the history, and cannot know what is missing there.
 * So if history of a deal is deleted, but other rows of it or the deal itself are left,
 * a row of deal_changes records until when its history is incomplete, and a report on
 * a moment before that is refused.  A deal that is erased whole leaves no gap.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/query.h"
#include "base/session.h"
#include "history/erasure.h"
#include "table/columns.h"
#include "table/owner_rights.h"
#include "table/trigger.h"

/* Up to so many deals of a tenant get a row each; more of them get one row together. */
#define MAX_SINGLE_GAPS 1000

static char *
gaps_query(Relation history, const char *deleted)
{
	bool		is_moves = get_attnum(RelationGetRelid(history), "change") == InvalidAttrNumber;
	const char *deal_changes = crm_trusted_sibling(history, "deal_changes");

	return psprintf("INSERT INTO %1$s (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, "
					"move_no, version, change, status, changed_by, recorded_by) "
					"SELECT a.tenant_id, a.deal_id, '%5$s', '%5$s', a.changed_at, a.changed_at, 0, 0, '%6$s', 'open', %7$s, SESSION_USER "
					"FROM (SELECT c.tenant_id, CASE WHEN c.number OPERATOR(pg_catalog.>) %8$d THEN '%5$s' ELSE c.deal_id END AS deal_id, "
					"pg_catalog.max(c.changed_at) AS changed_at "
					"FROM (SELECT g.tenant_id, g.deal_id, g.changed_at, pg_catalog.count(*) OVER (PARTITION BY g.tenant_id) AS number "
					"FROM (SELECT o.tenant_id, o.deal_id, pg_catalog.max(o.changed_at) AS changed_at FROM %2$s o %9$s "
					"GROUP BY o.tenant_id, o.deal_id) g "
					"WHERE EXISTS (SELECT FROM %3$s d WHERE d.id OPERATOR(pg_catalog.=) g.deal_id AND d.tenant_id OPERATOR(pg_catalog.=) g.tenant_id) "
					"OR EXISTS (SELECT FROM %4$s s WHERE s.deal_id OPERATOR(pg_catalog.=) g.deal_id AND s.tenant_id OPERATOR(pg_catalog.=) g.tenant_id) "
					"OR EXISTS (SELECT FROM %1$s e WHERE e.deal_id OPERATOR(pg_catalog.=) g.deal_id AND e.tenant_id OPERATOR(pg_catalog.=) g.tenant_id)) c "
					"GROUP BY 1, 2) a",
					deal_changes, quote_identifier(deleted), crm_trusted_sibling(history, "deals"),
					crm_trusted_sibling(history, "stage_changes"), CRM_NO_ID, CRM_ERASED,
					quote_literal_cstr(crm_session_actor()), MAX_SINGLE_GAPS,
					is_moves ? "" : "WHERE o.change OPERATOR(pg_catalog.<>) ALL ('{created,corrected,erased}')");
}

/*
 * crm_history_erased(version): AFTER DELETE trigger FOR EACH STATEMENT of
 * stage_changes and deal_changes, with the old transition table
 *		Records in deal_changes up to when the history of deals is incomplete
 *		now.
 */
PG_FUNCTION_INFO_V1(crm_history_erased);
Datum
crm_history_erased(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_history_erased", TRIGGER_EVENT_AFTER,
											 CRM_ON(TRIGGER_EVENT_DELETE));
	SavedUser	saved;

	if (trigdata->tg_oldtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" needs the transition tables of its event", "crm_history_erased"),
				 errhint("Declare them with REFERENCING OLD TABLE.")));
	if (tuplestore_tuple_count(trigdata->tg_oldtable) == 0)
		return PointerGetDatum(NULL);
	SPI_connect();
	if (SPI_register_trigger_data(trigdata) != SPI_OK_TD_REGISTER)
		elog(ERROR, "could not read the rows that were deleted");
	crm_become_owner(trigdata->tg_relation, &saved);
	crm_run(gaps_query(trigdata->tg_relation, trigdata->tg_trigger->tgoldtable));
	crm_restore_user(&saved);
	SPI_finish();
	return PointerGetDatum(NULL);
}
