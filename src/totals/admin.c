/*
 * totals/admin.c
 *		Looking after stage_totals, for the owner of a CRM.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/shard.h"
#include "table/installation.h"
#include "table/owner_rights.h"
#include "table/running_writes.h"
#include "totals/table.h"
#include "totals/writer.h"

/* Progress is reported about so many times, but not for a few deals. */
#define PROGRESS_STEPS		10
#define MIN_PROGRESS_STEP	100000
#define MIN_PIPELINES_STEP	1000

/* The deals of the CRM in the schema that the first argument names. */
static Relation
open_deals(FunctionCallInfo fcinfo)
{
	char	   *name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;
	Relation	deals;

	crm_get_own_installation(fcinfo, name, &installation);
	deals = table_open(installation.deals, AccessShareLock);
	/* The queries below rely on the types. */
	(void) crm_columns(deals, &crm_deal_kind);
	return deals;
}

/*
 * On a distributed schema, the guard of the totals is on the node that has the shards, and
 * knows only a writer of its own session.
 */
static void
require_here(Relation deals)
{
	Oid			relid = RelationGetRelid(deals);

	if (!crm_is_distributed(relid) || crm_table_to_read(relid) != relid)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the totals of schema \"%s\" are on another node",
					get_namespace_name(RelationGetNamespace(deals))),
			 errhint("Connect to the node that citus_shards has for its tables.")));
}

/* Runs a SELECT without parameters. */
static void
receive_rows(const char *query, bool read_only, CrmRowReceiver receive, void *arg)
{
	CrmStatement statement = {.text = query};

	crm_receive_rows(&statement, NULL, NULL, read_only, receive, arg);
}

/* Deletes all totals. */
static void
delete_totals(const char *table)
{
	if (SPI_execute(psprintf("DELETE FROM %s", table), false, 0) != SPI_OK_DELETE)
		crm_refuse_rule(CRM_TOTALS_TABLE, "DELETE");
}

/* A pipeline that has several rows for one total. */
typedef struct PendingPipeline
{
	pg_uuid_t	id;
	int64		nrows;
} PendingPipeline;

typedef struct PendingPipelines
{
	MemoryContext context;
	List	   *list;
} PendingPipelines;

static void
add_pending(TupleTableSlot *row, void *arg)
{
	PendingPipelines *pending = arg;
	MemoryContext caller = MemoryContextSwitchTo(pending->context);
	PendingPipeline *pipeline = palloc(sizeof(PendingPipeline));
	bool		isnull;

	pipeline->id = *DatumGetUUIDP(slot_getattr(row, 1, &isnull));
	pipeline->nrows = DatumGetInt64(slot_getattr(row, 2, &isnull));
	pending->list = lappend(pending->list, pipeline);
	MemoryContextSwitchTo(caller);
}

/*
 * crm_compact_totals(schema_name text) -> bigint
 *		Puts sums in place of the rows of each pipeline that has several for
 *		one total, unless a writer is at it.  Returns how many rows fewer there
 *		are.  For the CRM's owner.
 */
PG_FUNCTION_INFO_V1(crm_compact_totals);
Datum
crm_compact_totals(PG_FUNCTION_ARGS)
{
	Relation	deals = open_deals(fcinfo);
	PendingPipelines pending = {.context = CurrentMemoryContext};
	char	   *query = psprintf("SELECT pipeline_id::pg_catalog.uuid, pg_catalog.sum(n)::pg_catalog.int8 FROM "
								 "(SELECT pipeline_id, pg_catalog.count(*) AS n FROM %s WHERE pipeline_id IS NOT NULL GROUP BY %s) t "
								 "GROUP BY pipeline_id HAVING pg_catalog.max(n) OPERATOR(pg_catalog.>) 1",
								 crm_totals_table(deals), crm_totals_key);
	SavedUser	saved;
	ListCell   *lc;
	int			step;
	int64		removed = 0;

	require_here(deals);
	SPI_connect();
	crm_become_owner(deals, &saved);
	receive_rows(query, false, add_pending, &pending);
	step = Max(MIN_PIPELINES_STEP, list_length(pending.list) / PROGRESS_STEPS);
	foreach(lc, pending.list)
	{
		const PendingPipeline *pipeline = lfirst(lc);
		int64		left = crm_totals_compact(deals, &pipeline->id);

		if (left >= 0)
			removed += pipeline->nrows - left;
		if ((foreach_current_index(lc) + 1) % step == 0)
			ereport(NOTICE,
					(errmsg("%d of %d pipelines summed up",
							foreach_current_index(lc) + 1, list_length(pending.list))));
	}
	crm_restore_user(&saved);
	SPI_finish();
	table_close(deals, NoLock);
	PG_RETURN_INT64(removed);
}

