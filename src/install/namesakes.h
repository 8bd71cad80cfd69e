/*
 * install/namesakes.h
 *		What somebody put beside the extension for a CRM to run.
 */
#ifndef CRM_INSTALL_NAMESAKES_H
#define CRM_INSTALL_NAMESAKES_H

/*
 * ERROR 42501 if the extension's schema holds what could be taken for what
 * crm_install() means: a function named like the extension's own, or an
 * operator, of an owner whom the user has no reason to trust.
 */
extern void crm_check_planted(Oid schema);

#endif							/* CRM_INSTALL_NAMESAKES_H */
