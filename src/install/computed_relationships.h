/*
 * install/computed_relationships.h
 *		What PostgREST embeds in rows beyond the foreign keys.
 */
#ifndef CRM_INSTALL_COMPUTED_RELATIONSHIPS_H
#define CRM_INSTALL_COMPUTED_RELATIONSHIPS_H

#include "install/schema_function.h"

/* Makes those of the CRM in that schema anew.  The caller is connected to SPI. */
extern void crm_embed_all(Oid schema);

/*
 * Make, or drop, the relationships with that view of crm_link() in the schema of
 * a CRM.  The caller is connected to SPI.
 */
extern void crm_embed_linked(Oid schema, const char *view);
extern void crm_unembed_linked(Oid schema, const char *view);

/*
 * Calls report for each one that is missing, or does not read the tables of that
 * schema, as after ALTER SCHEMA ... RENAME.
 */
extern void crm_check_embedded(Oid schema, CrmProblemReport report, void *arg);

#endif							/* CRM_INSTALL_COMPUTED_RELATIONSHIPS_H */
