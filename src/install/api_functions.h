/*
 * install/api_functions.h
 *		The functions of a CRM's schema.
 */
#ifndef CRM_INSTALL_API_FUNCTIONS_H
#define CRM_INSTALL_API_FUNCTIONS_H

#include "install/schema_function.h"

/*
 * Makes the functions of the CRM in that schema as the extension, in the other
 * schema, declares them.  Functions that exist keep their rights, unless one has to
 * be dropped because its arguments or its result have changed.  The caller owns
 * the schema and is connected to SPI; search_path is pg_catalog.
 */
extern void crm_make_api(Oid schema, Oid extension);

/* Calls report for each one that is missing or differs.  Likewise, but for any user. */
extern void crm_check_api(Oid schema, Oid extension, CrmProblemReport report, void *arg);

#endif							/* CRM_INSTALL_API_FUNCTIONS_H */
