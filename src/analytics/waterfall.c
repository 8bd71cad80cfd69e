/*
 * analytics/waterfall.c
 *		What became of the open value of a pipeline between two moments.
 *
 * The events of a deal are replayed backwards, from what it is now: each one
 * tells what was before it.  What the deal is worth after an event less what it
 * was worth before it goes into the bar of what happened, so the bars add up to
 * the difference of the two moments whatever the history says.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "analytics/replay.h"
#include "table/caller_query.h"
#include "totals/access.h"

typedef enum WaterfallBar
{
	BAR_OPENING,
	BAR_NEW,
	BAR_REOPENED,
	BAR_MOVED_IN,
	BAR_REASSIGNED_IN,
	BAR_UNARCHIVED,
	BAR_AMOUNT_UP,
	BAR_AMOUNT_DOWN,
	BAR_CURRENCY_IN,
	BAR_CURRENCY_OUT,
	BAR_WON,
	BAR_LOST,
	BAR_MOVED_OUT,
	BAR_REASSIGNED_OUT,
	BAR_ARCHIVED,
	BAR_DELETED,
	NBARS
} WaterfallBar;

static const char *const bar_names[NBARS] = {
	[BAR_OPENING] = "opening",
	[BAR_NEW] = "new",
	[BAR_REOPENED] = "reopened",
	[BAR_MOVED_IN] = "moved_in",
	[BAR_REASSIGNED_IN] = "reassigned_in",
	[BAR_UNARCHIVED] = "unarchived",
	[BAR_AMOUNT_UP] = "amount_up",
	[BAR_AMOUNT_DOWN] = "amount_down",
	[BAR_CURRENCY_IN] = "currency_in",
	[BAR_CURRENCY_OUT] = "currency_out",
	[BAR_WON] = "won",
	[BAR_LOST] = "lost",
	[BAR_MOVED_OUT] = "moved_out",
	[BAR_REASSIGNED_OUT] = "reassigned_out",
	[BAR_ARCHIVED] = "archived",
	[BAR_DELETED] = "deleted",
};

/* The bars of a currency. */
typedef struct CurrencyBars
{
	uint32		currency;		/* its letters, as in SummaryKey.rest */
	char		status;			/* of the entry */
	uint8		periods;		/* of amounts: 1 << CrmValuePeriod */
	int64		changes[NBARS];
	int64		deals[NBARS];
	int128		values[NBARS];	/* 2^63 of the largest amounts fit */
} CurrencyBars;

#define SH_PREFIX currency_bars
#define SH_ELEMENT_TYPE CurrencyBars
#define SH_KEY_TYPE uint32
#define SH_KEY currency
#define SH_HASH_KEY(tb, key) crm_replay_hash_number((tb)->private_data, key)
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* What a deal is at a time, as far as the bars are concerned. */
typedef struct WaterfallState
{
	int128		amount;
	uint32		currency;
	bool		is_there;
	bool		is_here;
	bool		is_archived;
	bool		is_owners;
	uint8		status;			/* DealStatus */
	uint8		period;			/* 1 << CrmValuePeriod; 0: it has no amount */
} WaterfallState;

/* A move tells where the deal stood before it, an edit what it was worth. */
typedef struct WaterfallEvent
{
	struct WaterfallEvent *next;
	ReplayOrder order;
	ReplayChange change;
	WaterfallState before;
} WaterfallEvent;

typedef struct WaterfallDeal
{
	ReplayDeal	deal;			/* must be first */
	WaterfallEvent *events;		/* in no order */
	WaterfallEvent *after;		/* the first edit after to_at */
	bool		has_visit;		/* the visit at from_at has ended */
	ReplayOrder visit_ended;
	TimestampTz visit_entered_at;
} WaterfallDeal;

typedef struct Waterfall
{
	uint32		home_currency;	/* of deals without one */
	currency_bars_hash *bars;
	WaterfallEvent **events;	/* of one deal */
	Size		events_size;
} Waterfall;

static WaterfallEvent *
add_event(Replay *replay, WaterfallDeal *deal)
{
	WaterfallEvent *event = crm_replay_alloc(replay, sizeof(WaterfallEvent));

	event->next = deal->events;
	deal->events = event;
	return event;
}

/*
 * A visit that began after the period is another than the one at its end, which
 * was elsewhere then: of a visit here the end would have been read.
 */
