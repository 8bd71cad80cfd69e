/*
 * summary/aggregates.c
 *		crm_pipeline_summary() over deals and over summaries, and
 *		crm_weighted_value(): transition, combine, inverse and final functions.
 *
 * The transition state is a crm_summary in working form.  The functions change
 * it in place, which is safe only in an aggregate: they refuse any other call.
 * They never return NULL, as moving windows do not allow that.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/short_text.h"
#include "summary/summary.h"
#include "table/trigger.h"

#define ARG_STATE	0

/* The arguments of crm_summary_add_row() and crm_summary_remove_row(). */
#define ARG_STAGE		1
#define ARG_AMOUNT		2
#define ARG_CURRENCY	3
#define ARG_PROBABILITY 4
#define ARG_PERIOD		5		/* optional */

/* The arguments of crm_weighted_value_add() and ..._remove(). */
#define ARG_WEIGHTED_AMOUNT			1
#define ARG_WEIGHTED_PROBABILITY	2

/* crm_weighted_value() keeps its sum under this one key. */
static const SummaryKey weighted_value_key = {
	{0, 0}, SUMMARY_NO_STAGE | SUMMARY_NO_CURRENCY | CRM_ONE_TIME
};

/*
 * The state to change in place: the aggregate's own if it is in working form,
 * else a working copy of it, or an empty one, in the current context.
 */
