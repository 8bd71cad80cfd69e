/*
 * table/kept_checks.h
 *		The CHECKs of deals, made ready once in a session.
 */
#ifndef CRM_TABLE_KEPT_CHECKS_H
#define CRM_TABLE_KEPT_CHECKS_H

/* Installs the hook that gives them to the executor. */
extern void crm_kept_checks_install_hook(void);

#endif							/* CRM_TABLE_KEPT_CHECKS_H */
