/*
 * table/read_only.c
 *		Refusing writes to the views of a CRM.
 *
 * Without a trigger the server refuses them before it looks at rights, with an
 * SQLSTATE that PostgREST takes for a fault of the server's.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/rel.h"

#include "table/trigger.h"

/*
 * crm_read_only(version, table): INSTEAD OF INSERT OR UPDATE OR DELETE trigger
 * FOR EACH ROW of a view
 *		Always ERROR 42501, whose hint names the table.
 */
PG_FUNCTION_INFO_V1(crm_read_only);
Datum
crm_read_only(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_read_only",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_INSTEAD,
											 CRM_ON_WRITE | CRM_ON(TRIGGER_EVENT_DELETE));
	Trigger    *trigger = trigdata->tg_trigger;

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("view \"%s\" cannot be written", RelationGetRelationName(trigdata->tg_relation)),
			 trigger->tgnargs > 1 ?
			 errhint("Write \"%s\", from which it is computed.", trigger->tgargs[1]) : 0));
}
