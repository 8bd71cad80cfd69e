/*
 * table/tenant_guard.c
 *		Hiding errors of the rules for a row that is written to another tenant.
 */
#include "postgres.h"

#include "utils/rel.h"
#include "utils/rls.h"

#include "base/session.h"
#include "base/uuid.h"
#include "table/tenant_guard.h"

bool
crm_is_foreign_tenant(Relation rel, const pg_uuid_t *tenant_id)
{
	static const pg_uuid_t nil;

	return rel->rd_rel->relrowsecurity &&
		!crm_session_is_tenant(tenant_id) &&
		!crm_uuid_equal(tenant_id, &nil) && /* of a CRM for one tenant */
		check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED;
}

/* Whether the error speaks of the rows, not of the server or the transaction. */
static bool
is_revealing(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case MAKE_SQLSTATE('P', 'T', '0', '0', '0'):
			return true;
		default:
			return false;
	}
}

void
crm_run_guarded(Relation rel, CrmRules rules, void *arg)
{
	PG_TRY();
	{
		rules(arg);
	}
	PG_CATCH();
	{
		if (!is_revealing(geterrcode()))
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("new row violates row-level security policy for table \"%s\"",
						RelationGetRelationName(rel))));
	}
	PG_END_TRY();
}
