/*
 * analytics/flow_sums.c
 *		The events of a stage flow, added up.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "analytics/stage_flow.h"

enum
{
	ROW_COHORT, ROW_STAGE, ROW_FLOW, ROW_START, ROW_CURRENCY, ROW_RATE_DAY, ROW_DEALS,
	ROW_AMOUNTS, ROW_VALUE, ROW_COLUMNS
};

static const char *const flow_names[] = {"entered", "forward", "backward", "lost", "moved_out"};

typedef struct SumKey
{
	uint32		cohort;
	uint32		stage;
	DateADT		start;
	uint32		flow;
	uint32		currency;
	DateADT		rate_day;
} SumKey;

typedef struct FlowSum
{
	SumKey		key;
	int64		deals;
	int64		amounts;
	int128		value;
	char		status;
} FlowSum;

static inline uint32
hash_sum(const HashSeed *seed, const SumKey *key)
{
	UuidKey		words;
	uint64		rate = crm_hash_mix(key->currency ^ seed->word[1],
									(uint32) key->rate_day ^ seed->word[0]);

	words.word[0] = (uint64) key->cohort << 32 | key->stage;
	words.word[1] = (uint64) (uint32) key->start << 32 | key->flow;
	return crm_uuid_hash(words, *seed) ^ (uint32) rate;
}

#define SH_PREFIX flow_sum
#define SH_ELEMENT_TYPE FlowSum
#define SH_KEY_TYPE SumKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_sum((tb)->private_data, &(k))
#define SH_EQUAL(tb, a, b) (memcmp(&(a), &(b), sizeof(SumKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static void
sum_event(const StageFlow *flow, flow_sum_hash *sums, const FlowEvent *event)
{
	SumKey		key = {
		flow->deals[event->deal].cohort, event->stage, event->start, event->flow,
		event->amount.currency, event->rate_day
	};
	FlowSum    *sum;
	bool		found;

	sum = flow_sum_insert(sums, key, &found);
	if (!found)
	{
		sum->deals = sum->amounts = 0;
		sum->value = 0;
	}
	sum->deals++;
	sum->amounts += event->amount.is_there;
	/* Each is below 10^19, and there are fewer than 2^32. */
	sum->value += event->amount.amount;
}

static inline bool
is_same_flow(const FlowEvent *a, const FlowEvent *b)
{
	return a->stage == b->stage && a->start == b->start && a->flow == b->flow;
}

static int
compare_events(const void *a, const void *b)
{
	const FlowEvent *x = *(FlowEvent *const *) a;
	const FlowEvent *y = *(FlowEvent *const *) b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->flow != y->flow)
		return x->flow < y->flow ? -1 : 1;
	return x->move_no < y->move_no ? -1 : x->move_no > y->move_no;
}

/* Of each stage, flow and period the last event of the deal counts. */
static void
sum_deal(const StageFlow *flow, flow_sum_hash *sums, FlowEvent **events, uint32 count)
{
	CHECK_FOR_INTERRUPTS();
	qsort(events, count, sizeof(FlowEvent *), compare_events);
	for (uint32 i = 0; i < count; i++)
	{
		if (i + 1 == count || !is_same_flow(events[i], events[i + 1]))
			sum_event(flow, sums, events[i]);
	}
}

static void
sum_events(const StageFlow *flow, flow_sum_hash *sums)
{
	uint32		ndeals = flow->deals_index->count;
	uint32	   *ends = MemoryContextAllocExtended(flow->context, (ndeals + 1) * sizeof(uint32),
												  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	FlowEvent **events = MemoryContextAllocHuge(flow->context,
												((Size) flow->nevents + 1) * sizeof(FlowEvent *));
	uint32		begin = 0;

	for (uint32 i = 0; i < flow->nevents; i++)
		ends[get_event(flow, i)->deal + 1]++;
	for (uint32 i = 1; i <= ndeals; i++)
		ends[i] += ends[i - 1];
	/* From the begin of each deal's events to their end. */
	for (uint32 i = 0; i < flow->nevents; i++)
	{
		FlowEvent  *event = get_event(flow, i);

		events[ends[event->deal]++] = event;
	}
	for (uint32 i = 0; i < ndeals; i++)
	{
		sum_deal(flow, sums, events + begin, ends[i] - begin);
		begin = ends[i];
	}
}

static void
put_sum(const StageFlow *flow, const FlowSum *sum, ReturnSetInfo *rows)
{
	Datum		values[ROW_COLUMNS];
	bool		nulls[ROW_COLUMNS] = {false};
	const SumKey *key = &sum->key;
	char		currency[3];

	for (int i = 0; i < 3; i++)
		currency[i] = SUMMARY_LETTER(key->currency, i);
	values[ROW_COHORT] = Int32GetDatum((int32) key->cohort + 1);
	values[ROW_STAGE] = PointerGetDatum(&flow->stages_index->ids[key->stage]);
	values[ROW_FLOW] = CStringGetTextDatum(flow_names[key->flow]);
	values[ROW_START] = DateADTGetDatum(key->start);
	values[ROW_CURRENCY] = PointerGetDatum(cstring_to_text_with_len(currency, 3));
	values[ROW_RATE_DAY] = DateADTGetDatum(key->rate_day);
	nulls[ROW_RATE_DAY] = flow->in_currency == 0 || key->currency == flow->in_currency;
	values[ROW_DEALS] = Int64GetDatum(sum->deals);
	values[ROW_AMOUNTS] = Int64GetDatum(sum->amounts);
	values[ROW_VALUE] = NumericGetDatum(crm_fixed_to_numeric(sum->value, CRM_AMOUNT_SCALE));
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}

void
crm_put_flow_sums(const StageFlow *flow, ReturnSetInfo *rows)
{
	HashSeed	seed = flow->seed;
	flow_sum_hash *sums = flow_sum_create(flow->context, 64, &seed);
	flow_sum_iterator iterator;
	const FlowSum *sum;

	sum_events(flow, sums);
	flow_sum_start_iterate(sums, &iterator);
	while ((sum = flow_sum_iterate(sums, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		put_sum(flow, sum, rows);
	}
}
