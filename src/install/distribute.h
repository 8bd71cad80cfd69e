/*
 * install/distribute.h
 *		Distributing a CRM over the nodes of a Citus cluster.
 */
#ifndef CRM_INSTALL_DISTRIBUTE_H
#define CRM_INSTALL_DISTRIBUTE_H

#include "fmgr.h"

#include "base/compat.h"

/*
 * Whether a CRM that is made in the schema of that name is to be distributed: Citus
 * distributes new schemas in this session, or has distributed this one.
 */
extern bool crm_is_to_be_distributed(const char *schema_name);

/*
 * What Citus is to leave alone until AtEOXact_GUC() of the level returned: a CRM is made as
 * on any server, and then distributed.
 */
extern int	crm_make_locally(void);

/* ERROR 0A000: rows of several tenants in the same tables. */
pg_noreturn extern void crm_refuse_shared_tenancy(void);

/*
 * Distributes the CRM in the schema, with its rows, if it may have any.  The caller is
 * connected to SPI.
 */
extern void crm_distribute_schema(FunctionCallInfo fcinfo, Oid schema, bool has_rows);

#endif							/* CRM_INSTALL_DISTRIBUTE_H */
