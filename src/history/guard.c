/*
 * history/guard.c
 *		Keeps the rows of the history as they were written.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/rel.h"

#include "table/trigger.h"

/*
 * crm_history_guard(version): BEFORE UPDATE trigger FOR EACH STATEMENT of
 * stage_changes and deal_changes
 *		History is not rewritten, not even by its owner: always ERROR 42501.
 */
PG_FUNCTION_INFO_V1(crm_history_guard);
Datum
crm_history_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_history_guard", TRIGGER_EVENT_BEFORE,
											 CRM_ON(TRIGGER_EVENT_UPDATE));

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("rows of \"%s\" are never updated", RelationGetRelationName(trigdata->tg_relation)),
			 errhint("A move that was wrong is taken back with undo_move, anything else by changing the deal again; either adds a row.")));
}
