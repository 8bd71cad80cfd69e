/*
 * module.c
 *		The module's entry: magic block and initialisation.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/report_plan.h"
#include "base/session.h"
#include "mcp/http.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	/*
	 * Must come before crm_define_settings(), which reserves the prefix
	 * "crm".
	 */
	crm_mcp_define_settings();
	crm_define_settings();
	crm_report_install_hook();
}
