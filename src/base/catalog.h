/*
 * base/catalog.h
 *		Looking up objects of any kind in the catalogs.
 */
#ifndef CRM_BASE_CATALOG_H
#define CRM_BASE_CATALOG_H

#include "catalog/objectaddress.h"

/* The owner of an object of that catalog, such as NamespaceRelationId; InvalidOid if it is gone. */
extern Oid	crm_owner_of(Oid catalog, Oid object);

/* The same of a schema; ERROR XX000 if it is gone. */
extern Oid	crm_schema_owner(Oid schema);

/* Whether the function is this extension's. */
extern bool crm_is_own_function(Oid function);

/* Takes an object of a schema. */
typedef void (*CrmObjectReceiver) (const ObjectAddress *object, void *arg);

/*
 * Calls receive for all that a schema holds: what depends on it normally.  The
 * catalog's own snapshot is used, so that a REPEATABLE READ caller sees what
 * others have made meanwhile.
 */
extern void crm_receive_objects(Oid schema, CrmObjectReceiver receive, void *arg);

#endif							/* CRM_BASE_CATALOG_H */