typedef struct Rebuild
{
	DealTotals *totals;
	int64		deals;			/* counted so far */
	int64		expected;		/* maybe; 0: not known */
	int64		step;			/* between two reports */
} Rebuild;

static void
count_deal(TupleTableSlot *deal, void *arg)
{
	Rebuild    *rebuild = arg;

	crm_deal_totals_add(rebuild->totals, deal);
	if (++rebuild->deals % rebuild->step != 0)
		return;
	if (rebuild->expected > rebuild->deals)
		ereport(NOTICE,
				(errmsg("%lld of about %lld deals counted",
						(long long) rebuild->deals, (long long) rebuild->expected)));
	else
		ereport(NOTICE,
				(errmsg("%lld deals counted", (long long) rebuild->deals)));
}

/* Counts all deals. */
static void
count_deals(Relation deals, Rebuild *rebuild)
{
	/* In the order of the query below. */
	static const DealColumn selected[] = {
		DEAL_TENANT_ID, DEAL_PIPELINE_ID, DEAL_STAGE_ID, DEAL_ARCHIVED_AT,
		DEAL_AMOUNT, DEAL_CURRENCY, DEAL_PROBABILITY, DEAL_VALUE_PERIOD
	};
	AttrNumber	columns[DEAL_NCOLUMNS] = {0};

	for (int i = 0; i < lengthof(selected); i++)
		columns[selected[i]] = i + 1;

	rebuild->totals = crm_deal_totals_begin(deals, columns);
	rebuild->expected = Max(0, (int64) deals->rd_rel->reltuples);
	rebuild->step = Max(MIN_PROGRESS_STEP, rebuild->expected / PROGRESS_STEPS);
	receive_rows(psprintf("SELECT tenant_id, pipeline_id, stage_id, archived_at, amount, currency, "
						  "probability, value_period FROM %s WHERE archived_at IS NULL",
						  crm_sibling_name(deals, "deals")), false, count_deal, rebuild);
}

/* What the totals would be made from must not change meanwhile. */
static void
check_rebuild(Relation deals)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("crm_rebuild_totals() needs the isolation level READ COMMITTED"),
				 errdetail("The snapshot of this transaction may be older than the last write to deals."),
				 errhint("Call it in a transaction of its own.")));
	if (crm_write_is_running(deals))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("crm_rebuild_totals() cannot be called by a statement that writes to deals"),
				 errhint("Call it in a statement of its own.")));
}

/*
 * Rows are stored without a plan, so on a cluster into the shard, which Citus does not move
 * once it has deleted the old totals in this transaction.
 */
static void
insert_totals(Relation deals, const DealTotals *totals)
{
	Relation	stored;

	require_here(deals);
	stored = table_open(crm_table_to_read(RelationGetRelid(deals)), AccessShareLock);
	crm_totals_insert(stored, totals);
	table_close(stored, NoLock);
}

/*
 * crm_rebuild_totals(schema_name text) -> bigint
 *		Computes stage_totals anew from deals, while writers wait, and returns
 *		the number of deals counted.  For the CRM's owner, at READ COMMITTED.
 */
