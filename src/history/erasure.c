/*
 * history/erasure.c
 *		Records that rows of the history were deleted.
 *
 * Reports compute the past from the history, and cannot know what is missing there.
 * So if history of a deal is deleted, but other rows of it or the deal itself are left,
 * a row of deal_changes records until when its history is incomplete, and a report on
 * a moment before that is refused.  A deal that is erased whole leaves no gap.  A row
 * that records a gap goes only with what it is about: with the setting crm.restoring,
 * when the history was put back, it can be deleted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/query.h"
#include "base/session.h"
#include "base/shard.h"
#include "history/erasure.h"
#include "table/columns.h"
#include "table/owner_rights.h"
#include "table/restoring.h"
#include "table/trigger.h"

/* Up to so many deals of a tenant get a row each; more of them get one row together. */
#define MAX_SINGLE_GAPS 1000

/* What a row that records a gap has, from rows of tenant_id, deal_id and changed_at. */
#define GAP_COLUMNS		"tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, " \
	"move_no, version, change, status, changed_by, recorded_by"
#define GAP_VALUES		"a.tenant_id, a.deal_id, '" CRM_NO_ID "', '" CRM_NO_ID "', a.changed_at, a.changed_at, " \
	"0, 0, '" CRM_ERASED "', 'open', $1, SESSION_USER"

/* Whether the deal, or for all deals together the tenant, has something left. */
#define IS_LEFT(table, alias, id) \
	"EXISTS (SELECT FROM " table " " alias " WHERE " alias "." id " OPERATOR(pg_catalog.=) g.deal_id " \
	"AND " alias ".tenant_id OPERATOR(pg_catalog.=) g.tenant_id) " \
	"OR (g.deal_id OPERATOR(pg_catalog.=) '" CRM_NO_ID "' " \
	"AND EXISTS (SELECT FROM " table " " alias " WHERE " alias ".tenant_id OPERATOR(pg_catalog.=) g.tenant_id)) "

/* Whether a gap of that deal, or of all of the tenant, is recorded until then. */
#define IS_RECORDED(deal_changes, deal_id) \
	"EXISTS (SELECT FROM " deal_changes " e WHERE e.deal_id OPERATOR(pg_catalog.=) " deal_id " " \
	"AND e.tenant_id OPERATOR(pg_catalog.=) g.tenant_id AND e.change OPERATOR(pg_catalog.=) '" CRM_ERASED "' " \
	"AND e.changed_at OPERATOR(pg_catalog.>=) g.changed_at) "

static char *
gaps_query(Relation history, const char *deleted, bool restoring)
{
	bool		is_moves = get_attnum(RelationGetRelid(history), "change") == InvalidAttrNumber;
	const char *condition = is_moves ? "" :
	restoring ? "WHERE o.change OPERATOR(pg_catalog.<>) ALL ('{created,corrected,erased}') " :
	"WHERE o.change OPERATOR(pg_catalog.<>) ALL ('{created,corrected}') ";

	return psprintf("INSERT INTO %1$s (" GAP_COLUMNS ") SELECT " GAP_VALUES " "
					"FROM (SELECT c.tenant_id, CASE WHEN c.number OPERATOR(pg_catalog.>) %6$d THEN '" CRM_NO_ID "' ELSE c.deal_id END AS deal_id, "
					"pg_catalog.max(c.changed_at) AS changed_at "
					"FROM (SELECT g.tenant_id, g.deal_id, g.changed_at, pg_catalog.count(*) OVER (PARTITION BY g.tenant_id) AS number "
					"FROM (SELECT o.tenant_id, o.deal_id, pg_catalog.max(o.changed_at) AS changed_at FROM %2$s o %5$s"
					"GROUP BY o.tenant_id, o.deal_id) g "
					"WHERE (" IS_LEFT("%3$s", "d", "id") "OR " IS_LEFT("%4$s", "s", "deal_id") "OR " IS_LEFT("%1$s", "e", "deal_id") ") "
					"AND NOT " IS_RECORDED("%1$s", "g.deal_id") "AND NOT " IS_RECORDED("%1$s", "'" CRM_NO_ID "'") ") c "
					"GROUP BY 1, 2) a",
					crm_trusted_sibling(history, "deal_changes"), quote_identifier(deleted),
					crm_trusted_sibling(history, "deals"), crm_trusted_sibling(history, "stage_changes"),
					condition, MAX_SINGLE_GAPS);
}

