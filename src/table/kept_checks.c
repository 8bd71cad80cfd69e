/*
 * table/kept_checks.c
 *		The CHECKs of deals, made ready once in a session.
 *
 * For every statement that stores a row, PostgreSQL reads the CHECKs of the table
 * from their text in the catalog, plans them and makes them ready.  For deals_check
 * that takes eight times as long as evaluating it.  So the ready CHECKs are kept, and
 * given to the executor where a statement starts.  It evaluates them, and reports what
 * they refuse, as it does with its own; where none are given, it makes them itself.
 *
 * They are kept only if they call nothing but PostgreSQL's immutable functions and
 * this extension's: then evaluating them runs no query and does not depend on the
 * statement.  They are made anew when the table, a function or a domain that they
 * cast to was altered.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "table/kept_checks.h"
#include "table/kinds.h"
#include "table/table_cache.h"
#include "table/user_code.h"

/* A domain that a CHECK casts to, and its constraints when the CHECK was made ready. */
typedef struct CastDomain
{
	DomainConstraintRef ref;
	List	   *constraints;
} CastDomain;

/* The CHECKs of a table.  Statements that run go on with them when others are made. */
typedef struct ReadyChecks
{
	MemoryContext context;
	int			nusers;			/* the table's facts, and each statement */
	CachedExpression *planned;	/* a list */
	ExprState **states;			/* NULL: not made ready yet */
	List	   *functions;		/* this extension's that they call */
	List	   *domains;
} ReadyChecks;

/* The facts that are kept of a table. */
typedef struct CheckFacts
{
	ReadyChecks *ready;			/* NULL: PostgreSQL has to make them */
} CheckFacts;

/* A statement that uses them. */
typedef struct ChecksUser
{
	ReadyChecks *ready;
	MemoryContextCallback ended;
} ChecksUser;

static const char checks_kind;
static ExecutorStart_hook_type next_executor_start = NULL;

static void
release(ReadyChecks *ready)
{
	if (--ready->nusers > 0)
		return;
	FreeCachedExpression(ready->planned);
	MemoryContextDelete(ready->context);
}

/* ---- which are kept ---- */

static bool collect(Node *node, void *arg);

/* Notes a function of this extension's; true if it is a user's. */
static bool
collect_function(Oid function, void *arg)
{
	ReadyChecks *ready = arg;

	if (crm_is_user_code(function))
		return true;
	if (function >= FirstNormalObjectId)
		ready->functions = list_append_unique_oid(ready->functions, function);
	return false;
}

/* Notes the domain; true if its constraints cannot be kept. */
static bool
collect_domain(Oid type, ReadyChecks *ready)
{
	CastDomain *domain = palloc(sizeof(CastDomain));
	ListCell   *lc;

	InitDomainConstraintRef(type, &domain->ref, CurrentMemoryContext, false);
	domain->constraints = domain->ref.constraints;
	ready->domains = lappend(ready->domains, domain);
	foreach(lc, domain->constraints)
	{
		if (collect((Node *) lfirst_node(DomainConstraintState, lc)->check_expr, ready))
			return true;
	}
	return false;
}

/* Notes what the expression depends on; true if it cannot be kept. */
static bool
collect(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	/* A whole row is read by a descriptor of the statement's. */
	if (IsA(node, Var) && ((Var *) node)->varattno == InvalidAttrNumber)
		return true;
	if (IsA(node, CoerceToDomain) && collect_domain(((CoerceToDomain *) node)->resulttype, arg))
		return true;
	return check_functions_in_node(node, collect_function, arg) ||
		expression_tree_walker(node, collect, arg);
}

/* The CHECKs as the catalog has them; NIL where the executor changes them before use. */
static List *
read_checks(const TupleConstr *constraints)
{
	List	   *checks = NIL;

	if (!CRM_CHECKS_ARE_PLAIN(constraints))
		return NIL;
	for (int i = 0; i < constraints->num_check; i++)
	{
		if (!CRM_CHECK_IS_ENFORCED(&constraints->check[i]))
			return NIL;
		checks = lappend(checks, stringToNode(constraints->check[i].ccbin));
	}
	return checks;
}

