/*
 * table/trigger.c
 *		The protocol that all trigger functions of a CRM check: how they were
 *		called, and for a CRM of which version.
 */
#include "postgres.h"

#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/version.h"
#include "table/trigger.h"

/*
 * The trigger's first argument is the version of the CRM whose table it is on.
 * An older one is served: what its tables lack is left out.
 */
static void
check_version(TriggerData *trigdata, const char *function)
{
	Trigger    *trigger = trigdata->tg_trigger;
	const char *version = trigger->tgnargs >= 1 ? trigger->tgargs[0] : "";

	if (strcmp(version, CRM_VERSION) == 0)
		return;
	if (!crm_is_version(version))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" needs the version of the CRM as its argument", function)));
	if (crm_compare_versions(version, CRM_VERSION) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_OLD_LIBRARY),
				 errmsg("the CRM in schema \"%s\" is newer than the library",
						get_namespace_name(RelationGetNamespace(trigdata->tg_relation))),
				 errdetail("The CRM is of version %s; this session has loaded version %s of the library.",
						   version, CRM_VERSION),
				 CRM_HINT_NEWER_LIBRARY(version)));
}

TriggerData *
crm_trigger_data(FunctionCallInfo fcinfo, const char *function, TriggerEvent timing, int events)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" can only be called as a trigger", function)));
	if ((trigdata->tg_event & (TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK)) != timing)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" must be fired %s FOR EACH %s", function,
						TRIGGER_FIRED_BEFORE(timing) ? "BEFORE" :
						TRIGGER_FIRED_INSTEAD(timing) ? "INSTEAD OF" : "AFTER",
						(timing & TRIGGER_EVENT_ROW) ? "ROW" : "STATEMENT")));
	if ((CRM_ON(trigdata->tg_event & TRIGGER_EVENT_OPMASK) & events) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" must not be fired for %s", function,
						TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? "INSERT" :
						TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? "UPDATE" :
						TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? "DELETE" : "TRUNCATE")));
	check_version(trigdata, function);
	return trigdata;
}

TriggerDesc *
crm_copy_triggers(Relation rel)
{
	return CopyTriggerDesc(rel->trigdesc);
}

bool
crm_trigger_has_argument(const Trigger *trigger, const char *argument)
{
	for (int i = 1; i < trigger->tgnargs; i++)
	{
		if (strcmp(trigger->tgargs[i], argument) == 0)
			return true;
	}
	return false;
}
