/*
 * base/request.h
 *		Reading the claims of a request (a JSON object).
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

/* The claims in json; NULL, not an error, if it is not a JSON object. */
extern Jsonb *crm_parse_json_object(const char *json);

/*
 * The claim of this name or, if there is none, at this dotted path; *text is
 * set, palloc'd, for CRM_CLAIM_TEXT only.
 */
extern CrmClaimKind crm_get_claim(Jsonb *claims, const char *name, char **text);

#endif							/* CRM_BASE_REQUEST_H */
