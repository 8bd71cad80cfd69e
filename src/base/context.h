/*
 * base/context.h
 *		The session's context on the other nodes of a Citus cluster.
 */
#ifndef CRM_BASE_CONTEXT_H
#define CRM_BASE_CONTEXT_H

/* Installs hooks before statements that write, if the server has Citus. */
extern void crm_context_install_hooks(void);

#endif							/* CRM_BASE_CONTEXT_H */
