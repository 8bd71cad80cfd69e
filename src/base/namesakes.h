/*
 * base/namesakes.h
 *		Functions that could be run in place of those of the extension.
 */
#ifndef CRM_BASE_NAMESAKES_H
#define CRM_BASE_NAMESAKES_H

/*
 * ERROR 42501 if the extension's schema holds a function with the name of one of the
 * extension's, whose owner the user does not trust.
 */
extern void crm_check_planted(Oid schema);

/* Whether the user can trust what that role creates in the schema, like their own objects. */
extern bool crm_is_trusted(Oid role, Oid schema);

#endif							/* CRM_BASE_NAMESAKES_H */
