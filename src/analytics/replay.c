/*
 * analytics/replay.c
 *		The state of every deal of a pipeline, over a period of the past.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "analytics/replay.h"
#include "base/large_memory.h"
#include "base/uuid.h"

/* The moves that were taken back, by deal and number. */
typedef struct UndoneKey
{
	uint32		deal;			/* its number */
	int32		move_no;
} UndoneKey;

typedef struct UndoneEntry
{
	UndoneKey	key;
	int32		reverted_by;	/* the number of the move that took it back */
	char		status;
} UndoneEntry;

#define SH_PREFIX replay_undone
#define SH_ELEMENT_TYPE UndoneEntry
#define SH_KEY_TYPE UndoneKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) \
	hash_combine(murmurhash32((k).deal), \
				 crm_replay_hash_number((tb)->private_data, (uint32) (k).move_no))
#define SH_EQUAL(tb, a, b) ((a).move_no == (b).move_no && (a).deal == (b).deal)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Deals stay where they are: by number, in chunks, the first of so many, each twice the last. */
#define CHUNK_DEALS 256

/* So many records fit into the processor's cache, with what is known of their deals. */
#define RECORDS_AT_ONCE 10000

/* A move, as it is kept until its part is worked on: there are many of them. */
typedef struct KeptMove
{
	UuidKey		deal_id;
	TimestampTz at;
	ReplayPlace place;
	int32		move_no;
	uint8		to_status;
	bool		to_here;
} KeptMove;

typedef struct LifeNode
{
	struct LifeNode *next;
	ReplayDeal *deal;
	ReplayLife	life;
} LifeNode;

/* ---- the deals of a part ---- */

/* The chunk of a deal; the deals before those of chunk i are CHUNK_DEALS * (2^i - 1). */
static inline int
chunk_of_number(uint32 number)
{
	return pg_leftmost_one_pos32(number / CHUNK_DEALS + 1);
}

static inline ReplayDeal *
deal_of_number(const Replay *replay, uint32 number)
{
	int			chunk = chunk_of_number(number);
	Size		in_chunk = number - CHUNK_DEALS * ((1U << chunk) - 1);

	return (ReplayDeal *) (replay->chunks[chunk] + in_chunk * replay->user->deal_size);
}

/* Room for the deal of that number, the next one. */
static ReplayDeal *
new_deal(Replay *replay, uint32 number)
{
	int			chunk = chunk_of_number(number);
	ReplayDeal *deal;

	if (replay->chunks[chunk] == NULL)
		replay->chunks[chunk] =
			crm_alloc_large(replay->context,
							((Size) CHUNK_DEALS << chunk) * replay->user->deal_size);
	deal = deal_of_number(replay, number);
	memset(deal, 0, replay->user->deal_size);
	deal->number = number;
	return deal;
}

static inline uint32
hash_deal(const Replay *replay, UuidKey id)
{
	return crm_deal_hash(replay->deals, id);
}

static inline ReplayDeal *
get_deal(Replay *replay, UuidKey id)
{
	bool		found;
	uint32		number = crm_deal_number(replay->deals, id, hash_deal(replay, id), &found);

	return found ? deal_of_number(replay, number) : new_deal(replay, number);
}

/* NULL if it has no events. */
static inline ReplayDeal *
find_deal(const Replay *replay, UuidKey id)
{
	uint32		number = crm_deal_find(replay->deals, id, hash_deal(replay, id));

	return number == NOT_A_DEAL ? NULL : deal_of_number(replay, number);
}

/* ---- reading ---- */

/* Room for an event of the deal. */
static inline void *
add_event(Replay *replay, DealParts *events, UuidKey deal_id)
{
	uint32		hash = hash_deal(replay, deal_id);

	crm_deal_filter_add(&replay->with_events, hash);
	return crm_deal_parts_add(events, hash);
}

static void
receive_undone(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	ReplayUndone undone;

	if (crm_replay_get_undone(row, &undone))
		*(ReplayUndone *) add_event(replay, &replay->undone, undone.deal_id) = undone;
}

