/*
 * summary/operators.c
 *		The operators on crm_summary (+, -, =, <>), hashing, and
 *		crm_summary_rows().
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "summary/summary.h"

/* Columns of crm_summary_rows(). */
enum
{
	ROW_STAGE,
	ROW_CURRENCY,
	ROW_PERIOD,
	ROW_DEALS,
	ROW_DEALS_WITHOUT_AMOUNT,
	ROW_DEALS_WITHOUT_PROBABILITY,
	ROW_VALUE,
	ROW_WEIGHTED_VALUE
};

StaticAssertDecl(ROW_WEIGHTED_VALUE + 1 == SUMMARY_ROW_COLUMNS, "columns of crm_summary_rows()");

static Datum
plus_or_minus(FunctionCallInfo fcinfo, bool subtract)
{
	SummaryView a = crm_summary_sorted_view(PG_GETARG_DATUM(0));
	SummaryView b = crm_summary_sorted_view(PG_GETARG_DATUM(1));

	PG_RETURN_POINTER(crm_summary_merge_views(&a, &b, subtract));
}

/* crm_summary_plus(crm_summary, crm_summary): the operator +. */
PG_FUNCTION_INFO_V1(crm_summary_plus);
Datum
crm_summary_plus(PG_FUNCTION_ARGS)
{
	return plus_or_minus(fcinfo, false);
}

/* crm_summary_minus(crm_summary, crm_summary): the operator -. */
PG_FUNCTION_INFO_V1(crm_summary_minus);
Datum
crm_summary_minus(PG_FUNCTION_ARGS)
{
	return plus_or_minus(fcinfo, true);
}

/* Equal summaries have equal entries, byte for byte. */
static bool
same(FunctionCallInfo fcinfo)
{
	SummaryView a = crm_summary_sorted_view(PG_GETARG_DATUM(0));
	SummaryView b = crm_summary_sorted_view(PG_GETARG_DATUM(1));

	return a.nentries == b.nentries &&
		memcmp(a.entries, b.entries, (Size) a.nentries * sizeof(SummaryEntry)) == 0;
}

/* crm_summary_eq(crm_summary, crm_summary): the operator =. */
PG_FUNCTION_INFO_V1(crm_summary_eq);
Datum
crm_summary_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same(fcinfo));
}

/* crm_summary_ne(crm_summary, crm_summary): the operator <>. */
PG_FUNCTION_INFO_V1(crm_summary_ne);
Datum
crm_summary_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!same(fcinfo));
}

/* crm_summary_hash(crm_summary) -> int: for hash joins, GROUP BY and DISTINCT. */
PG_FUNCTION_INFO_V1(crm_summary_hash);
Datum
crm_summary_hash(PG_FUNCTION_ARGS)
{
	SummaryView view = crm_summary_sorted_view(PG_GETARG_DATUM(0));

	return hash_any((const unsigned char *) view.entries,
					view.nentries * sizeof(SummaryEntry));
}

/* crm_summary_hash_extended(crm_summary, bigint) -> bigint: the same, seeded. */
PG_FUNCTION_INFO_V1(crm_summary_hash_extended);
Datum
crm_summary_hash_extended(PG_FUNCTION_ARGS)
{
	SummaryView view = crm_summary_sorted_view(PG_GETARG_DATUM(0));

	return hash_any_extended((const unsigned char *) view.entries,
							 view.nentries * sizeof(SummaryEntry), PG_GETARG_INT64(1));
}

void
crm_summary_row(const SummaryEntry *entry, Datum *values, bool *nulls)
{
	const SummaryKey *key = &entry->key;
	char		currency[3];

	for (int i = 0; i < 3; i++)
		currency[i] = SUMMARY_LETTER(key->rest, i);
	nulls[ROW_STAGE] = (key->rest & SUMMARY_NO_STAGE) != 0;
	nulls[ROW_CURRENCY] = (key->rest & SUMMARY_NO_CURRENCY) != 0;

	values[ROW_STAGE] = PointerGetDatum(key->stage);
	values[ROW_CURRENCY] = PointerGetDatum(cstring_to_text_with_len(currency, 3));
	values[ROW_PERIOD] = CStringGetTextDatum(crm_summary_period_name(key));
	values[ROW_DEALS] = Int64GetDatum(entry->deals);
	values[ROW_DEALS_WITHOUT_AMOUNT] = Int64GetDatum(entry->deals_without_amount);
	values[ROW_DEALS_WITHOUT_PROBABILITY] = Int64GetDatum(entry->deals_without_probability);
	values[ROW_VALUE] = NumericGetDatum(crm_fixed_to_numeric(entry->value, CRM_AMOUNT_SCALE));
	values[ROW_WEIGHTED_VALUE] = NumericGetDatum(crm_fixed_to_numeric(entry->weighted_value,
																	  CRM_WEIGHTED_SCALE));
}

/* An entry as a row of crm_summary_rows(). */
static HeapTuple
make_row(const SummaryEntry *entry, TupleDesc desc)
{
	Datum		values[SUMMARY_ROW_COLUMNS];
	bool		nulls[SUMMARY_ROW_COLUMNS] = {false};

	crm_summary_row(entry, values, nulls);
	return heap_form_tuple(desc, values, nulls);
}

/*
 * crm_summary_rows(crm_summary)
 *		A row per entry, in canonical order.
 */
PG_FUNCTION_INFO_V1(crm_summary_rows);
Datum
crm_summary_rows(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	const SummaryEntry *entries;
	Datum		row;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext oldcontext;
		TupleDesc	desc;
		SummaryView view;

		funcctx = SRF_FIRSTCALL_INIT();
		oldcontext = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
			desc->natts != SUMMARY_ROW_COLUMNS)
			elog(ERROR, "crm_summary_rows() must return %d columns", SUMMARY_ROW_COLUMNS);
		funcctx->tuple_desc = BlessTupleDesc(desc);

		/* A copy, as the argument may be freed before the last call. */
		view = crm_summary_view(PG_GETARG_DATUM(0));
		view = crm_summary_sorted_view(PointerGetDatum(crm_summary_store(&view)));
		funcctx->user_fctx = unconstify(char *, view.entries);
		funcctx->max_calls = view.nentries;
		MemoryContextSwitchTo(oldcontext);
	}

	funcctx = SRF_PERCALL_SETUP();
	if (funcctx->call_cntr >= funcctx->max_calls)
		SRF_RETURN_DONE(funcctx);

	/* Before SRF_RETURN_NEXT, which increments call_cntr first. */
	entries = funcctx->user_fctx;
	row = HeapTupleGetDatum(make_row(&entries[funcctx->call_cntr], funcctx->tuple_desc));
	SRF_RETURN_NEXT(funcctx, row);
}