static pg_attribute_always_inline WorkingSummary *
get_state(FunctionCallInfo fcinfo)
{
	WorkingSummary *state;
	SummaryView view;

	if (unlikely(!AggCheckCallContext(fcinfo, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can be called by an aggregate only"),
				 errhint("Use crm_pipeline_summary(), crm_weighted_value(), or the operators + and -.")));
	if (unlikely(PG_ARGISNULL(ARG_STATE)))
		return crm_summary_new();

	state = (WorkingSummary *) PG_GETARG_POINTER(ARG_STATE);
	if (likely(VARATT_IS_4B_U(state) && state->head.form == SUMMARY_WORKING))
	{
		/* Not crm_summary_check(), which would be quadratic in the rows. */
		Assert(state->nentries <= crm_summary_capacity(state->nslots));
		return state;
	}
	view = crm_summary_view(PG_GETARG_DATUM(ARG_STATE));
	return crm_summary_from_view(&view);
}

/* The key of the entry that counts a deal. */
static pg_attribute_always_inline void
get_row_key(FunctionCallInfo fcinfo, SummaryKey *key)
{
	uint64		rest = CRM_ONE_TIME;
	const struct varlena *value;

	if (PG_NARGS() > ARG_PERIOD && !PG_ARGISNULL(ARG_PERIOD))
	{
		value = crm_short_text(PG_GETARG_DATUM(ARG_PERIOD));
		rest = crm_summary_period_key(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	if (PG_ARGISNULL(ARG_CURRENCY))
		rest |= SUMMARY_NO_CURRENCY;
	else
	{
		value = crm_short_text(PG_GETARG_DATUM(ARG_CURRENCY));
		rest |= crm_summary_currency_key(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	if (PG_ARGISNULL(ARG_STAGE))
	{
		rest |= SUMMARY_NO_STAGE;
		key->stage[0] = key->stage[1] = 0;
	}
	else
	{
		/* Two copies of a word each, as the hash reads it in two words next. */
		memcpy(&key->stage[0], PG_GETARG_POINTER(ARG_STAGE), sizeof(uint64));
		memcpy(&key->stage[1], PG_GETARG_POINTER(ARG_STAGE) + sizeof(uint64), sizeof(uint64));
	}
	key->rest = rest;
}

/*
 * What a deal adds to its entry.  The probability is checked even if there is no
 * amount to multiply by it.
 */
static pg_attribute_always_inline void
get_row(FunctionCallInfo fcinfo, SummaryEntry *row)
{
	int128		probability = 0;

	get_row_key(fcinfo, &row->key);
	row->deals = 1;
	row->deals_without_amount = PG_ARGISNULL(ARG_AMOUNT);
	row->deals_without_probability = PG_ARGISNULL(ARG_PROBABILITY);
	row->value = 0;
	if (!PG_ARGISNULL(ARG_PROBABILITY))
		probability = crm_probability_to_fixed(PG_GETARG_DATUM(ARG_PROBABILITY));
	if (!PG_ARGISNULL(ARG_AMOUNT))
		row->value = crm_amount_to_fixed(PG_GETARG_DATUM(ARG_AMOUNT));
	row->weighted_value = row->value * probability;
}

/*
 * crm_summary_add_row(crm_summary, uuid, numeric, text, numeric [, text])
 *		Transition of crm_pipeline_summary() over deals.
 */
PG_FUNCTION_INFO_V1(crm_summary_add_row);
Datum
crm_summary_add_row(PG_FUNCTION_ARGS)
{
	WorkingSummary *state = get_state(fcinfo);
	SummaryEntry row;

	get_row(fcinfo, &row);
	crm_summary_add_entry(crm_summary_insert(&state, &row.key), &row);
	PG_RETURN_POINTER(state);
}

/*
 * crm_summary_remove_row(crm_summary, uuid, numeric, text, numeric [, text])
 *		Its inverse: a deal leaves a moving window.
 */
PG_FUNCTION_INFO_V1(crm_summary_remove_row);
Datum
crm_summary_remove_row(PG_FUNCTION_ARGS)
{
	WorkingSummary *state = get_state(fcinfo);
	SummaryEntry row;

	get_row(fcinfo, &row);
	crm_summary_subtract_entry(crm_summary_insert(&state, &row.key), &row);
	PG_RETURN_POINTER(state);
}

/* Adds the second argument's entries to the state, or takes them away. */
static inline Datum
merge(FunctionCallInfo fcinfo, bool subtract)
{
	WorkingSummary *state = get_state(fcinfo);
	SummaryView view;
	SummaryEntry entry;

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);

	view = crm_summary_view(PG_GETARG_DATUM(1));
	for (uint32 i = 0; i < view.nentries; i++)
	{
		SummaryEntry *mine;

		CHECK_FOR_INTERRUPTS();
		crm_summary_view_entry(&view, i, &entry);
		mine = crm_summary_insert(&state, &entry.key);
		if (subtract)
			crm_summary_subtract_entry(mine, &entry);
		else
			crm_summary_add_entry(mine, &entry);
	}
	PG_RETURN_POINTER(state);
}

/*
 * crm_summary_merge(crm_summary, crm_summary)
 *		Transition of crm_pipeline_summary() over summaries, and the combine
 *		function of all aggregates here; a NULL adds nothing.
 */
PG_FUNCTION_INFO_V1(crm_summary_merge);
Datum
crm_summary_merge(PG_FUNCTION_ARGS)
{
	return merge(fcinfo, false);
}

/* crm_summary_unmerge(crm_summary, crm_summary): the inverse. */
PG_FUNCTION_INFO_V1(crm_summary_unmerge);
Datum
crm_summary_unmerge(PG_FUNCTION_ARGS)
{
	return merge(fcinfo, true);
}

/*
 * crm_summary_final(crm_summary) -> crm_summary
 *		The stored form of a state, which stays as it is; the empty summary
 *		over no rows.
 */
PG_FUNCTION_INFO_V1(crm_summary_final);
Datum
crm_summary_final(PG_FUNCTION_ARGS)
{
	SummaryView view = {0, NULL};

	if (!PG_ARGISNULL(ARG_STATE))
		view = crm_summary_view(PG_GETARG_DATUM(ARG_STATE));
	PG_RETURN_POINTER(crm_summary_store(&view));
}

/* The product of a row's amount and probability; false if either is NULL. */
static inline bool
get_weighted(FunctionCallInfo fcinfo, SummaryEntry *row)
{
	int128		amount = 0;
	int128		probability = 0;

	if (!PG_ARGISNULL(ARG_WEIGHTED_AMOUNT))
		amount = crm_amount_to_fixed(PG_GETARG_DATUM(ARG_WEIGHTED_AMOUNT));
	if (!PG_ARGISNULL(ARG_WEIGHTED_PROBABILITY))
		probability = crm_probability_to_fixed(PG_GETARG_DATUM(ARG_WEIGHTED_PROBABILITY));
	if (PG_ARGISNULL(ARG_WEIGHTED_AMOUNT) || PG_ARGISNULL(ARG_WEIGHTED_PROBABILITY))
		return false;

	memset(row, 0, sizeof(SummaryEntry));
	row->deals = 1;
	row->weighted_value = amount * probability;
	return true;
}

/*
 * crm_weighted_value_add(crm_summary, amount numeric, probability numeric)
 *		Transition of crm_weighted_value(): one entry counts the rows in which
 *		both are given, and sums their product.
 */
PG_FUNCTION_INFO_V1(crm_weighted_value_add);
Datum
crm_weighted_value_add(PG_FUNCTION_ARGS)
{
	WorkingSummary *state = get_state(fcinfo);
	SummaryEntry row;

	if (get_weighted(fcinfo, &row))
		crm_summary_add_entry(crm_summary_insert(&state, &weighted_value_key), &row);
	PG_RETURN_POINTER(state);
}

/* crm_weighted_value_remove(crm_summary, numeric, numeric): the inverse. */
PG_FUNCTION_INFO_V1(crm_weighted_value_remove);
Datum
crm_weighted_value_remove(PG_FUNCTION_ARGS)
{
	WorkingSummary *state = get_state(fcinfo);
	SummaryEntry row;

	if (get_weighted(fcinfo, &row))
		crm_summary_subtract_entry(crm_summary_insert(&state, &weighted_value_key), &row);
	PG_RETURN_POINTER(state);
}

/*
 * crm_weighted_value_final(crm_summary) -> numeric
 *		The sum, or NULL over no rows, as sum() has it.
 */
PG_FUNCTION_INFO_V1(crm_weighted_value_final);
Datum
crm_weighted_value_final(PG_FUNCTION_ARGS)
{
	SummaryView view = {0, NULL};
	SummaryEntry entry;

	if (!PG_ARGISNULL(ARG_STATE))
		view = crm_summary_view(PG_GETARG_DATUM(ARG_STATE));
	for (uint32 i = 0; i < view.nentries; i++)
	{
		crm_summary_view_entry(&view, i, &entry);
		if (entry.deals != 0 && crm_summary_keys_equal(&entry.key, &weighted_value_key))
			PG_RETURN_NUMERIC(crm_fixed_to_numeric(entry.weighted_value, CRM_WEIGHTED_SCALE));
	}
	PG_RETURN_NULL();
}
