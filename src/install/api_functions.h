/*
 * install/api_functions.h
 *		The functions of a CRM's schema.
 */
#ifndef CRM_INSTALL_API_FUNCTIONS_H
#define CRM_INSTALL_API_FUNCTIONS_H

/*
 * Makes the functions of the CRM in that schema what the extension in the
 * other one declares; rights on those that are there stay, unless one has to
 * be dropped because its arguments or its result are others.  The caller owns
 * the schema and is connected to SPI; search_path is pg_catalog.
 */
extern void crm_make_api(Oid schema, Oid extension);

#endif							/* CRM_INSTALL_API_FUNCTIONS_H */
