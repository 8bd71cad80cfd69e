/*
 * table/cast_domain.h
 *		Domains that the CHECK of a table casts a column to.
 */
#ifndef CRM_TABLE_CAST_DOMAIN_H
#define CRM_TABLE_CAST_DOMAIN_H

#include "nodes/primnodes.h"

/*
 * The domain that the expression casts that column to, as deals_check does:
 * its values are those of the domain.  InvalidOid: none.
 */
extern Oid	crm_cast_domain(Node *expression, AttrNumber attno);

#endif							/* CRM_TABLE_CAST_DOMAIN_H */
