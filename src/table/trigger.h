/*
 * table/trigger.h
 *		The protocol that all trigger functions of a CRM check.
 */
#ifndef CRM_TABLE_TRIGGER_H
#define CRM_TABLE_TRIGGER_H

#include "commands/trigger.h"

/* The events that a trigger function serves. */
#define CRM_ON(event)	(1 << (event))
#define CRM_ON_WRITE	(CRM_ON(TRIGGER_EVENT_INSERT) | CRM_ON(TRIGGER_EVENT_UPDATE))

/*
 * The trigger's data, after checking that it was called as a trigger for an
 * installed CRM that it knows, at that time (TRIGGER_EVENT_ROW | BEFORE) and
 * for one of those events.
 */
extern TriggerData *crm_trigger_data(FunctionCallInfo fcinfo, const char *function,
									 TriggerEvent timing, int events);

/*
 * The table's triggers, NULL if it has none.  A copy: those of the relation are freed
 * when an invalidation message that any lookup in a catalog reads has it built anew.
 */
extern TriggerDesc *crm_copy_triggers(Relation rel);

/* Whether one of the trigger's arguments after the version is that text. */
extern bool crm_trigger_has_argument(const Trigger *trigger, const char *argument);

/* What the arguments of crm_deal_audit() tell it to keep. */
#define CRM_AUDIT_HISTORY	"history"
#define CRM_AUDIT_CHANGES	"changes"
#define CRM_AUDIT_TOTALS	"totals"
/* Followed by the name of a column whose changes are to be recorded. */
#define CRM_AUDIT_COLUMN	"column:"

#endif							/* CRM_TABLE_TRIGGER_H */
