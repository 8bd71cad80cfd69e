/*
 * module.c
 *		The module's entry: magic block and initialisation.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/session.h"
#include "mcp/mcp.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	/* First: the other one closes the prefix "crm". */
	crm_mcp_define_settings();
	crm_define_settings();
}
