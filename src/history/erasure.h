/*
 * history/erasure.h
 *		Erasing history, and recording that it is incomplete.
 */
#ifndef CRM_HISTORY_ERASURE_H
#define CRM_HISTORY_ERASURE_H

/* What crm_forget_actor() puts in place of an actor: this and a uuid. */
#define CRM_PSEUDONYM_PREFIX	"forgotten-"
#define CRM_PSEUDONYM_PATTERN	"^forgotten-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

/*
 * The change of a row of deal_changes which says that the history is incomplete
 * up to its changed_at: that of its deal or, if that is the nil uuid, of deals of
 * the tenant.
 */
#define CRM_ERASED				"erased"
#define CRM_NO_ID				"00000000-0000-0000-0000-000000000000"

#endif							/* CRM_HISTORY_ERASURE_H */
