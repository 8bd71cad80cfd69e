/*
 * deal_audit.h
 *		Follows every write to deals, whoever writes: history and totals.
 */
#ifndef CRM_DEAL_AUDIT_H
#define CRM_DEAL_AUDIT_H

#include "utils/reltrigger.h"

/* What crm_deal_audit can be told to keep, by the trigger's arguments. */
#define CRM_AUDIT_HISTORY	"history"
#define CRM_AUDIT_CHANGES	"changes"
#define CRM_AUDIT_TOTALS	"totals"

extern bool crm_deal_audit_keeps(const Trigger *trigger, const char *what);

#endif							/* CRM_DEAL_AUDIT_H */