static void
receive_edit(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	ReplayEdit	edit;

	if (crm_replay_get_edit(replay, row, &edit))
		*(ReplayEdit *) add_event(replay, &replay->edits, edit.deal_id) = edit;
}

static void
receive_move(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	UuidKey		deal_id;
	ReplayMove	move;

	if (crm_replay_get_move(replay, row, &deal_id, &move) &&
		replay->user->wants(replay, &move))
		*(KeptMove *) add_event(replay, &replay->moves, deal_id) = (KeptMove)
	{
		deal_id, move.order.at, move.place, move.order.move_no, move.to_status, move.to_here
	};
}

static void
receive_deal(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	ReplayPresent present;
	uint32		hash;

	if (!crm_replay_get_deal(replay, row, false, &present))
		return;
	hash = hash_deal(replay, present.deal_id);
	if (crm_deal_filter_may_have(&replay->with_events, hash))
		*(ReplayPresent *) crm_deal_parts_add(&replay->presents, hash) = present;
	else
		replay->user->deal(replay, NULL, &present);
}

/* The ids of the deals of a pipeline, while they are read. */
typedef struct SmallPipeline
{
	ArrayBuildState *ids;
	DealIndex  *deals;
	int			count;
	bool		is_erased;		/* what is missing is to be found */
} SmallPipeline;

static void
receive_id(TupleTableSlot *slot, void *arg)
{
	SmallPipeline *small = ((Replay *) arg)->small;
	Datum		deal_id;
	UuidKey		key;
	bool		is_erased,
				found;

	if (!crm_replay_get_id(slot, &deal_id, &is_erased))
		return;
	small->count++;
	small->is_erased |= is_erased;
	key = crm_uuid_key(DatumGetUUIDP(deal_id));
	(void) crm_deal_number(small->deals, key, crm_deal_hash(small->deals, key), &found);
	if (!found)
		small->ids = accumArrayResult(small->ids, deal_id, false, UUIDOID,
									  ((Replay *) arg)->context);
}

/* The ids of the deals that were here; 0 if it is faster to read what all deals have. */
static Datum
read_ids(Replay *replay, uint32 *ndeals)
{
	SmallPipeline small = {0};
	MemoryContext caller = MemoryContextSwitchTo(replay->context);

	small.deals = crm_deal_index_create(0);
	MemoryContextSwitchTo(caller);
	small.ids = initArrayResult(UUIDOID, replay->context, false);
	replay->small = &small;
	crm_replay_read(replay, REPLAY_READ_IDS, (Datum) 0, receive_id);
	replay->small = NULL;
	*ndeals = small.deals->count;
	if (small.is_erased || small.count > replay->most_ids ||
		!crm_replay_prefers_ids(replay, *ndeals))
		return (Datum) 0;
	return makeArrayResult(small.ids, replay->context);
}

/* ---- the lives of a deal ---- */

static int
compare_lives(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return crm_replay_compare(&((const ReplayLife *) a)->order, &((const ReplayLife *) b)->order);
}

/* Puts the lives of each deal into their order. */
static void
arrange_lives(Replay *replay)
{
	for (LifeNode *node = replay->life_nodes; node != NULL; node = node->next)
	{
		ReplayDeal *deal = node->deal;

		if (deal->lives == NULL)
		{
			deal->lives = MemoryContextAllocHuge(replay->context,
												 deal->nlives * sizeof(ReplayLife));
			deal->nlives = 0;
		}
		deal->lives[deal->nlives++] = node->life;
	}
	for (LifeNode *node = replay->life_nodes; node != NULL; node = node->next)
	{
		ReplayDeal *deal = node->deal;

		CHECK_FOR_INTERRUPTS();
		if (deal->is_arranged)
			continue;
		qsort(deal->lives, deal->nlives, sizeof(ReplayLife), compare_lives);
		deal->is_arranged = true;
	}
}

