/*
 * base/name_key.h
 *		What two names have to have in common to be the same name.
 */
#ifndef CRM_BASE_NAME_KEY_H
#define CRM_BASE_NAME_KEY_H

/*
 * Whether a text in the database's encoding shows nothing: it has only white space
 * and invisible characters.
 */
extern bool crm_text_is_blank(const char *text, int len);

#endif							/* CRM_BASE_NAME_KEY_H */
