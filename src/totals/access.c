/*
 * totals/access.c
 *		Whether a user may get totals in place of the sums over deals.
 *
 * In case of doubt the answer is no, as the sums over deals are always right.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/parallel.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_subscription_rel.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/rls.h"

#include "base/session.h"
#include "base/shard.h"
#include "table/caller_query.h"
#include "table/columns.h"
#include "table/installation.h"
#include "table/running_writes.h"
#include "table/trigger.h"
#include "totals/access.h"

#define ALL_EVENTS	(TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | \
					 TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE)

/* Whether every write to deals goes into the totals. */
static bool
kept_up_to_date(FunctionCallInfo fcinfo, Relation deals)
{
	Oid			audit = crm_extension_function(fcinfo, "crm_deal_audit");
	int			events = 0;

	/* Writes to a partition, or a child, do not fire the triggers of deals. */
	if (deals->rd_rel->relkind != RELKIND_RELATION || deals->rd_rel->relhassubclass ||
		deals->trigdesc == NULL)
		return false;

	for (int i = 0; i < deals->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &deals->trigdesc->triggers[i];

		if (trigger->tgfoid == audit && trigger->tgqual == NULL &&
			(trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
			 trigger->tgenabled == TRIGGER_FIRES_ALWAYS) &&
			crm_trigger_has_argument(trigger, CRM_AUDIT_TOTALS))
			events |= trigger->tgtype & ALL_EVENTS;
	}
	return events == ALL_EVENTS;
}

/* Whether logical replication writes to the table, without firing triggers. */
static bool
is_subscribed(Relation deals)
{
	Relation	subscribed = table_open(SubscriptionRelRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, Anum_pg_subscription_rel_srrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(deals)));
	scan = systable_beginscan(subscribed, SubscriptionRelSrrelidSrsubidIndexId, true,
							  NULL, 1, &key);
	found = systable_getnext(scan) != NULL;
	systable_endscan(scan);
	table_close(subscribed, AccessShareLock);
	return found;
}

/* Whether the expression is: (SELECT crm_current_tenant()). */
static bool
is_current_tenant(FunctionCallInfo fcinfo, const Node *node)
{
	const Query *query;
	const TargetEntry *target;

	if (!IsA(node, SubLink) || ((const SubLink *) node)->subLinkType != EXPR_SUBLINK)
		return false;
	query = castNode(Query, ((const SubLink *) node)->subselect);
	if (query->commandType != CMD_SELECT || query->rtable != NIL || query->setOperations != NULL ||
		query->jointree == NULL || query->jointree->quals != NULL ||
		query->havingQual != NULL || query->groupingSets != NIL ||
		query->limitCount != NULL || query->limitOffset != NULL ||
		list_length(query->targetList) != 1)
		return false;
	target = linitial_node(TargetEntry, query->targetList);
	return IsA(target->expr, FuncExpr) &&
		((const FuncExpr *) target->expr)->funcid == crm_extension_function(fcinfo, "crm_current_tenant");
}

/* Whether the policy is the one of shared tenancy. */
static bool
is_tenant_policy(FunctionCallInfo fcinfo, Relation deals, const RowSecurityPolicy *policy)
{
	const OpExpr *qual = (const OpExpr *) policy->qual;
	const Var  *var;

	if (!policy->permissive || ARR_DIMS(policy->roles)[0] != 1 ||
		((Oid *) ARR_DATA_PTR(policy->roles))[0] != ACL_ID_PUBLIC ||
		qual == NULL || !IsA(qual, OpExpr) || list_length(qual->args) != 2)
		return false;
	set_opfuncid(unconstify(OpExpr *, qual));
	if (qual->opfuncid != F_UUID_EQ || !IsA(linitial(qual->args), Var))
		return false;
	var = linitial(qual->args);
	return var->varattno == crm_optional_column(deals, "tenant_id", UUIDOID) &&
		is_current_tenant(fcinfo, lsecond(qual->args));
}

/* Whether the tenant's policy alone decides what is visible. */
static bool
sees_whole_tenant(FunctionCallInfo fcinfo, Relation deals)
{
	int			count = 0;
	ListCell   *lc;

	if (deals->rd_rsdesc == NULL || row_security_policy_hook_permissive != NULL ||
		row_security_policy_hook_restrictive != NULL)
		return false;
	foreach(lc, deals->rd_rsdesc->policies)
	{
		const RowSecurityPolicy *policy = lfirst(lc);

		if (policy->polcmd != '*' && policy->polcmd != ACL_SELECT_CHR)
			continue;
		if (!is_tenant_policy(fcinfo, deals, policy))
			return false;
		count++;
	}
	return count == 1;
}

bool
crm_sees_all(FunctionCallInfo fcinfo, Relation deals)
{
	return check_enable_rls(RelationGetRelid(deals), InvalidOid, true) != RLS_ENABLED ||
		(row_security && sees_whole_tenant(fcinfo, deals));
}

/*
 * crm_sees_all_deals(deals regclass) -> boolean
 *		Whether row security hides no deal from the current user, but for those
 *		of other tenants.  The table is deals, or another one of the CRM.
 */
PG_FUNCTION_INFO_V1(crm_sees_all_deals);
Datum
crm_sees_all_deals(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Relation	rel = try_table_open(relid, AccessShareLock);
	Relation	deals;
	Oid			sibling;
	bool		result;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", relid)));
	sibling = crm_sibling(rel, "deals");
	deals = table_open(OidIsValid(sibling) ? sibling : relid, AccessShareLock);
	result = crm_sees_all(fcinfo, deals);
	table_close(deals, NoLock);
	table_close(rel, NoLock);
	PG_RETURN_BOOL(result);
}

TotalsAccess
crm_totals_access(FunctionCallInfo fcinfo, Relation deals, pg_uuid_t *tenant_id)
{
	/* A worker does not know what its leader is writing. */
	if (IsParallelWorker() ||
		pg_class_aclcheck(RelationGetRelid(deals), GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		!kept_up_to_date(fcinfo, deals) ||
		crm_write_is_running(deals) ||
		is_subscribed(deals))
		return TOTALS_NONE;

	if (check_enable_rls(RelationGetRelid(deals), InvalidOid, true) != RLS_ENABLED)
		return TOTALS_OF_ALL;
	if (!crm_sees_all(fcinfo, deals))
		return TOTALS_NONE;
	crm_session_tenant(tenant_id);
	return TOTALS_OF_TENANT;
}
