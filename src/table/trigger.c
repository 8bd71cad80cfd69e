/*
 * table/trigger.c
 *		The protocol that all trigger functions of a CRM check: how they were
 *		called, and for a CRM of which version.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/trigger.h"

/*
 * The trigger's first argument is the version of the installed CRM.  While
 * there is but one, it has to be the code's.
 */
static void
check_version(TriggerData *trigdata, const char *function)
{
	Trigger    *trigger = trigdata->tg_trigger;

	if (trigger->tgnargs >= 1 && strcmp(trigger->tgargs[0], CRM_VERSION) == 0)
		return;
	if (trigger->tgnargs < 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" needs the version of the CRM as its argument", function)));
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the CRM in schema \"%s\" is of version %s, but the code is of version %s",
					get_namespace_name(RelationGetNamespace(trigdata->tg_relation)),
					trigger->tgargs[0], CRM_VERSION),
			 errhint("Update the extension and then call crm_upgrade(%s).",
					 quote_literal_cstr(get_namespace_name(RelationGetNamespace(trigdata->tg_relation))))));
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