PG_FUNCTION_INFO_V1(crm_rebuild_totals);
Datum
crm_rebuild_totals(PG_FUNCTION_ARGS)
{
	Relation	deals = open_deals(fcinfo);
	char	   *table = crm_totals_table(deals);
	Rebuild		rebuild = {0};
	SavedUser	saved;

	require_here(deals);
	check_rebuild(deals);
	SPI_connect();
	crm_become_owner(deals, &saved);
	/* The second lock is for crm_compact_totals(), which takes none on deals. */
	crm_run(psprintf("LOCK TABLE %s, %s IN SHARE ROW EXCLUSIVE MODE",
					 crm_sibling_name(deals, "deals"), table));
	delete_totals(table);
	count_deals(deals, &rebuild);
	insert_totals(deals, rebuild.totals);
	crm_totals_mark_complete(deals);
	crm_restore_user(&saved);
	SPI_finish();
	table_close(deals, NoLock);
	PG_RETURN_INT64(rebuild.deals);
}

static void
add_difference(TupleTableSlot *row, void *arg)
{
	tuplestore_puttupleslot(arg, row);
}

/*
 * crm_check_totals(schema_name text) -> setof record
 *		The totals in which stage_totals and deals differ, in one snapshot.
 *		The sums are those of plain SQL.  For the CRM's owner.
 */
PG_FUNCTION_INFO_V1(crm_check_totals);
Datum
crm_check_totals(PG_FUNCTION_ARGS)
{
	Relation	deals = open_deals(fcinfo);
	SavedUser	saved;
	char	   *query = psprintf(
								 "SELECT %1$s, pg_catalog.sum(d1)::pg_catalog.int8, pg_catalog.sum(t1)::pg_catalog.int8, "
								 "pg_catalog.sum(d2)::pg_catalog.int8, pg_catalog.sum(t2)::pg_catalog.int8, "
								 "pg_catalog.sum(d3)::pg_catalog.int8, pg_catalog.sum(t3)::pg_catalog.int8, "
								 "pg_catalog.sum(d4)::pg_catalog.numeric, pg_catalog.sum(t4)::pg_catalog.numeric, "
								 "pg_catalog.sum(d5)::pg_catalog.numeric, pg_catalog.sum(t5)::pg_catalog.numeric FROM "
								 "(SELECT %1$s, pg_catalog.count(*) AS d1, "
								 "pg_catalog.count(*) FILTER (WHERE amount IS NULL) AS d2, "
								 "pg_catalog.count(*) FILTER (WHERE probability IS NULL) AS d3, "
								 "coalesce(pg_catalog.sum(amount), 0) AS d4, "
								 "coalesce(pg_catalog.sum(amount OPERATOR(pg_catalog.*) probability), 0) AS d5, "
								 "0 AS t1, 0 AS t2, 0 AS t3, 0 AS t4, 0 AS t5 "
								 "FROM %2$s WHERE archived_at IS NULL GROUP BY %1$s "
								 "UNION ALL SELECT %1$s, 0, 0, 0, 0, 0, deals, deals_without_amount, "
								 "deals_without_probability, value, weighted_value "
								 "FROM %3$s) b GROUP BY %1$s "
								 "HAVING pg_catalog.sum(d1) OPERATOR(pg_catalog.<>) pg_catalog.sum(t1) "
								 "OR pg_catalog.sum(d2) OPERATOR(pg_catalog.<>) pg_catalog.sum(t2) "
								 "OR pg_catalog.sum(d3) OPERATOR(pg_catalog.<>) pg_catalog.sum(t3) "
								 "OR pg_catalog.sum(d4) OPERATOR(pg_catalog.<>) pg_catalog.sum(t4) "
								 "OR pg_catalog.sum(d5) OPERATOR(pg_catalog.<>) pg_catalog.sum(t5) "
								 "ORDER BY %1$s",
								 crm_totals_key, crm_sibling_name(deals, "deals"),
								 crm_totals_table(deals));

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	crm_become_owner(deals, &saved);
	receive_rows(query, true, add_difference, ((ReturnSetInfo *) fcinfo->resultinfo)->setResult);
	crm_restore_user(&saved);
	SPI_finish();
	table_close(deals, NoLock);
	return (Datum) 0;
}
