/*
 * totals/reader.c
 *		Totals in place of sums over deals, for users who may get them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/shard.h"
#include "summary/summary.h"
#include "table/caller_query.h"
#include "table/owner_rights.h"
#include "totals/access.h"
#include "totals/table.h"

typedef struct TotalsReader
{
	MemoryContext context;
	WorkingSummary *summary;
	bool		complete;		/* the row was found which tells so */
} TotalsReader;

/* What this code wrote is none of these; but the table is the user's. */
static pg_noinline void
report_damage(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("stage totals are damaged"),
			 errhint("Compute them anew with crm_rebuild_totals().")));
}

/* A column of TOTALS_READ that is never null. */
static Datum
get(TupleTableSlot *row, TotalsField field)
{
	bool		isnull;
	Datum		value = slot_getattr(row, field - TOTALS_STAGE_ID + 1, &isnull);

	if (isnull)
		report_damage();
	return value;
}

static int128
get_sum(TupleTableSlot *row, TotalsField field, int scale)
{
	int128		result = 0;

	if (!crm_numeric_to_fixed(get(row, field), scale, &result))
		report_damage();
	return result;
}

static void
add_row(TupleTableSlot *row, void *arg)
{
	TotalsReader *reader = arg;
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	SummaryEntry entry;
	struct varlena *text;
	bool		no_currency;
	Datum		currency = slot_getattr(row, TOTALS_CURRENCY - TOTALS_STAGE_ID + 1, &no_currency);

	memcpy(entry.key.stage, DatumGetPointer(get(row, TOTALS_STAGE_ID)), UUID_LEN);
	text = PG_DETOAST_DATUM_PACKED(get(row, TOTALS_VALUE_PERIOD));

	if (VARSIZE_ANY_EXHDR(text) == strlen(CRM_TOTALS_COMPLETE) &&
		memcmp(VARDATA_ANY(text), CRM_TOTALS_COMPLETE, strlen(CRM_TOTALS_COMPLETE)) == 0)
	{
		reader->complete = true;
		MemoryContextSwitchTo(caller);
		return;
	}

	entry.key.rest = crm_summary_period_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	if (no_currency)
		entry.key.rest |= SUMMARY_NO_CURRENCY;
	else
	{
		text = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(currency));

		entry.key.rest |= crm_summary_currency_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
	entry.deals = DatumGetInt64(get(row, TOTALS_DEALS));
	entry.deals_without_amount = DatumGetInt64(get(row, TOTALS_DEALS_WITHOUT_AMOUNT));
	entry.deals_without_probability = DatumGetInt64(get(row, TOTALS_DEALS_WITHOUT_PROBABILITY));
	entry.value = get_sum(row, TOTALS_VALUE, CRM_AMOUNT_SCALE);
	entry.weighted_value = get_sum(row, TOTALS_WEIGHTED_VALUE, CRM_WEIGHTED_SCALE);

	crm_summary_add_entry(crm_summary_insert(&reader->summary, &entry.key), &entry);
	MemoryContextSwitchTo(caller);
}

/* Sums up the rows of a pipeline with the rights of the table's owner. */
static void
read_totals(Relation deals, const pg_uuid_t *pipeline_id, const pg_uuid_t *tenant_id,
			TotalsReader *reader)
{
	Datum		args[] = {UUIDPGetDatum(pipeline_id), UUIDPGetDatum(tenant_id)};
	char		nulls[] = {' ', tenant_id == NULL ? 'n' : ' '};
	CrmStatement statement;
	SavedUser	saved;
	int			guc_level;

	crm_become_owner(deals, &saved);
	guc_level = crm_totals_prefer_index();
	statement = crm_totals_statement(deals, TOTALS_READ);
	crm_receive_rows(&statement, args, nulls, true, add_row, reader);
	AtEOXact_GUC(true, guc_level);
	crm_restore_user(&saved);
}

/*
 * crm_pipeline_totals(crm regnamespace, pipeline_id uuid) -> crm_summary
 *		What crm_pipeline_summary() over the unarchived deals of the pipeline
 *		would return, from stage_totals; NULL if that may be something else
 *		for this user, now, or if not all deals are counted there.
 */
PG_FUNCTION_INFO_V1(crm_pipeline_totals);
Datum
crm_pipeline_totals(PG_FUNCTION_ARGS)
{
	TotalsReader reader = {.context = CurrentMemoryContext,.summary = crm_summary_new()};
	Relation	deals = crm_api_begin(fcinfo, "deals", NULL);
	TotalsAccess access = TOTALS_NONE;
	pg_uuid_t	tenant_id;
	SummaryView view;

	if (OidIsValid(crm_sibling(deals, "stage_totals")))
		access = crm_totals_access(fcinfo, deals, &tenant_id);
	if (access != TOTALS_NONE)
		read_totals(deals, PG_GETARG_UUID_P(1), access == TOTALS_OF_TENANT ? &tenant_id : NULL,
					&reader);
	crm_api_end(deals);
	if (access == TOTALS_NONE || !reader.complete)
		PG_RETURN_NULL();

	view = crm_summary_view(PointerGetDatum(reader.summary));
	PG_RETURN_POINTER(crm_summary_store(&view));
}
