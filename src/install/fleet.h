/*
 * install/fleet.h
 *		Going through all CRMs of a database, one at a time.
 */
#ifndef CRM_INSTALL_FLEET_H
#define CRM_INSTALL_FLEET_H

#include "table/installation.h"

/* What is done in a CRM. */
typedef struct CrmFleetTask
{
	/* Whether the caller may do it there; NULL: owners may. */
	bool		(*permitted) (const CrmInstallation *installation);
	/* Does it, as the owner of the CRM. */
	void		(*run) (FunctionCallInfo fcinfo, const CrmInstallation *installation, void *arg);
	/* Is told of an error there, which ends the task in that CRM only. */
	void		(*failed) (const char *schema_name, const char *message, void *arg);
	bool		keep;			/* what it writes; else all is undone */
	void	   *arg;
} CrmFleetTask;

/*
 * The schemas of those CRMs of crm_installations() that the condition, of SQL,
 * holds for, as OIDs in the order of their names.  The caller is connected to SPI.
 */
extern List *crm_fleet_schemas(FunctionCallInfo fcinfo, const char *condition);

/*
 * Does the task in the CRM of that schema, unless it holds none or the caller
 * may not; false if it failed.  What code of the owner's runs there has the
 * owner's rights and cannot leave anything behind for the caller to run.
 * Without keep, no lock is kept either.
 */
extern bool crm_fleet_run(FunctionCallInfo fcinfo, Oid schema, const CrmFleetTask *task);

/* The same for each CRM of the database.  The caller is connected to SPI. */
extern void crm_fleet_run_all(FunctionCallInfo fcinfo, const CrmFleetTask *task);

/* After n CRMs: frees from time to time what the session's caches have of them. */
extern void crm_fleet_forget(int n);

#endif							/* CRM_INSTALL_FLEET_H */
