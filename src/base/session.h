/*
 * base/session.h
 *		The session's context: the actor, the tenant, and the time as of which
 *		it writes.
 */
#ifndef CRM_BASE_SESSION_H
#define CRM_BASE_SESSION_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* Registers the crm.* settings; called once, when the module is loaded. */
extern void crm_define_settings(void);

/* The tenant; ERROR 42501 if the session names none. */
extern void crm_session_tenant(pg_uuid_t *tenant);

/* Whether this is the session's tenant; raises no error. */
extern bool crm_session_is_tenant(const pg_uuid_t *tenant);

/* The setting of that name, which others may define (PostgREST does); empty if unset. */
extern const char *crm_setting(const char *name);

/* The actor (changed_by), palloc'd in the current context; never NULL. */
extern char *crm_session_actor(void);

/* The session user (recorded_by), palloc'd. */
extern char *crm_session_recorder(void);

/* The setting crm.effective_at; false if it is unset or empty. */
extern bool crm_session_effective_at(TimestampTz *effective_at);

/* The setting crm.reason; NULL if it is unset or empty. */
extern const char *crm_session_reason(void);

/* The setting crm.restoring. */
extern bool crm_session_is_restoring(void);

/* The setting crm.clock_tolerance, in microseconds. */
extern int64 crm_session_clock_tolerance(void);

/*
 * What now() gives where the user is connected to: for a statement that came from another
 * node of a Citus cluster, the start of the transaction there, if that is earlier.
 */
extern TimestampTz crm_session_transaction_start(void);

#endif							/* CRM_BASE_SESSION_H */