static void
set_place(const Replay *replay, WaterfallState *state, const ReplayPlace *at)
{
	const Place *place = crm_place(replay->places, at->number);

	state->is_here = place->is_here && at->entered_at <= replay->query.to_at;
	state->status = place->status;
}

static void
set_values(const Replay *replay, WaterfallState *state, const ReplayValues *values)
{
	const Waterfall *waterfall = replay->arg;

	state->amount = values->amount;
	state->currency = values->rest & SUMMARY_NO_CURRENCY ? waterfall->home_currency :
		(uint32) values->rest & 0xFFFFFF00;
	state->period = values->has_amount ? 1 << (values->rest & 0xFF) : 0;
	state->is_archived = values->is_archived;
	state->is_owners = values->is_owners;
}

/* Of the edits after the period, the first one tells the end of it. */
static void
receive_edit(Replay *replay, ReplayDeal *replay_deal, ReplayEdit *edit)
{
	WaterfallDeal *deal = (WaterfallDeal *) replay_deal;
	WaterfallEvent *event;

	if (edit->order.at <= replay->query.to_at || crm_replay_is_of_life(edit->change))
		event = add_event(replay, deal);
	else if (deal->after == NULL)
		event = deal->after = add_event(replay, deal);
	else if (crm_replay_compare(&edit->order, &deal->after->order) < 0)
		event = deal->after;
	else
		return;
	event->order = edit->order;
	event->change = edit->change;
	set_place(replay, &event->before, &edit->place);
	set_values(replay, &event->before, &edit->values);
}

/* Of the moves of the life at from_at the first one ended the visit of then. */
static inline void
note_visit(WaterfallDeal *deal, const ReplayMove *move)
{
	if (move->life > 0 ||
		(deal->has_visit && crm_replay_compare(&move->order, &deal->visit_ended) > 0))
		return;
	deal->has_visit = true;
	deal->visit_ended = move->order;
	deal->visit_entered_at = move->place.entered_at;
}

/*
 * Within the pipeline and its status nothing changes; but the move after the period tells the
 * end of it.  From won to lost is no bar, but tells which one the move before it is in.
 */
static bool
is_event(const Replay *replay, const ReplayMove *move)
{
	const Place *from = crm_place(replay->places, move->place.number);

	return move->order.at > replay->query.to_at || from->is_here != move->to_here ||
		from->status != move->to_status;
}

/*
 * A visit that began in the period tells nothing, unless it ended by an event: the deal began
 * then or before, but still in the period, or another visit tells that it began earlier.
 */
static bool
wants(const Replay *replay, const ReplayMove *move)
{
	return move->place.entered_at <= replay->query.from_at || is_event(replay, move);
}

static void
receive_move(Replay *replay, ReplayDeal *replay_deal, const ReplayMove *move)
{
	WaterfallDeal *deal = (WaterfallDeal *) replay_deal;
	WaterfallEvent *event;

	note_visit(deal, move);
	if (!is_event(replay, move))
		return;
	event = add_event(replay, deal);
	event->order = move->order;
	event->change = REPLAY_MOVED;
	set_place(replay, &event->before, &move->place);
}

static bool
counts(const WaterfallState *state)
{
	return state->is_there && state->is_here && state->status == DEAL_OPEN &&
		!state->is_archived && state->is_owners;
}

/* The bars of what a deal is counted as. */
static CurrencyBars *
get_bars(Replay *replay, const WaterfallState *state)
{
	Waterfall  *waterfall = replay->arg;
	bool		found;
	CurrencyBars *bars = currency_bars_insert(waterfall->bars, state->currency, &found);

	if (!found)
	{
		bars->periods = 0;
		memset(bars->changes, 0, sizeof(bars->changes));
		memset(bars->deals, 0, sizeof(bars->deals));
		memset(bars->values, 0, sizeof(bars->values));
	}
	bars->periods |= state->period;
	return bars;
}

static void
add_to_bar(Replay *replay, WaterfallBar bar, const WaterfallState *state, int deals, int128 value)
{
	CurrencyBars *bars = get_bars(replay, state);

	bars->changes[bar]++;
	bars->deals[bar] += deals;
	bars->values[bar] += value;
}

static WaterfallBar
bar_of_coming(ReplayChange change, const WaterfallState *before)
{
	switch (change)
	{
		case REPLAY_RESTORED:
		case REPLAY_RECREATED:
			return BAR_NEW;
		case REPLAY_MOVED:
			return before->is_here ? BAR_REOPENED : BAR_MOVED_IN;
		case REPLAY_UNARCHIVED:
			return BAR_UNARCHIVED;
		default:
			return BAR_REASSIGNED_IN;
	}
}

