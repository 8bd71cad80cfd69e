/*
 * module.c
 *		The module's entry: magic block, initialisation, version.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

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

/*
 * crm_version() -> text
 *		The version of the loaded code, as crm.control has it.
 */
PG_FUNCTION_INFO_V1(crm_version);
Datum
crm_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CRM_VERSION));
}
