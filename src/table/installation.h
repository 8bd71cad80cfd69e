/*
 * table/installation.h
 *		The CRMs that crm_install() has made in this database.
 */
#ifndef CRM_TABLE_INSTALLATION_H
#define CRM_TABLE_INSTALLATION_H

#include "fmgr.h"

/* One CRM: a schema whose table of deals obeys crm_deal_rules. */
typedef struct CrmInstallation
{
	Oid			schema;
	Oid			deals;
	Oid			owner;			/* of deals */
	char	   *version;		/* palloc'd in the caller's context */
} CrmInstallation;

/* The text argument n; ERROR 22004, naming it by "what", if it is NULL. */
extern char *crm_required_text(FunctionCallInfo fcinfo, int n,
							   const char *what);

/* The schema of the extension whose function was called. */
extern Oid	crm_extension_schema(FunctionCallInfo fcinfo);

/* That extension, locked against DROP EXTENSION until the transaction ends. */
extern Oid	crm_lock_extension(FunctionCallInfo fcinfo);

/* The version of its SQL; ERROR PT503 if the library is older. */
extern char *crm_extension_version(Oid extension);

/* The function of that name and without arguments, of the called one's extension. */
extern Oid	crm_extension_function(FunctionCallInfo fcinfo, const char *name);

/* Looks for a CRM in a schema; false if there is none.  Keeps no lock. */
extern bool crm_find_installation(FunctionCallInfo fcinfo, Oid schema,
								  CrmInstallation *installation);

/*
 * The CRM in the schema of that name, its deals locked against DDL until the
 * transaction ends; ERROR 3F000 without such a schema, PT404 without a CRM.
 */
extern void crm_get_installation(FunctionCallInfo fcinfo,
								 const char *schema_name,
								 CrmInstallation *installation);

/* The same, but ERROR 42501 unless the user has the rights of its owner. */
extern void crm_get_own_installation(FunctionCallInfo fcinfo,
									 const char *schema_name,
									 CrmInstallation *installation);

/* The same for who is to alter its tables; waits for others who alter them. */
extern void crm_get_installation_to_alter(FunctionCallInfo fcinfo,
										  const char *schema_name,
										  CrmInstallation *installation);

#endif							/* CRM_TABLE_INSTALLATION_H */