static WaterfallBar
bar_of_going(ReplayChange change, const WaterfallState *after)
{
	switch (change)
	{
		case REPLAY_MOVED:
			if (!after->is_here)
				return BAR_MOVED_OUT;
			return after->status == DEAL_WON ? BAR_WON : BAR_LOST;
		case REPLAY_ARCHIVED:
			return BAR_ARCHIVED;
		case REPLAY_DELETED:
			return BAR_DELETED;
		default:
			return BAR_REASSIGNED_OUT;
	}
}

/* Puts what an event changed into its bars. */
static void
compare_states(Replay *replay, ReplayChange change, const WaterfallState *before,
			   const WaterfallState *after)
{
	bool		counted = counts(before);

	if (counted && counts(after))
	{
		if (before->currency != after->currency)
		{
			add_to_bar(replay, BAR_CURRENCY_OUT, before, -1, -before->amount);
			add_to_bar(replay, BAR_CURRENCY_IN, after, 1, after->amount);
		}
		else if (before->amount != after->amount)
			add_to_bar(replay, after->amount > before->amount ? BAR_AMOUNT_UP : BAR_AMOUNT_DOWN,
					   after, 0, after->amount - before->amount);
		if (before->period != after->period)
			(void) get_bars(replay, after);
	}
	else if (counted)
		add_to_bar(replay, bar_of_going(change, after), before, -1, -before->amount);
	else if (counts(after))
		add_to_bar(replay, bar_of_coming(change, before), after, 1, after->amount);
}

static int
compare_events(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return crm_replay_compare(&(*(WaterfallEvent *const *) a)->order,
							  &(*(WaterfallEvent *const *) b)->order);
}

/* The events of the deal, sorted, in waterfall->events; returns how many. */
static Size
sort_events(Replay *replay, const WaterfallDeal *deal)
{
	Waterfall  *waterfall = replay->arg;
	Size		n = 0;

	for (WaterfallEvent *event = deal->events; event != NULL; event = event->next)
	{
		if (n == waterfall->events_size)
		{
			waterfall->events_size *= 2;
			waterfall->events = repalloc_huge(waterfall->events,
											  waterfall->events_size * sizeof(WaterfallEvent *));
		}
		waterfall->events[n++] = event;
	}
	if (n > 1)
		qsort(waterfall->events, n, sizeof(WaterfallEvent *), compare_events);
	return n;
}

/* What the deal was before the event, given what it was after. */
static void
go_back(WaterfallState *state, const WaterfallEvent *event)
{
	WaterfallState before = event->before;

	switch (event->change)
	{
		case REPLAY_MOVED:
			state->is_here = before.is_here;
			state->status = before.status;
			return;
		case REPLAY_RESTORED:
		case REPLAY_RECREATED:
			state->is_there = false;
			return;
		case REPLAY_DELETED:
			before.is_there = true;
			break;
		default:
			before.is_there = state->is_there;
			before.is_here = state->is_here;
			before.status = state->status;
			break;
	}
	*state = before;
}

/* When the deal entered the stage that it stood in at first. */
static TimestampTz
first_entered_at(const WaterfallDeal *deal, const ReplayPresent *present)
{
	const ReplayLife *end = deal != NULL ? crm_replay_end_of_life(&deal->deal) : NULL;

	if (deal != NULL && deal->has_visit)
		return deal->visit_entered_at;
	return end != NULL ? end->place.entered_at : present->place.entered_at;
}

static void
receive_deal(Replay *replay, ReplayDeal *deal, const ReplayPresent *present)
{
	Waterfall  *waterfall = replay->arg;
	const ReplayLife *end = deal != NULL ? crm_replay_end_of_life(deal) : NULL;
	TimestampTz entered_at = DT_NOBEGIN;
	WaterfallState state = {.is_there = present != NULL};
	Size		n = 0;

	/* One that began in the period did so as it entered its first stage. */
	if (end == NULL || end->is_deleted)
		entered_at = first_entered_at((WaterfallDeal *) deal, present);
	if (entered_at > replay->query.to_at)
		return;
	if (present != NULL)
	{
		set_place(replay, &state, &present->place);
		set_values(replay, &state, &present->values);
	}
	if (deal != NULL)
		n = sort_events(replay, (WaterfallDeal *) deal);
	while (n-- > 0)
	{
		const WaterfallEvent *event = waterfall->events[n];
		WaterfallState after = state;

		go_back(&state, event);
		if (event->order.at <= replay->query.to_at)
			compare_states(replay, event->change, &state, &after);
	}
	if (counts(&state))
		add_to_bar(replay, entered_at > replay->query.from_at ? BAR_NEW : BAR_OPENING,
				   &state, 1, state.amount);
}

