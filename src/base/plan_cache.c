/*
 * base/plan_cache.c
 *		Prepared statements that are kept for the session: a bounded number.
 *
 * A backend of a pool may serve hundreds of CRMs, each with its own statements,
 * and a plan takes about 50 kB.  So when there are too many plans, the least
 * recently used one is freed.
 *
 * The server plans a kept statement again when something that it depends on is
 * altered.  This cache only counts in addition how often a plan is in use, as a
 * statement can fire a trigger that uses the cache again.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#include "base/plan_cache.h"

#define MAX_PLANS 64

typedef struct KeptPlan
{
	dlist_node	node;			/* in kept_plans */
	MemoryContext context;		/* of this and the statement */
	CrmStatement statement;
	uint32		hash;			/* of its text */
	SPIPlanPtr	plan;
	int			nusers;			/* how often it is in use now */
	bool		forgotten;
} KeptPlan;

/* The most recently used plan is the first. */
static dlist_head kept_plans = DLIST_STATIC_INIT(kept_plans);
static int	nkept_plans = 0;

static uint32
hash_text(const CrmStatement *statement)
{
	return hash_bytes((const unsigned char *) statement->text, strlen(statement->text));
}

static bool
is_same_statement(const CrmStatement *a, const CrmStatement *b)
{
	return a->schema == b->schema &&
		a->cursor_options == b->cursor_options &&
		a->nargs == b->nargs &&
		(a->nargs == 0 || memcmp(a->argtypes, b->argtypes, a->nargs * sizeof(Oid)) == 0) &&
		strcmp(a->text, b->text) == 0;
}

static KeptPlan *
find_plan(const CrmStatement *statement, uint32 hash)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept_plans)
	{
		KeptPlan   *kept = dlist_container(KeptPlan, node, iter.cur);

		if (kept->hash == hash && !kept->forgotten &&
			is_same_statement(&kept->statement, statement))
			return kept;
	}
	return NULL;
}

static void
drop_plan(KeptPlan *kept)
{
	dlist_delete(&kept->node);
	nkept_plans--;
	SPI_freeplan(kept->plan);
	MemoryContextDelete(kept->context);
}

/* Makes room for one more plan, unless all are in use. */
static void
evict_plans(void)
{
	dlist_node *node = dlist_is_empty(&kept_plans) ? NULL : dlist_tail_node(&kept_plans);

	while (node != NULL && nkept_plans >= MAX_PLANS)
	{
		KeptPlan   *kept = dlist_container(KeptPlan, node, node);

		node = dlist_has_prev(&kept_plans, node) ?
			dlist_prev_node(&kept_plans, node) : NULL;
		if (kept->nusers == 0)
			drop_plan(kept);
	}
}

/* After an error, the memory is freed with SPI's. */
static KeptPlan *
prepare_plan(const CrmStatement *statement, uint32 hash)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(statement->text, statement->nargs,
										  unconstify(Oid *, statement->argtypes),
										  statement->cursor_options);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm plan",
												  ALLOCSET_SMALL_SIZES);
	KeptPlan   *kept = MemoryContextAllocZero(context, sizeof(KeptPlan));
	Size		args_size = statement->nargs * sizeof(Oid);
	Oid		   *argtypes = MemoryContextAlloc(context, args_size);

	if (plan == NULL)
		elog(ERROR, "could not prepare: %s: %s", statement->text,
			 SPI_result_code_string(SPI_result));
	if (statement->nargs > 0)
		memcpy(argtypes, statement->argtypes, args_size);
	kept->context = context;
	kept->statement = *statement;
	kept->statement.text = MemoryContextStrdup(context, statement->text);
	kept->statement.argtypes = argtypes;
	kept->hash = hash;
	kept->plan = plan;

	evict_plans();
	SPI_keepplan(plan);
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_head(&kept_plans, &kept->node);
	nkept_plans++;
	return kept;
}

static void
release_plan(KeptPlan *kept)
{
	kept->nusers--;
	if (kept->nusers == 0 && kept->forgotten)
		drop_plan(kept);
}

int
crm_use_plan(const CrmStatement *statement, CrmPlanUser use, void *arg)
{
	uint32		hash = hash_text(statement);
	KeptPlan   *kept = find_plan(statement, hash);
	int			result = 0;

	if (kept == NULL)
		kept = prepare_plan(statement, hash);
	else
		dlist_move_head(&kept_plans, &kept->node);

	kept->nusers++;
	PG_TRY();
	{
		result = use(kept->plan, arg);
	}
	PG_FINALLY();
	{
		release_plan(kept);
	}
	PG_END_TRY();
	return result;
}

void
crm_forget_plan(const CrmStatement *statement)
{
	KeptPlan   *kept = find_plan(statement, hash_text(statement));

	if (kept == NULL)
		return;
	kept->forgotten = true;
	if (kept->nusers == 0)
		drop_plan(kept);
}
