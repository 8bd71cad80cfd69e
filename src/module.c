/*
 * module.c
 *		The module's entry: magic block and initialisation.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/calendar.h"
#include "base/context.h"
#include "base/estimates.h"
#include "base/function_cache.h"
#include "base/report_query.h"
#include "base/session.h"
#include "base/shard_query.h"
#include "mcp/http.h"
#include "table/kept_checks.h"
#include "table/owner_rights.h"

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
	crm_calendar_define_settings();
	crm_define_settings();
	crm_function_cache_install_hook();
	crm_report_install_hook();
	crm_owner_rights_install_hooks();
	crm_kept_checks_install_hook();
	crm_context_install_hooks();
	crm_shard_query_install_hook();
	crm_estimates_install_hook();
}