static const ReplayUser waterfall_user = {
	sizeof(WaterfallDeal), receive_edit, wants, receive_move, receive_deal
};

static ArrayType *
period_names(uint8 periods)
{
	Datum		names[CRM_PERIODS];
	int			count = 0;

	for (int period = 0; period < CRM_PERIODS; period++)
	{
		SummaryKey	key = {.rest = period};

		if (periods & (1 << period))
			names[count++] = CStringGetTextDatum(crm_summary_period_name(&key));
	}
	return construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT);
}

/* A row for each bar that has something in it. */
static void
put_bars(ReturnSetInfo *result, const CurrencyBars *bars)
{
	char		currency[3];

	for (int i = 0; i < lengthof(currency); i++)
		currency[i] = SUMMARY_LETTER(bars->currency, i);
	for (int bar = 0; bar < NBARS; bar++)
	{
		Datum		values[7];
		bool		nulls[7] = {false};

		if (bars->changes[bar] == 0)
			continue;
		values[0] = PointerGetDatum(cstring_to_text_with_len(currency, lengthof(currency)));
		values[1] = Int32GetDatum(bar + 1);
		values[2] = CStringGetTextDatum(bar_names[bar]);
		values[3] = Int64GetDatum(bars->changes[bar]);
		values[4] = Int64GetDatum(bars->deals[bar]);
		values[5] = NumericGetDatum(crm_fixed_to_numeric(bars->values[bar], CRM_AMOUNT_SCALE));
		values[6] = PointerGetDatum(period_names(bars->periods));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/*
 * crm_waterfall(crm regnamespace, tenant_id uuid, pipeline_id uuid,
 *		from_at timestamptz, to_at timestamptz, owner_id uuid, currency text)
 *	-> setof (value_currency text, bar_no int, bar text, changes bigint,
 *		deal_count bigint, value numeric, value_periods text[])
 *		The bars between the two moments; to_at may be NULL: now.  currency is
 *		that of deals without one.
 */
PG_FUNCTION_INFO_V1(crm_waterfall);
Datum
crm_waterfall(PG_FUNCTION_ARGS)
{
	ReplayQuery query = {.deals = crm_api_begin(fcinfo, "deals", NULL)};
	Waterfall	waterfall = {.events_size = 64};
	const text *currency = PG_ARGISNULL(6) ? cstring_to_text("") : PG_GETARG_TEXT_PP(6);
	currency_bars_iterator iterator;
	const CurrencyBars *bars;
	Replay	   *replay;

	query.tenant_id = *crm_api_uuid(fcinfo, 1, "tenant_id");
	query.pipeline_id = *crm_api_uuid(fcinfo, 2, "pipeline_id");
	query.from_at = PG_ARGISNULL(3) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(3);
	query.to_at = PG_ARGISNULL(4) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(4);
	query.owner_id = PG_ARGISNULL(5) ? NULL : PG_GETARG_UUID_P(5);
	query.sees_all = crm_sees_all(fcinfo, query.deals);
	waterfall.home_currency = crm_summary_currency_key(VARDATA_ANY(currency),
													   VARSIZE_ANY_EXHDR(currency));
	InitMaterializedSRF(fcinfo, 0);

	replay = crm_replay_begin(&query, &waterfall_user, &waterfall);
	waterfall.events = MemoryContextAlloc(replay->context,
										  waterfall.events_size * sizeof(WaterfallEvent *));
	waterfall.bars = currency_bars_create(replay->context, 16, replay);
	crm_replay_run(replay);
	currency_bars_start_iterate(waterfall.bars, &iterator);
	while ((bars = currency_bars_iterate(waterfall.bars, &iterator)) != NULL)
		put_bars((ReturnSetInfo *) fcinfo->resultinfo, bars);
	MemoryContextDelete(replay->context);
	crm_api_end(query.deals);
	return (Datum) 0;
}
