/*
 * totals/writer.c
 *		Writes the sums of deals to stage_totals.
 *
 * Writers only insert, so they never wait for each other.  The rows of a pipeline are
 * replaced by their sums in one statement, of which a snapshot sees all or nothing.
 * As it deletes rows, two of them would wait for each other: the second one is skipped.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/shard.h"
#include "table/owner_rights.h"
#include "table/trigger.h"
#include "totals/table.h"
#include "totals/writer.h"

/* How many rows are inserted, on average, for each time they are summed up. */
#define ROWS_PER_COMPACTION 500

/*
 * While an old snapshot keeps deleted rows from being removed, summing up gets
 * slower and slower.  A session spends no more than this part of its time on it.
 */
#define COMPACTION_PAUSE	20

/* So many locks stand for all pipelines: a statement may touch any number. */
#define COMPACTION_LOCKS	256

static TimestampTz compaction_paused_until = 0;

/* Whether it is this file that inserts into stage_totals just now. */
static bool writing = false;

/*
 * crm_totals_guard(version): BEFORE INSERT trigger FOR EACH ROW of
 * stage_totals
 *		Suppresses rows that are not inserted by this file: those of a dump that
 *		is restored into a CRM whose triggers count the dump's deals already.
 */
PG_FUNCTION_INFO_V1(crm_totals_guard);
Datum
crm_totals_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_totals_guard",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
											 CRM_ON(TRIGGER_EVENT_INSERT));

	return PointerGetDatum(writing ? trigdata->tg_trigtuple : NULL);
}

/* Calls write, whose rows the guard lets pass. */
static void
write_past_guard(void (*write) (void *arg), void *arg)
{
	bool		outer = writing;

	PG_TRY();
	{
		writing = true;
		write(arg);
	}
	PG_FINALLY();
	{
		writing = outer;
	}
	PG_END_TRY();
}

/* Totals on their way into the table. */
typedef struct TotalsWrite
{
	Relation	deals;
	const DealTotals *totals;
	TableWriter *writer;
	List	   *to_compact;		/* groups whose pipelines are to be summed up */
} TotalsWrite;

static void
write_entry(TotalsWrite *write, const TotalsGroup *group, const SummaryEntry *entry)
{
	Datum		values[TOTALS_NFIELDS];
	bool		nulls[TOTALS_NFIELDS] = {0};
	char		currency[3];

	for (int i = 0; i < lengthof(currency); i++)
		currency[i] = SUMMARY_LETTER(entry->key.rest, i);

	values[TOTALS_TENANT_ID] = UUIDPGetDatum(&group->tenant_id);
	values[TOTALS_PIPELINE_ID] = UUIDPGetDatum(&group->pipeline_id);
	values[TOTALS_STAGE_ID] = PointerGetDatum(entry->key.stage);
	values[TOTALS_CURRENCY] = PointerGetDatum(cstring_to_text_with_len(currency,
																	   lengthof(currency)));
	nulls[TOTALS_CURRENCY] = (entry->key.rest & SUMMARY_NO_CURRENCY) != 0;
	values[TOTALS_VALUE_PERIOD] = CStringGetTextDatum(crm_summary_period_name(&entry->key));
	values[TOTALS_DEALS] = Int64GetDatum(entry->deals);
	values[TOTALS_DEALS_WITHOUT_AMOUNT] = Int64GetDatum(entry->deals_without_amount);
	values[TOTALS_DEALS_WITHOUT_PROBABILITY] = Int64GetDatum(entry->deals_without_probability);
	values[TOTALS_VALUE] = NumericGetDatum(crm_fixed_to_numeric(entry->value, CRM_AMOUNT_SCALE));
	values[TOTALS_WEIGHTED_VALUE] = NumericGetDatum(crm_fixed_to_numeric(entry->weighted_value,
																		 CRM_WEIGHTED_SCALE));
	crm_writer_add(write->writer, values, nulls);
}

/* Whether it is time to sum up, after writing so many rows. */
static bool
time_to_compact(int nrows)
{
	/*
	 * With a snapshot of the transaction's, others' deletions would be
	 * errors.
	 */
	return nrows > 0 && !IsolationUsesXactSnapshot() &&
		pg_prng_double(&pg_global_prng_state) * ROWS_PER_COMPACTION < nrows &&
		GetCurrentTimestamp() >= compaction_paused_until;
}

