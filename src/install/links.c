/*
 * install/links.c
 *		The columns of a CRM that can be linked to tables of the user's.
 */
#include "postgres.h"

#include "install/links.h"

const CrmLink crm_links[CRM_NLINKS] = {
	{"deal_contacts.contact_id", "deal_contacts", "contact_id", "contacts", "contact", true},
	{"deals.owner_id", "deals", "owner_id", "owners", "owner", false},
	{"deals.organization_id", "deals", "organization_id", "organizations", "organization", false},
};