/* The table's CHECKs, not made ready yet; NULL if they cannot be kept. */
static ReadyChecks *
make_checks(Relation rel)
{
	List	   *checks = read_checks(RelationGetDescr(rel)->constr);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm ready checks",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ReadyChecks *ready = palloc0(sizeof(ReadyChecks));
	bool		can_be_kept = checks != NIL && !collect((Node *) checks, ready);

	MemoryContextCopyAndSetIdentifier(context, RelationGetRelationName(rel));
	MemoryContextSwitchTo(caller);
	if (!can_be_kept)
	{
		MemoryContextDelete(context);
		return NULL;
	}
	ready->context = context;
	ready->nusers = 1;
	ready->planned = GetCachedExpression((Node *) checks);
	MemoryContextSetParent(context, TopMemoryContext);
	return ready;
}

static void
find_checks(Relation rel, const void *kind, void *data)
{
	CheckFacts *facts = data;

	if (facts->ready != NULL)
		release(facts->ready);
	facts->ready = NULL;
	facts->ready = make_checks(rel);
}

/* Whether a function was replaced or the constraints of a domain have changed. */
static bool
is_outdated(ReadyChecks *ready)
{
	ListCell   *lc;

	if (!ready->planned->is_valid)
		return true;
	foreach(lc, ready->domains)
	{
		CastDomain *domain = lfirst(lc);

		UpdateDomainConstraintRef(&domain->ref);
		if (domain->ref.constraints != domain->constraints)
			return true;
	}
	return false;
}

static ReadyChecks *
get_checks(Relation rel)
{
	CheckFacts *facts = crm_table_facts(rel, &checks_kind, sizeof(CheckFacts), find_checks);

	if (facts->ready != NULL && is_outdated(facts->ready))
		find_checks(rel, &checks_kind, facts);
	return facts->ready;
}

/* ---- the executor ---- */

/* What the executor asks when it makes an expression ready. */
static bool
may_call(const ReadyChecks *ready)
{
	ListCell   *lc;

	foreach(lc, ready->functions)
	{
		if (crm_function_aclcheck(lfirst_oid(lc), GetUserId()) != ACLCHECK_OK)
			return false;
		InvokeFunctionExecuteHook(lfirst_oid(lc));
	}
	return true;
}

static void
make_states(ReadyChecks *ready)
{
	List	   *checks = (List *) ready->planned->expr;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm ready check states",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ExprState **states = palloc(list_length(checks) * sizeof(ExprState *));

	for (int i = 0; i < list_length(checks); i++)
		states[i] = ExecInitExpr(list_nth(checks, i), NULL);
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, ready->context);
	ready->states = states;
}

static void
statement_ended(void *arg)
{
	ChecksUser *user = arg;

	release(user->ready);
}

static void
use_until_end(ReadyChecks *ready, EState *estate)
{
	ChecksUser *user = MemoryContextAlloc(estate->es_query_cxt, sizeof(ChecksUser));

	user->ready = ready;
	user->ended.func = statement_ended;
	user->ended.arg = user;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &user->ended);
	ready->nusers++;
}

static bool
has_deals_check(Relation rel)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		if (strcmp(constraints->check[i].ccname, CRM_DEALS_CHECK) == 0)
			return true;
	}
	return false;
}

static void
give_checks(ResultRelInfo *result, EState *estate)
{
	ReadyChecks *ready;

	if (!has_deals_check(result->ri_RelationDesc) || result->crm_check_states != NULL)
		return;
	ready = get_checks(result->ri_RelationDesc);
	if (ready == NULL || !may_call(ready))
		return;
	if (ready->states == NULL)
		make_states(ready);
	use_until_end(ready, estate);
	result->crm_check_states = ready->states;
}

static void
start_executor(QueryDesc *query, int flags)
{
	ListCell   *lc;

	if (next_executor_start != NULL)
		next_executor_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
	foreach(lc, query->estate->es_opened_result_relations)
		give_checks(lfirst_node(ResultRelInfo, lc), query->estate);
}

void
crm_kept_checks_install_hook(void)
{
	next_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = start_executor;
}
