/*
 * analytics/as_of.c
 *		What a pipeline added up to at a moment of the past.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "analytics/conversion_day.h"
#include "analytics/replay.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "totals/access.h"

/* The probability before the first edit of a visit. */
typedef struct VisitEdit
{
	ReplayOrder order;
	int32		probability;
} VisitEdit;

typedef struct VisitKey
{
	const ReplayDeal *deal;
	pg_uuid_t	stage_id;
	TimestampTz entered_at;
} VisitKey;

/* The edits of a second visit of a deal, and of further ones. */
typedef struct VisitEntry
{
	VisitKey	key;
	VisitEdit	edit;
	char		status;
} VisitEntry;

static inline uint32
hash_visit(const Replay *replay, const VisitKey *key)
{
	return crm_replay_hash(replay, &key->stage_id,
						   (uint64) key->entered_at * 31 + (uintptr_t) key->deal);
}

static inline bool
visits_equal(const VisitKey *a, const VisitKey *b)
{
	return a->deal == b->deal && a->entered_at == b->entered_at &&
		crm_uuid_equal(&a->stage_id, &b->stage_id);
}

#define SH_PREFIX as_of_visits
#define SH_ELEMENT_TYPE VisitEntry
#define SH_KEY_TYPE VisitKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_visit((tb)->private_data, &(k))
#define SH_EQUAL(tb, a, b) visits_equal(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A deal since the moment: what its first edit says of it. */
typedef struct AsOfDeal
{
	ReplayDeal	deal;			/* must be first */
	bool		is_edited;
	bool		is_visit_edited;
	ReplayOrder edited;
	ReplayValues values;
	VisitKey	visit;
	VisitEdit	visit_edit;
} AsOfDeal;

/* The deals whose amounts have the rate of a day, by their status. */
typedef struct AsOfSum
{
	DateADT		day;
	char		status;			/* of the entry */
	WorkingSummary *summaries[DEAL_LOST + 1];	/* NULL: no deals */
} AsOfSum;

#define SH_PREFIX as_of_sums
#define SH_ELEMENT_TYPE AsOfSum
#define SH_KEY_TYPE DateADT
#define SH_KEY day
#define SH_HASH_KEY(tb, key) crm_replay_hash_number((tb)->private_data, (uint32) (key))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct AsOf
{
	uint64		currency;		/* to convert to, as in SummaryKey.rest; 0:
								 * none */
	AsOfSum		plain;			/* the deals whose amounts need no rate */
	as_of_sums_hash *dated;
	as_of_visits_hash *visits;
} AsOf;

#define CURRENCY_BITS	UINT64CONST(0xFFFFFF00)

/* Takes the edit for the first one of its visit, if it is the first so far. */
static void
note_visit_edit(Replay *replay, AsOfDeal *deal, const ReplayEdit *edit)
{
	AsOf	   *as_of = replay->arg;
	VisitKey	key = {&deal->deal, edit->place.stage_id, edit->place.entered_at};
	VisitEdit  *first = &deal->visit_edit;
	bool		found = deal->is_visit_edited;

	if (!found)
	{
		deal->is_visit_edited = true;
		deal->visit = key;
	}
	else if (!visits_equal(&deal->visit, &key))
	{
		if (as_of->visits == NULL)
			as_of->visits = as_of_visits_create(replay->context, 64, replay);
		first = &as_of_visits_insert(as_of->visits, key, &found)->edit;
	}
	if (!found || crm_replay_compare(&edit->order, &first->order) < 0)
	{
		first->order = edit->order;
		first->probability = edit->place.probability;
	}
}

static void
receive_edit(Replay *replay, ReplayDeal *replay_deal, const ReplayEdit *edit)
{
	AsOfDeal   *deal = (AsOfDeal *) replay_deal;

	if (!deal->is_edited || crm_replay_compare(&edit->order, &deal->edited) < 0)
	{
		deal->is_edited = true;
		deal->edited = edit->order;
		deal->values = edit->values;
	}
	/* A later visit is not the one of the moment. */
	if (edit->place.entered_at <= replay->query.to_at)
		note_visit_edit(replay, deal, edit);
}

/* The probability at the moment: before the first edit of the visit since. */
static int32
get_probability(Replay *replay, const AsOfDeal *deal, const ReplayPlace *place)
{
	AsOf	   *as_of = replay->arg;
	VisitKey	key = {&deal->deal, place->stage_id, place->entered_at};
	const ReplayLife *end = crm_replay_end_of_life(&deal->deal);
	const VisitEdit *edit = NULL;

	if (deal->is_visit_edited && visits_equal(&deal->visit, &key))
		edit = &deal->visit_edit;
	else if (as_of->visits != NULL)
	{
		VisitEntry *entry = as_of_visits_lookup(as_of->visits, key);

		edit = entry != NULL ? &entry->edit : NULL;
	}
	/* A later life may have begun as this one ended. */
	if (edit == NULL || (end != NULL && crm_replay_compare(&edit->order, &end->order) > 0))
		return place->probability;
	return edit->probability;
}