static void
write_group(const TotalsGroup *group, void *arg)
{
	TotalsWrite *write = arg;
	int			nrows = 0;

	for (uint32 i = 0; i < group->summary->nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (crm_summary_entry_is_zero(&group->summary->entries[i]))
			continue;
		write_entry(write, group, &group->summary->entries[i]);
		nrows++;
	}
	if (time_to_compact(nrows))
		write->to_compact = lappend(write->to_compact, unconstify(TotalsGroup *, group));
}

static void
write_groups(void *arg)
{
	TotalsWrite *write = arg;

	write->writer = crm_writer_begin(write->deals, &crm_totals_target);
	crm_deal_totals_visit(write->totals, write_group, write);
	crm_writer_end(write->writer);
}

void
crm_totals_insert(Relation deals, const DealTotals *totals)
{
	TotalsWrite write = {.deals = deals,.totals = totals};

	write_past_guard(write_groups, &write);
}

void
crm_totals_insert_and_compact(Relation deals, const DealTotals *totals)
{
	TotalsWrite write = {.deals = deals,.totals = totals};
	ListCell   *lc;

	write_past_guard(write_groups, &write);
	foreach(lc, write.to_compact)
	{
		const TotalsGroup *group = lfirst(lc);
		TimestampTz start = GetCurrentTimestamp();
		TimestampTz end;

		crm_totals_compact(deals, &group->pipeline_id);
		end = GetCurrentTimestamp();
		compaction_paused_until = end + (end - start) * COMPACTION_PAUSE;
	}
}

/*
 * Locks the pipeline for summing up, until the transaction ends: only then do
 * others see what was done.  Does not wait; false if somebody else has it.
 */
static bool
lock_pipeline(Relation deals, const pg_uuid_t *pipeline_id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, crm_table_to_read(RelationGetRelid(deals)),
					   hash_bytes(pipeline_id->data, UUID_LEN) % COMPACTION_LOCKS, 0);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

typedef struct Compaction
{
	CrmStatement statement;
	Datum		pipeline_id;
} Compaction;

static void
compact(void *arg)
{
	const Compaction *compaction = arg;

	crm_insert_kept(&compaction->statement, &compaction->pipeline_id, CRM_TOTALS_TABLE);
}

int64
crm_totals_compact(Relation deals, const pg_uuid_t *pipeline_id)
{
	Compaction	compaction = {.pipeline_id = UUIDPGetDatum(pipeline_id)};
	SavedUser	saved;
	int			guc_level;

	if (!lock_pipeline(deals, pipeline_id))
		return -1;

	crm_become_owner(deals, &saved);
	guc_level = crm_totals_prefer_index();
	compaction.statement = crm_totals_statement(deals, TOTALS_COMPACT);
	write_past_guard(compact, &compaction);
	AtEOXact_GUC(true, guc_level);
	crm_restore_user(&saved);
	return (int64) SPI_processed;
}

/* Whether the table has rows now, those of any transaction. */
static bool
has_rows(const char *table)
{
	CrmStatement statement = {.text = psprintf("SELECT FROM %s LIMIT 1", table)};

	(void) crm_run_snapshot(&statement, NULL, GetLatestSnapshot());
	return SPI_processed > 0;
}

static void
mark_complete(void *arg)
{
	crm_insert_kept(arg, NULL, CRM_TOTALS_TABLE);
}

void
crm_totals_mark_complete(Relation deals)
{
	CrmStatement statement = crm_totals_statement(deals, TOTALS_MARK);

	write_past_guard(mark_complete, &statement);
}

void
crm_totals_truncate(Relation deals)
{
	char	   *table = crm_totals_table(deals);
	SavedUser	saved;

	/*
	 * Like deals, for any snapshot.  TRUNCATE of both in one statement has
	 * done it already, and cannot be interfered with.
	 */
	crm_become_owner(deals, &saved);
	if (has_rows(table))
		crm_run(psprintf("TRUNCATE ONLY %s", table));
	crm_totals_mark_complete(deals);
	crm_restore_user(&saved);
}
