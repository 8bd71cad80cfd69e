/*
 * base/plan_cache.c
 *		A cache of plans for the session, bounded in number.
 *
 * A backend of a pool may serve hundreds of CRMs, each with its own statements,
 * and a plan takes about 50 kB, that of a report 250 kB.  So when there are too many
 * plans, the least recently used ones are freed.
 *
 * The server plans a kept statement again when something that it depends on is
 * altered.  This cache only counts in addition how often a plan is in use, as a
 * statement can fire a trigger that uses the cache again.
 *
 * What is kept are single statements of the writers and, by base/report_plan.c,
 * the statements of a report.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "base/plan_cache.h"

/* More than those of one CRM, all of whose functions are used. */
#define MAX_PLANS 120

/* The most recently used one is the first. */
static dlist_head kept_plans = DLIST_STATIC_INIT(kept_plans);
static int	nkept_plans = 0;

/* ---- what is kept ---- */

static CrmKeptPlans *
kept_at(dlist_node *node)
{
	return dlist_container(CrmKeptPlans, node, node);
}

CrmKeptPlans *
crm_find_plans(uint32 hash, CrmPlansMatch match, const void *key)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept_plans)
	{
		CrmKeptPlans *kept = kept_at(iter.cur);

		if (kept->hash != hash || kept->forgotten || kept->match != match || !match(kept, key))
			continue;
		dlist_move_head(&kept_plans, &kept->node);
		return kept;
	}
	return NULL;
}

static void
drop_plans(CrmKeptPlans *kept)
{
	ListCell   *cell;

	dlist_delete(&kept->node);
	nkept_plans -= list_length(kept->plans);
	foreach(cell, kept->plans)
		SPI_freeplan(lfirst(cell));
	MemoryContextDelete(kept->context);
}

/* Drops what is forgotten, and the least recently used ones, unless they are in use. */
static void
make_room(int nplans)
{
	dlist_node *node = dlist_is_empty(&kept_plans) ? NULL : dlist_tail_node(&kept_plans);

	while (node != NULL)
	{
		CrmKeptPlans *kept = kept_at(node);

		node = dlist_has_prev(&kept_plans, node) ? dlist_prev_node(&kept_plans, node) : NULL;
		if (kept->nusers == 0 && (kept->forgotten || nkept_plans + nplans > MAX_PLANS))
			drop_plans(kept);
	}
}

void
crm_keep_plans(CrmKeptPlans *kept)
{
	ListCell   *cell;

	make_room(list_length(kept->plans));
	foreach(cell, kept->plans)
		SPI_keepplan(lfirst(cell));
	MemoryContextSetParent(kept->context, CacheMemoryContext);
	kept->nusers = 0;
	dlist_push_head(&kept_plans, &kept->node);
	nkept_plans += list_length(kept->plans);
}

void
crm_use_plans(CrmKeptPlans *kept)
{
	kept->nusers++;
}

void
crm_release_plans(CrmKeptPlans *kept)
{
	kept->nusers--;
	if (kept->nusers == 0 && kept->forgotten)
		drop_plans(kept);
}

void
crm_forget_plans(CrmPlansMatch match, const void *key)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept_plans)
	{
		CrmKeptPlans *kept = kept_at(iter.cur);

		if (kept->match == match && match(kept, key))
			kept->forgotten = true;
	}
}

/* ---- statements ---- */

typedef struct KeptStatement
{
	CrmKeptPlans kept;			/* must be first */
	CrmStatement statement;
} KeptStatement;

static uint32
hash_text(const CrmStatement *statement)
{
	return hash_bytes((const unsigned char *) statement->text, strlen(statement->text));
}

static bool
is_same_statement(const CrmKeptPlans *kept, const void *key)
{
	const CrmStatement *a = &((const KeptStatement *) kept)->statement;
	const CrmStatement *b = key;

	return a->schema == b->schema &&
		a->cursor_options == b->cursor_options &&
		a->nargs == b->nargs &&
		(a->nargs == 0 || memcmp(a->argtypes, b->argtypes, a->nargs * sizeof(Oid)) == 0) &&
		strcmp(a->text, b->text) == 0;
}

/* After an error, the memory is freed with SPI's. */
static KeptStatement *
prepare_statement(const CrmStatement *statement, uint32 hash)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(statement->text, statement->nargs,
										  unconstify(Oid *, statement->argtypes),
										  statement->cursor_options);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm plan",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	KeptStatement *made = palloc0(sizeof(KeptStatement));
	Size		args_size = statement->nargs * sizeof(Oid);
	Oid		   *argtypes = palloc(args_size);

	if (plan == NULL)
		elog(ERROR, "could not prepare: %s: %s", statement->text,
			 SPI_result_code_string(SPI_result));
	if (statement->nargs > 0)
		memcpy(argtypes, statement->argtypes, args_size);
	made->statement = *statement;
	made->statement.text = pstrdup(statement->text);
	made->statement.argtypes = argtypes;
	made->kept.context = context;
	made->kept.match = is_same_statement;
	made->kept.hash = hash;
	made->kept.plans = list_make1(plan);
	MemoryContextSwitchTo(outer);
	crm_keep_plans(&made->kept);
	return made;
}

int
crm_use_plan(const CrmStatement *statement, CrmPlanUser use, void *arg)
{
	uint32		hash = hash_text(statement);
	CrmKeptPlans *kept = crm_find_plans(hash, is_same_statement, statement);
	int			result = 0;

	if (kept == NULL)
		kept = &prepare_statement(statement, hash)->kept;

	crm_use_plans(kept);
	PG_TRY();
	{
		result = use(linitial(kept->plans), arg);
	}
	PG_FINALLY();
	{
		crm_release_plans(kept);
	}
	PG_END_TRY();
	return result;
}

void
crm_forget_plan(const CrmStatement *statement)
{
	crm_forget_plans(is_same_statement, statement);
}
