/*
 * install/links.h
 *		The columns of a CRM that can be linked to tables of the user's.
 */
#ifndef CRM_INSTALL_LINKS_H
#define CRM_INSTALL_LINKS_H

typedef struct CrmLink
{
	const char *column;			/* as crm_link() is given it: table.column */
	const char *table;
	const char *attribute;
	const char *view;			/* over the linked table */
	const char *noun;			/* a row of it, in messages */
	bool		required;		/* the column is never null */
} CrmLink;

#define CRM_NLINKS	3
extern const CrmLink crm_links[CRM_NLINKS];

#endif							/* CRM_INSTALL_LINKS_H */
