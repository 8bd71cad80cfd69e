/*
 * base/context.h
 *		The session's context on the other nodes of a Citus cluster.
 */
#ifndef CRM_BASE_CONTEXT_H
#define CRM_BASE_CONTEXT_H

#include "postgres_ext.h"

/*
 * Before a function of the extension in that schema runs a report on the table: the same for
 * the settings that reports depend on, if they were changed in the session.
 */
extern void crm_context_before_read(Oid relid, Oid extension);

/*
 * Before the table, which is locked, is written: if it is a CRM's that is distributed,
 * takes the settings of the session to its node.  ERROR 55000 if that is another one
 * and it is not possible.
 */
extern void crm_context_before_write(Oid relid);

/* Installs hooks before statements that write, if the server has Citus. */
extern void crm_context_install_hooks(void);

#endif							/* CRM_BASE_CONTEXT_H */
