/*
 * analytics/as_of.c
 *		What a pipeline added up to at moments of the past.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "analytics/as_of.h"
#include "analytics/as_of_deal.h"
#include "analytics/conversion_day.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "totals/access.h"

/* ---- events ---- */

/* Of edits of a visit between the same points, the first one tells all. */
static void
receive_edit(Replay *replay, ReplayDeal *replay_deal, ReplayEdit *edit)
{
	ReplayEdit **edits = &((AsOfDeal *) replay_deal)->edits;
	const ReplayEdit *last = *edits;

	edit->end = crm_points_before(replay->arg, edit->order.at);
	edit->next = *edits;
	if (last != NULL && last->end == edit->end &&
		crm_is_of_visit(replay->arg, edit, &last->place))
	{
		if (crm_replay_compare(&edit->order, &last->order) > 0)
			return;
		edit->next = last->next;
	}
	*edits = edit;
}

static inline uint32
first_point(const Replay *replay, const ReplayMove *move)
{
	return crm_points_before(replay->arg, move->place.entered_at);
}

static inline uint32
end_of_points(const Replay *replay, const ReplayMove *move)
{
	return crm_points_before(replay->arg, move->order.at);
}

/* A visit that no point is in leaves no trace. */
static bool
has_points(const Replay *replay, const ReplayMove *move)
{
	return first_point(replay, move) < end_of_points(replay, move);
}

static void
receive_move(Replay *replay, ReplayDeal *replay_deal, const ReplayMove *move)
{
	AsOfDeal   *deal = (AsOfDeal *) replay_deal;
	AsOfVisit  *visit = crm_replay_alloc(replay, sizeof(AsOfVisit));

	visit->next = deal->visits;
	visit->place = move->place;
	visit->ended = move->order;
	visit->first = first_point(replay, move);
	visit->end = end_of_points(replay, move);
	visit->life = move->life;
	deal->visits = visit;
}

/* ---- most deals ---- */

/*
 * Whether it is there, has had one life and one edit at most, and no point is in two
 * visits, of which the last one began before the point first.
 */
static inline bool
is_simple(const AsOfDeal *deal, const ReplayPresent *present, uint32 first)
{
	if (present == NULL || deal->deal.nlives > 0 ||
		(deal->edits != NULL && deal->edits->next != NULL))
		return false;
	/* Mostly the last visit that came is the last one that ended. */
	for (const AsOfVisit *visit = deal->visits; visit != NULL; visit = visit->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (visit->end > first)
			return false;
		first = visit->first;
	}
	return true;
}

/* Counts a visit of it, at the points from first to end - 1: before the edit, and after. */
static inline void
count_visit(const AsOf *as_of, const ReplayEdit *edit, const ReplayValues *values,
			const ReplayPlace *place, uint32 first, uint32 end)
{
	if (edit != NULL && first < Min(edit->end, end))
	{
		uint32		middle = Min(edit->end, end);

		crm_count_deal(as_of, place->number, &edit->values,
					   crm_is_of_visit(as_of, edit, place) ? edit->place.probability :
					   place->probability,
					   first, middle);
		first = middle;
	}
	crm_count_deal(as_of, place->number, values, place->probability, first, end);
}

static void
count_simple(const AsOf *as_of, const AsOfDeal *deal, const ReplayPresent *present, uint32 first)
{
	count_visit(as_of, deal->edits, &present->values, &present->place, first, as_of->npoints);
	for (const AsOfVisit *visit = deal->visits; visit != NULL; visit = visit->next)
	{
		CHECK_FOR_INTERRUPTS();
		count_visit(as_of, deal->edits, &present->values, &visit->place, visit->first, visit->end);
	}
}

/* What the deal is in; one that is no more is in nothing. */
static inline uint32
find_subject(const AsOf *as_of, const ReplayPresent *present)
{
	const DealIndex *deals = as_of->deals;
	uint32		number;

	if (deals == NULL || present == NULL)
		return 0;
	number = crm_deal_find(deals, present->deal_id, crm_deal_hash(deals, present->deal_id));
	return number == NOT_A_DEAL ? 0 : as_of->subjects[number];
}

static void
receive_deal(Replay *replay, ReplayDeal *replay_deal, const ReplayPresent *present)
{
	static const AsOfDeal no_events;
	const AsOfDeal *deal = replay_deal != NULL ? (const AsOfDeal *) replay_deal : &no_events;
	AsOf	   *as_of = replay->arg;
	uint32		first = present != NULL ? crm_points_before(as_of, present->place.entered_at) : 0;

	as_of->subject = find_subject(as_of, present);
	if (is_simple(deal, present, first))
		count_simple(as_of, deal, present, first);
	else
		crm_walk_through_points(replay, deal, present);
}

static const ReplayUser as_of_user = {
	sizeof(AsOfDeal), receive_edit, has_points, receive_move, receive_deal
};

/* ---- the function ---- */

/* The points: at least one, each after the one before it. */
static void
read_points(AsOf *as_of, ArrayType *array)
{
	as_of->at = (const TimestampTz *) ARR_DATA_PTR(array);
	as_of->npoints = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (as_of->npoints == 0 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no moments, or some that are null")));
	for (uint32 i = 1; i < as_of->npoints; i++)
	{
		if (as_of->at[i - 1] >= as_of->at[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("moments are not in their order")));
	}
	as_of->density = (as_of->npoints - 1) /
		((double) as_of->at[as_of->npoints - 1] - (double) as_of->at[0]);
}

static void
read_currency(AsOf *as_of, ReplayQuery *query, const text *currency)
{
	as_of->currency = crm_summary_currency_key(VARDATA_ANY(currency), VARSIZE_ANY_EXHDR(currency));
	query->want_closed_at = true;
}

void
crm_sum_as_of(FunctionCallInfo fcinfo, const AsOfSubjects *subjects,
			  void (*put) (const AsOfSums *sums, void *arg), void *arg)
{
	ReplayQuery query = {.deals = crm_api_begin(fcinfo, "deals", NULL),.subject = subjects->column};
	AsOf		as_of = {.deals = subjects->deals,.subjects = subjects->of_deals};
	AsOfSums	result;
	MemoryContext caller;
	Replay	   *replay;

	query.tenant_id = *crm_api_uuid(fcinfo, 1, "tenant_id");
	query.pipeline_id = *crm_api_uuid(fcinfo, 2, "pipeline_id");
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no moments")));
	read_points(&as_of, PG_GETARG_ARRAYTYPE_P(3));
	query.from_at = as_of.at[0];
	query.to_at = as_of.at[as_of.npoints - 1];
	query.want_probability = true;
	query.sees_all = crm_sees_all(fcinfo, query.deals);
	if (!PG_ARGISNULL(4))
		read_currency(&as_of, &query, PG_GETARG_TEXT_PP(4));
	replay = crm_replay_begin(&query, &as_of_user, &as_of);
	caller = MemoryContextSwitchTo(replay->context);
	as_of.sums = crm_point_sums_create(as_of.npoints);
	MemoryContextSwitchTo(caller);
	as_of.places = replay->places;
	crm_replay_run(replay);
	result.sums = as_of.sums;
	result.at = as_of.at;
	result.npoints = as_of.npoints;
	result.values = replay->subjects;
	put(&result, arg);
	MemoryContextDelete(replay->context);
	crm_api_end(query.deals);
}