/* The life that a move belongs to: the number of the first deletion or restore after it. */
static uint32
life_of_move(const ReplayDeal *deal, int32 move_no)
{
	uint32		low = 0;
	uint32		high = deal->nlives;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (deal->lives[middle].order.move_no < move_no)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Whether the move happened in that life.  A move that is dated before the deal was
 * put back does not count, as the deal did not exist then.
 */
static bool
is_in_life(const ReplayDeal *deal, uint32 life, TimestampTz at)
{
	if (life < deal->nlives &&
		(!deal->lives[life].is_deleted || at > deal->lives[life].order.at))
		return false;
	return life == 0 || at > deal->lives[life - 1].order.at;
}

/* Whether the move was taken back in the life that it is of. */
static bool
is_undone(Replay *replay, const ReplayDeal *deal, uint32 life, int32 move_no)
{
	UndoneKey	key = {deal->number, move_no};
	const UndoneEntry *entry;

	if (!deal->has_undone)
		return false;
	entry = replay_undone_lookup(replay->undone_moves, key);
	return entry != NULL && life_of_move(deal, entry->reverted_by) == life;
}

/* ---- the events of a part ---- */

static void
note_undone(Replay *replay, const ReplayUndone *undone)
{
	ReplayDeal *deal = get_deal(replay, undone->deal_id);
	UndoneKey	key = {deal->number, undone->move_no};
	bool		found;
	UndoneEntry *entry = replay_undone_insert(replay->undone_moves, key, &found);

	deal->has_undone = true;
	if (!found || undone->reverted_by < entry->reverted_by)
		entry->reverted_by = undone->reverted_by;
}

static void
note_edit(Replay *replay, ReplayEdit *edit)
{
	ReplayDeal *deal = get_deal(replay, edit->deal_id);

	if (crm_replay_is_of_life(edit->change))
	{
		LifeNode   *node = crm_replay_alloc(replay, sizeof(LifeNode));

		node->deal = deal;
		node->life.order = edit->order;
		node->life.is_deleted = edit->change == REPLAY_DELETED;
		node->life.goes_on = edit->change == REPLAY_RESTORED;
		node->life.place = edit->place;
		node->next = replay->life_nodes;
		replay->life_nodes = node;
		deal->nlives++;
		if (crm_place(replay->places, edit->place.number)->is_here)
			deal->is_awaited = true;
	}
	replay->user->edit(replay, deal, edit);
}

static void
note_move(Replay *replay, const KeptMove *kept)
{
	ReplayDeal *deal = get_deal(replay, kept->deal_id);
	ReplayMove	move = {
		{kept->at, kept->move_no, REPLAY_OF_MOVE}, kept->place, life_of_move(deal, kept->move_no),
		kept->to_status, kept->to_here
	};

	if (!is_in_life(deal, move.life, kept->at) || is_undone(replay, deal, move.life, kept->move_no))
		return;
	deal->is_awaited = true;
	replay->user->move(replay, deal, &move);
}

/* Handles a deal as it is now, whether it has events or not. */
static void
note_present(Replay *replay, const ReplayPresent *present)
{
	ReplayDeal *deal = find_deal(replay, present->deal_id);

	if (deal != NULL)
		deal->is_awaited = false;
	replay->user->deal(replay, deal, present);
}

static void
receive_other_deal(TupleTableSlot *row, void *replay)
{
	ReplayPresent present;

	if (crm_replay_get_deal(replay, row, true, &present))
		note_present(replay, &present);
}

/* The deals that were here, but are not in the pipeline now. */
static void
read_others(Replay *replay)
{
	ArrayBuildState *ids = NULL;

	for (uint32 i = 0; i < replay->deals->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (deal_of_number(replay, i)->is_awaited)
			ids = accumArrayResult(ids, PointerGetDatum(&replay->deals->ids[i]), false,
								   UUIDOID, CurrentMemoryContext);
	}
	if (ids != NULL)
		crm_replay_read(replay, REPLAY_READ_OTHER_DEALS,
						makeArrayResult(ids, CurrentMemoryContext), receive_other_deal);
}

/*
 * Deals without a row were deleted, or are hidden from the caller.  A caller who does
 * not see all deals does not get these, as their visibility cannot be decided.
 */
static void
end_deleted(Replay *replay)
{
	for (uint32 i = 0; replay->query.sees_all && i < replay->deals->count; i++)
	{
		ReplayDeal *deal = deal_of_number(replay, i);

		CHECK_FOR_INTERRUPTS();
		if (deal->is_awaited && deal->nlives > 0)
			replay->user->deal(replay, deal, NULL);
	}
}

static void
clear_part(Replay *replay)
{
	crm_deal_index_reset(replay->deals);
	crm_rooms_reset(&replay->scratch);
	replay_undone_reset(replay->undone_moves);
	replay->life_nodes = NULL;
}

#define FOR_PARTS(type, record, parts, first, last) \
	for (DealPartReader reader = crm_deal_parts_read(parts, first, last); \
		 ((record) = (type *) crm_deal_parts_next(&reader)) != NULL;)

static void
work_on_parts(Replay *replay, int first, int last)
{
	ReplayUndone *undone;
	ReplayEdit *edit;
	KeptMove   *move;
	ReplayPresent *present;

	clear_part(replay);
	FOR_PARTS(ReplayUndone, undone, &replay->undone, first, last)
		note_undone(replay, undone);
	FOR_PARTS(ReplayEdit, edit, &replay->edits, first, last)
		note_edit(replay, edit);
	arrange_lives(replay);
	FOR_PARTS(KeptMove, move, &replay->moves, first, last)
		note_move(replay, move);
	FOR_PARTS(ReplayPresent, present, &replay->presents, first, last)
		note_present(replay, present);
	read_others(replay);
	end_deleted(replay);
}

/* Few records fit into the cache anyway: then parts are worked on together, so many. */
static int
parts_at_once(const Replay *replay)
{
	uint64		records = replay->undone.count + replay->edits.count + replay->moves.count +
	replay->presents.count;
	int			result = crm_deal_parts_count(&replay->presents);

	for (; result > 1 && records > RECORDS_AT_ONCE; records /= 2)
		result /= 2;
	return result;
}

/* ---- the replay ---- */

Replay *
crm_replay_begin(const ReplayQuery *query, const ReplayUser *user, void *arg)
{
	Replay	   *replay = palloc0(sizeof(Replay));
	MemoryContext caller;

	replay->query = *query;
	replay->user = user;
	replay->arg = arg;
	replay->context = AllocSetContextCreate(CurrentMemoryContext, "crm replay",
											ALLOCSET_DEFAULT_SIZES);
	replay->seed = pg_prng_uint32(&pg_global_prng_state);
	caller = MemoryContextSwitchTo(replay->context);
	replay->deals = crm_deal_index_create(0);
	replay->subjects = crm_deal_index_create(0);
	replay->places = crm_places_create();
	MemoryContextSwitchTo(caller);
	replay->undone_moves = replay_undone_create(replay->context, 16, replay);
	crm_rooms_init(&replay->records, replay->context);
	crm_rooms_init(&replay->scratch, replay->context);
	return replay;
}

static void
init_parts(Replay *replay, bool is_small)
{
	Rooms	   *rooms = &replay->records;

	crm_deal_parts_init(&replay->undone, rooms, sizeof(ReplayUndone), is_small);
	crm_deal_parts_init(&replay->edits, rooms, sizeof(ReplayEdit), is_small);
	crm_deal_parts_init(&replay->moves, rooms, sizeof(KeptMove), is_small);
	crm_deal_parts_init(&replay->presents, rooms, sizeof(ReplayPresent), is_small);
	crm_deal_filter_init(&replay->with_events, replay->context, is_small);
}

void
crm_replay_run(Replay *replay)
{
	uint32		ndeals;
	Datum		small;
	int			step;

	crm_replay_prepare(replay);
	small = read_ids(replay, &ndeals);
	init_parts(replay, small != (Datum) 0 && ndeals <= REPLAY_SMALL);
	crm_replay_read(replay, REPLAY_READ_UNDONE, small, receive_undone);
	crm_replay_read(replay, REPLAY_READ_EDITS, small, receive_edit);
	crm_replay_read(replay, REPLAY_READ_MOVES, small, receive_move);
	crm_replay_read(replay, REPLAY_READ_DEALS, small, receive_deal);
	step = parts_at_once(replay);
	for (int part = 0; part < crm_deal_parts_count(&replay->presents); part += step)
		work_on_parts(replay, part, part + step - 1);
}
