/*
 * install/computed_relationships.h
 *		What PostgREST embeds in rows beyond the foreign keys.
 */
#ifndef CRM_INSTALL_COMPUTED_RELATIONSHIPS_H
#define CRM_INSTALL_COMPUTED_RELATIONSHIPS_H

/* Makes those of the CRM in that schema anew.  The caller is connected to SPI. */
extern void crm_embed_all(Oid schema);

/*
 * Make, or drop, the relationships between deals and the view "contacts" of
 * the CRM in that schema.  The caller is connected to SPI.
 */
extern void crm_embed_contacts(Oid schema);
extern void crm_unembed_contacts(Oid schema);

#endif							/* CRM_INSTALL_COMPUTED_RELATIONSHIPS_H */
