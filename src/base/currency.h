/*
 * base/currency.h
 *		Currencies of ISO 4217.
 */
#ifndef CRM_BASE_CURRENCY_H
#define CRM_BASE_CURRENCY_H

#include "fmgr.h"

/* crm_is_currency(text) -> boolean */
extern Datum crm_is_currency(PG_FUNCTION_ARGS);

#endif							/* CRM_BASE_CURRENCY_H */
