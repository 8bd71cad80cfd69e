/*
 * totals/writer.c
 *		Writes what deals add up to into stage_totals.
 *
 * Writers only insert, so they never wait for each other.  The rows of a
 * pipeline are replaced by their sums in one statement, which any snapshot
 * sees either before or after; it deletes, so two who would do that at once
 * would have to wait: whoever comes second leaves it to the first.
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

/* The entries of one group, on their way into the table. */
typedef struct RowWriter
{
	Relation	deals;
	bool		compact;
	PlainInsert *plain;			/* NULL: by SQL */
	int			nrows;			/* 0 or 1: waits for another one */
	Datum		values[2 * TOTALS_NFIELDS];
	char		nulls[2 * TOTALS_NFIELDS];
} RowWriter;

/* Runs one of the statements that insert, and returns how many rows it did. */
static int64
run_insert(Relation deals, TotalsStatement which, const Datum *values, const char *nulls)
{
	CrmStatement statement = crm_totals_statement(deals, which);
	bool		outer = writing;
	int			result = 0;

	PG_TRY();
	{
		writing = true;
		result = crm_run_kept(&statement, values, nulls, false, 0);
	}
	PG_FINALLY();
	{
		writing = outer;
	}
	PG_END_TRY();

	if (result != SPI_OK_INSERT)
	{
		/* A plan that does nothing depends on nothing: it would stay so. */
		crm_forget_plan(&statement);
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("totals cannot be kept in table \"stage_totals\""),
				 errdetail("A rule of that table replaces the INSERT."),
				 errhint("Drop the rule.")));
	}
	return (int64) SPI_processed;
}

/*
 * crm_totals_guard(version): BEFORE INSERT trigger FOR EACH ROW of
 * stage_totals
 *		Lets pass what is written here, and nothing else: the rows of a dump,
 *		when it is restored into a CRM whose triggers count the deals of the
 *		same dump.
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

static const InsertTarget stage_totals = {
	CRM_TOTALS_TABLE, crm_totals_fields, TOTALS_NFIELDS, crm_totals_guard
};

static void
write_rows(RowWriter *writer)
{
	run_insert(writer->deals, writer->nrows == 1 ? TOTALS_INSERT_ONE : TOTALS_INSERT_TWO,
			   writer->values, writer->nulls);
	writer->nrows = 0;
}

/* Stores the row that was filled in, or leaves it until there are two. */
static void
store_row(RowWriter *writer)
{
	bool		nulls[TOTALS_NFIELDS];

	writer->nrows++;
	if (writer->plain != NULL)
	{
		for (int i = 0; i < TOTALS_NFIELDS; i++)
			nulls[i] = writer->nulls[i] != ' ';
		if (crm_plain_insert_fits(writer->plain, nulls))
		{
			crm_plain_insert_row(writer->plain, writer->values, nulls);
			writer->nrows = 0;
			return;
		}
	}
	/* What does not fit goes at once: SQL says why. */
	if (writer->nrows == 2 || writer->plain != NULL)
		write_rows(writer);
}

static void
write_entry(RowWriter *writer, const TotalsGroup *group, const SummaryEntry *entry)
{
	Datum	   *values = writer->values + writer->nrows * TOTALS_NFIELDS;
	char	   *nulls = writer->nulls + writer->nrows * TOTALS_NFIELDS;
	char		currency[3];

	for (int i = 0; i < lengthof(currency); i++)
		currency[i] = SUMMARY_LETTER(entry->key.rest, i);

	memset(nulls, ' ', TOTALS_NFIELDS);
	values[TOTALS_TENANT_ID] = UUIDPGetDatum(&group->tenant_id);
	values[TOTALS_PIPELINE_ID] = UUIDPGetDatum(&group->pipeline_id);
	values[TOTALS_STAGE_ID] = PointerGetDatum(entry->key.stage);
	values[TOTALS_CURRENCY] = PointerGetDatum(cstring_to_text_with_len(currency, lengthof(currency)));
	if (entry->key.rest & SUMMARY_NO_CURRENCY)
		nulls[TOTALS_CURRENCY] = 'n';
	values[TOTALS_VALUE_PERIOD] = CStringGetTextDatum(crm_summary_period_name(&entry->key));
	values[TOTALS_DEALS] = Int64GetDatum(entry->deals);
	values[TOTALS_DEALS_WITHOUT_AMOUNT] = Int64GetDatum(entry->deals_without_amount);
	values[TOTALS_VALUE] = NumericGetDatum(crm_fixed_to_numeric(entry->value, CRM_AMOUNT_SCALE));
	values[TOTALS_WEIGHTED_VALUE] = NumericGetDatum(crm_fixed_to_numeric(entry->weighted_value,
																		 CRM_WEIGHTED_SCALE));
	store_row(writer);
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
	RowWriter  *writer = arg;
	int			nrows = 0;

	writer->plain = crm_plain_insert_begin(writer->deals, &stage_totals);
	for (uint32 i = 0; i < group->summary->nentries; i++)
	{
		if (crm_summary_entry_is_zero(&group->summary->entries[i]))
			continue;
		write_entry(writer, group, &group->summary->entries[i]);
		nrows++;
	}
	if (writer->plain != NULL)
		crm_plain_insert_end(writer->plain);
	if (writer->nrows > 0)
		write_rows(writer);

	if (writer->compact && time_to_compact(nrows))
	{
		TimestampTz start = GetCurrentTimestamp();
		TimestampTz end;

		crm_totals_compact(writer->deals, &group->pipeline_id);
		end = GetCurrentTimestamp();
		compaction_paused_until = end + (end - start) * COMPACTION_PAUSE;
	}
}

static void
write_totals(Relation deals, const DealTotals *totals, bool compact)
{
	RowWriter	writer = {.deals = deals,.compact = compact};
	SavedUser	saved;

	crm_become_owner(deals, &saved);
	crm_deal_totals_visit(totals, write_group, &writer);
	crm_restore_user(&saved);
}

void
crm_totals_insert(Relation deals, const DealTotals *totals)
{
	write_totals(deals, totals, false);
}

void
crm_totals_insert_and_compact(Relation deals, const DealTotals *totals)
{
	write_totals(deals, totals, true);
}

/*
 * Locks the pipeline for summing up, until the transaction ends: only then do
 * others see what was done.  Does not wait; false if somebody else has it.
 */
static bool
lock_pipeline(Relation deals, const pg_uuid_t *pipeline_id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationGetRelid(deals),
					   hash_bytes(pipeline_id->data, UUID_LEN) % COMPACTION_LOCKS, 0);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

int64
crm_totals_compact(Relation deals, const pg_uuid_t *pipeline_id)
{
	Datum		args[] = {UUIDPGetDatum(pipeline_id)};
	SavedUser	saved;
	int			guc_level;
	int64		nrows;

	if (!lock_pipeline(deals, pipeline_id))
		return -1;

	crm_become_owner(deals, &saved);
	guc_level = crm_totals_prefer_index();
	nrows = run_insert(deals, TOTALS_COMPACT, args, NULL);
	AtEOXact_GUC(true, guc_level);
	crm_restore_user(&saved);
	return nrows;
}

/* Whether the table has rows now, those of any transaction. */
static bool
has_rows(const char *table)
{
	CrmStatement statement = {.text = psprintf("SELECT FROM %s LIMIT 1", table)};

	(void) crm_run_snapshot(&statement, NULL, GetLatestSnapshot());
	return SPI_processed > 0;
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
	if (has_rows(table) &&
		SPI_execute(psprintf("TRUNCATE ONLY %s", table), false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not truncate stage totals");
	crm_restore_user(&saved);
}