/* Of each tenant that is left: what TRUNCATE removed cannot be read any more. */
static char *
truncated_query(Relation history)
{
	return psprintf("INSERT INTO %1$s (" GAP_COLUMNS ") SELECT " GAP_VALUES " "
					"FROM (SELECT DISTINCT p.tenant_id, '" CRM_NO_ID "'::pg_catalog.uuid AS deal_id, pg_catalog.clock_timestamp() AS changed_at "
					"FROM %2$s p) a",
					crm_trusted_sibling(history, "deal_changes"), crm_trusted_sibling(history, "pipelines"));
}

static void
check_protocol(const TriggerData *trigdata)
{
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event) || trigdata->tg_oldtable != NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger function \"%s\" needs the transition tables of its event", "crm_history_erased"),
			 errhint("Declare them with REFERENCING OLD TABLE.")));
}

static void
record_gaps(TriggerData *trigdata, bool restoring)
{
	Oid			types[] = {TEXTOID};
	Datum		args[] = {CStringGetTextDatum(crm_session_actor())};

	if (SPI_register_trigger_data(trigdata) != SPI_OK_TD_REGISTER)
		elog(ERROR, "could not read the rows that were deleted");
	(void) crm_run_once(gaps_query(trigdata->tg_relation, trigdata->tg_trigger->tgoldtable,
								   restoring),
						lengthof(types), types, args, NULL);
}

/* TRUNCATE removes the rows of all transactions, whatever this one sees. */
static void
record_truncated(Relation history)
{
	static const Oid argtypes[] = {TEXTOID};
	CrmStatement statement = {.nargs = lengthof(argtypes),.argtypes = argtypes};
	Datum		values[] = {CStringGetTextDatum(crm_session_actor())};

	statement.text = truncated_query(history);
	(void) crm_run_snapshot(&statement, values, GetLatestSnapshot());
}

/* Whether there is a gap that is to be recorded here. */
static bool
leaves_gap(const TriggerData *trigdata, bool restoring)
{
	if (!TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		return tuplestore_tuple_count(trigdata->tg_oldtable) > 0;
	/* The shard of a distributed table is truncated, too. */
	return !restoring && !crm_is_distributed(RelationGetRelid(trigdata->tg_relation));
}

/*
 * crm_history_erased(version): AFTER DELETE and AFTER TRUNCATE trigger FOR EACH
 * STATEMENT of stage_changes and deal_changes, with the old transition table
 *		Records in deal_changes up to when the history of deals is incomplete
 *		now.
 */
PG_FUNCTION_INFO_V1(crm_history_erased);
Datum
crm_history_erased(PG_FUNCTION_ARGS)
{
	const int	events = CRM_ON(TRIGGER_EVENT_DELETE) | CRM_ON(TRIGGER_EVENT_TRUNCATE);
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_history_erased", TRIGGER_EVENT_AFTER,
											 events);
	bool		restoring = crm_is_restoring(trigdata->tg_relation);
	SavedUser	saved;

	check_protocol(trigdata);
	if (!leaves_gap(trigdata, restoring))
		return PointerGetDatum(NULL);
	SPI_connect();
	crm_become_owner(trigdata->tg_relation, &saved);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		record_truncated(trigdata->tg_relation);
	else
		record_gaps(trigdata, restoring);
	crm_restore_user(&saved);
	SPI_finish();
	return PointerGetDatum(NULL);
}
