/*
 * base/request.h
 *		Reading the JSON objects of a request: its claims, its headers.
 */
#ifndef CRM_BASE_REQUEST_H
#define CRM_BASE_REQUEST_H

#include "utils/jsonb.h"

typedef enum
{
	CRM_CLAIM_MISSING,
	CRM_CLAIM_TEXT,				/* a string, or a number as text */
	CRM_CLAIM_OTHER				/* an object, array, boolean or null */
} CrmClaimKind;

/* The object; NULL, not an error, if json is malformed or is not an object. */
extern Jsonb *crm_parse_json_object(const char *json);

/*
 * The claim of this name or, if there is none, the one at this dotted path.
 * Sets *text, palloc'd, for CRM_CLAIM_TEXT only.
 */
extern CrmClaimKind crm_get_claim(Jsonb *claims, const char *name, char **text);

#endif							/* CRM_BASE_REQUEST_H */
