/*
 * install/check.h
 *		Checking that a CRM is as the extension needs it.
 */
#ifndef CRM_INSTALL_CHECK_H
#define CRM_INSTALL_CHECK_H

#include "install/script.h"
#include "table/installation.h"

/*
 * ERROR 55000 if the CRM has a problem, which is its detail.  The caller is
 * connected to SPI; search_path is pg_catalog.  tables is the script that made them.
 */
extern void crm_require_no_problem(FunctionCallInfo fcinfo, const CrmInstallation *installation,
								   const CrmScript *tables);

/* The same, with a WARNING for each problem. */
extern void crm_warn_of_problems(FunctionCallInfo fcinfo, const CrmInstallation *installation);

#endif							/* CRM_INSTALL_CHECK_H */