/* The sum that the deal belongs to. */
static inline AsOfSum *
get_sum(Replay *replay, const ReplayPlace *place, const ReplayValues *values)
{
	AsOf	   *as_of = replay->arg;
	TimestampTz at;
	AsOfSum    *sum;
	bool		found;

	if (as_of->currency == 0 || (values->rest & SUMMARY_NO_CURRENCY) ||
		(values->rest & CURRENCY_BITS) == as_of->currency)
		return &as_of->plain;
	at = place->has_closed_at ? place->closed_at : replay->query.to_at;
	if (as_of->dated == NULL)
		as_of->dated = as_of_sums_create(replay->context, 64, replay);
	sum = as_of_sums_insert(as_of->dated, crm_day_of(at), &found);
	if (!found)
		memset(sum->summaries, 0, sizeof(sum->summaries));
	return sum;
}

static inline void
count_deal(Replay *replay, const ReplayPlace *place, const ReplayValues *values, int32 probability)
{
	WorkingSummary **summary = &get_sum(replay, place, values)->summaries[place->status];
	MemoryContext caller;
	SummaryEntry entry;

	memcpy(entry.key.stage, place->stage_id.data, UUID_LEN);
	entry.key.rest = values->rest;
	entry.deals = 1;
	entry.deals_without_amount = !values->has_amount;
	entry.deals_without_probability = probability == REPLAY_NO_PROBABILITY;
	entry.value = values->amount;
	entry.weighted_value = entry.deals_without_probability ? 0 : values->amount * probability;

	caller = MemoryContextSwitchTo(replay->context);
	if (*summary == NULL)
		*summary = crm_summary_new();
	crm_summary_add_entry(crm_summary_insert(summary, &entry.key), &entry);
	MemoryContextSwitchTo(caller);
}

static void
receive_deal(Replay *replay, ReplayDeal *replay_deal, const ReplayPresent *present)
{
	const AsOfDeal *deal = (const AsOfDeal *) replay_deal;
	const ReplayPlace *place = present != NULL ? &present->place : NULL;
	const ReplayValues *values = present != NULL ? &present->values : NULL;
	const ReplayLife *end;

	if (deal != NULL)
	{
		end = crm_replay_end_of_life(replay_deal);
		if (end != NULL && !end->is_deleted)
			return;				/* it came back after the moment */
		if (deal->deal.has_visit)
			place = &deal->deal.visit;
		else if (end != NULL)
			place = &end->place;
		if (deal->is_edited)
			values = &deal->values;
	}
	/* The caller may see that it was there, and not what it was. */
	if (place == NULL || values == NULL)
		return;
	if (!place->is_here || place->entered_at > replay->query.to_at || values->is_archived)
		return;
	count_deal(replay, place, values,
			   deal != NULL ? get_probability(replay, deal, place) : place->probability);
}

static const ReplayUser as_of_user = {sizeof(AsOfDeal), receive_edit, NULL, receive_deal};

/* A row for each status that has deals. */
static void
put_sum(ReturnSetInfo *result, const AsOfSum *sum, bool has_day)
{
	for (int i = 0; i < lengthof(sum->summaries); i++)
	{
		Datum		values[3] = {DateADTGetDatum(sum->day)};
		bool		nulls[3] = {!has_day};
		SummaryView view;

		if (sum->summaries[i] == NULL)
			continue;
		values[1] = CStringGetTextDatum(crm_deal_status_name(i));
		view = crm_summary_view(PointerGetDatum(sum->summaries[i]));
		values[2] = PointerGetDatum(crm_summary_store(&view));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

static void
put_sums(ReturnSetInfo *result, const AsOf *as_of)
{
	as_of_sums_iterator iterator;
	const AsOfSum *sum;

	put_sum(result, &as_of->plain, false);
	if (as_of->dated == NULL)
		return;
	as_of_sums_start_iterate(as_of->dated, &iterator);
	while ((sum = as_of_sums_iterate(as_of->dated, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		put_sum(result, sum, true);
	}
}

/*
 * crm_summary_as_of(crm regnamespace, tenant_id uuid, pipeline_id uuid,
 *		at timestamptz, in_currency text)
 *	-> setof (rate_day date, deal_status text, summary crm_summary)
 *		What the unarchived deals of the pipeline added up to at that moment, by
 *		the status they had and, with in_currency, by the day whose rate their
 *		amounts have; no day: they need none.
 */
PG_FUNCTION_INFO_V1(crm_summary_as_of);
Datum
crm_summary_as_of(PG_FUNCTION_ARGS)
{
	ReplayQuery query = {.deals = crm_api_begin(fcinfo, "deals", NULL)};
	AsOf		as_of = {0};
	Replay	   *replay;

	query.tenant_id = *crm_api_uuid(fcinfo, 1, "tenant_id");
	query.pipeline_id = *crm_api_uuid(fcinfo, 2, "pipeline_id");
	query.from_at = query.to_at = PG_ARGISNULL(3) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(3);
	query.sees_all = crm_sees_all(fcinfo, query.deals);
	if (!PG_ARGISNULL(4))
	{
		const text *currency = PG_GETARG_TEXT_PP(4);

		as_of.currency = crm_summary_currency_key(VARDATA_ANY(currency),
												  VARSIZE_ANY_EXHDR(currency));
		query.want_closed_at = true;
	}
	InitMaterializedSRF(fcinfo, 0);
	replay = crm_replay_begin(&query, &as_of_user, &as_of);
	crm_replay_run(replay);
	put_sums((ReturnSetInfo *) fcinfo->resultinfo, &as_of);
	MemoryContextDelete(replay->context);
	crm_api_end(query.deals);
	return (Datum) 0;
}
