/*
 * base/namesakes.h
 *		What somebody put beside the extension to be run in its stead.
 */
#ifndef CRM_BASE_NAMESAKES_H
#define CRM_BASE_NAMESAKES_H

/*
 * ERROR 42501 if the extension's schema holds a function, called as one of
 * the extension's is, of an owner whom the user has no reason to trust.
 */
extern void crm_check_planted(Oid schema);

/* Whether what that role creates in the schema is as good as the user's own, or its owner's. */
extern bool crm_is_trusted(Oid role, Oid schema);

#endif							/* CRM_BASE_NAMESAKES_H */
