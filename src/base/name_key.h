/*
 * base/name_key.h
 *		The key of a name: two names are the same if their keys are equal.
 */
#ifndef CRM_BASE_NAME_KEY_H
#define CRM_BASE_NAME_KEY_H

#include "fmgr.h"

extern Datum crm_name_key(PG_FUNCTION_ARGS);

/*
 * Whether a text in the database's encoding has no visible character, only white space
 * and invisible ones.
 */
extern bool crm_text_is_blank(const char *text, int len);

/*
 * Whether a character of the database's encoding is white space or a control.
 */
extern bool crm_is_space(const char *character);

#endif							/* CRM_BASE_NAME_KEY_H */
