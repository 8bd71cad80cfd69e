/*
 * install/check.h
 *		Whether a CRM is what the extension takes it for.
 */
#ifndef CRM_INSTALL_CHECK_H
#define CRM_INSTALL_CHECK_H

#include "table/installation.h"

/*
 * ERROR 55000 if the CRM has a problem, which is its detail.  The caller is
 * connected to SPI; search_path is pg_catalog.
 */
extern void crm_require_no_problem(const CrmInstallation *installation, Oid extension);

#endif							/* CRM_INSTALL_CHECK_H */
