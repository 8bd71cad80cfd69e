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

typedef struct LifeNode
{
	struct LifeNode *next;
	ReplayDeal *deal;
	ReplayLife	life;
} LifeNode;

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

#define AWAITED_BITS	64

static inline uint64
awaited_bit(const ReplayDeal *deal)
{
	return UINT64CONST(1) << deal->number % AWAITED_BITS;
}

static inline void
await(Replay *replay, const ReplayDeal *deal)
{
	replay->awaited[deal->number / AWAITED_BITS] |= awaited_bit(deal);
}

static void
grow_awaited(Replay *replay)
{
	uint32		words = Max(replay->awaited_words * 2, 64);
	uint64	   *awaited = MemoryContextAllocHuge(replay->context, words * sizeof(uint64));

	memset(awaited, 0, words * sizeof(uint64));
	if (replay->awaited != NULL)
	{
		memcpy(awaited, replay->awaited, replay->awaited_words * sizeof(uint64));
		pfree(replay->awaited);
	}
	replay->awaited = awaited;
	replay->awaited_words = words;
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
	if (number / AWAITED_BITS >= replay->awaited_words)
		grow_awaited(replay);
	deal = deal_of_number(replay, number);
	memset(deal, 0, replay->user->deal_size);
	deal->number = number;
	return deal;
}

static ReplayDeal *
get_deal(Replay *replay, UuidKey id, uint32 hash, bool *found)
{
	uint32		number = crm_deal_number(replay->deals, id, hash, found);

	return *found ? deal_of_number(replay, number) : new_deal(replay, number);
}

/*
 * Rows are worked on in batches, so that the memory of all deals of a batch is prefetched
 * together: as a row comes the slot in the index, then what the slots refer to, and last,
 * for rows of deals, their events, step by step.
 */
#define BATCH_ROWS	32

typedef struct PendingRow
{
	UuidKey		deal_id;
	uint32		hash;
	ReplayDeal *deal;			/* once it is found; NULL: there is none */
	union
	{
		ReplayEdit	edit;
		ReplayMove	move;
		ReplayPresent present;
	}			u;
} PendingRow;

typedef struct PendingRows
{
	bool		adds_deals;		/* a deal that is not there is added; else all
								 * that happened to it is there */
	Size		size;			/* of what is read of a deal */
	void		(*finish) (Replay *replay, PendingRow *row);
	int			count;
	PendingRow	rows[BATCH_ROWS];
} PendingRows;

static inline PendingRow *
free_row(Replay *replay)
{
	return &replay->pending->rows[replay->pending->count];
}

static inline void
prefetch_deal(const Replay *replay, uint32 hash)
{
	uint32		number = crm_deal_guess(replay->deals, hash);
	const char *deal;

	if (number == NOT_A_DEAL)
		return;
	deal = (const char *) deal_of_number(replay, number);
	for (Size at = 0; at < replay->pending->size; at += 64)
		__builtin_prefetch(deal + at, 1);
}

static inline ReplayDeal *
find_deal(Replay *replay, const PendingRow *row)
{
	bool		found;
	uint32		number;

	if (replay->pending->adds_deals)
		return get_deal(replay, row->deal_id, row->hash, &found);
	number = crm_deal_find(replay->deals, row->deal_id, row->hash);
	return number == NOT_A_DEAL ? NULL : deal_of_number(replay, number);
}

/* For the rows of a batch, once their deals are found. */
static void
prefetch_events(const Replay *replay)
{
	const PendingRows *pending = replay->pending;

	for (int step = 0; step < REPLAY_PREFETCHES; step++)
	{
		for (int i = 0; i < pending->count; i++)
		{
			if (pending->rows[i].deal != NULL)
				replay->user->prefetch(pending->rows[i].deal, step);
		}
	}
}

static void
work_on_batch(Replay *replay)
{
	PendingRows *pending = replay->pending;

	for (int i = 0; i < pending->count; i++)
		prefetch_deal(replay, pending->rows[i].hash);
	for (int i = 0; i < pending->count; i++)
		pending->rows[i].deal = find_deal(replay, &pending->rows[i]);
	if (!pending->adds_deals)
		prefetch_events(replay);
	for (int i = 0; i < pending->count; i++)
		pending->finish(replay, &pending->rows[i]);
	pending->count = 0;
}

static inline void
add_row(Replay *replay, PendingRow *row, const pg_uuid_t *deal_id)
{
	row->deal_id = crm_uuid_key(deal_id);
	row->hash = crm_deal_hash(replay->deals, row->deal_id);
	crm_deal_prefetch(replay->deals, row->hash);
	if (++replay->pending->count == BATCH_ROWS)
		work_on_batch(replay);
}

/* Reads the rows of a query in batches. */
static void
read_rows(Replay *replay, ReplayRows rows, Datum ids, bool adds_deals, ReplayReceiver receive,
		  void (*finish) (Replay *, PendingRow *))
{
	replay->pending->adds_deals = adds_deals;
	replay->pending->size = rows == REPLAY_READ_MOVES ? replay->user->move_size :
		replay->user->deal_size;
	replay->pending->finish = finish;
	crm_replay_read(replay, rows, ids, receive);
	work_on_batch(replay);
}

static void
receive_undone(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	const pg_uuid_t *deal_id;
	ReplayDeal *deal;
	UndoneKey	key;
	UndoneEntry *entry;
	UuidKey		id;
	int32		reverted_by;
	bool		found;

	if (!crm_replay_get_undone(row, &deal_id, &key.move_no, &reverted_by))
		return;
	id = crm_uuid_key(deal_id);
	deal = get_deal(replay, id, crm_deal_hash(replay->deals, id), &found);
	deal->has_undone = true;
	key.deal = deal->number;
	entry = replay_undone_insert(replay->undone, key, &found);
	if (!found || reverted_by < entry->reverted_by)
		entry->reverted_by = reverted_by;
}

static void
finish_edit(Replay *replay, PendingRow *row)
{
	ReplayDeal *deal = row->deal;
	const ReplayEdit *edit = &row->u.edit;

	if (edit->change == REPLAY_DELETED || edit->change == REPLAY_RESTORED)
	{
		LifeNode   *node = crm_replay_alloc(replay, sizeof(LifeNode));

		node->deal = deal;
		node->life.order = edit->order;
		node->life.is_deleted = edit->change == REPLAY_DELETED;
		node->life.place = edit->place;
		node->next = replay->life_nodes;
		replay->life_nodes = node;
		deal->nlives++;
		if (edit->place.is_here)
			await(replay, deal);
	}
	replay->user->edit(replay, deal, edit);
}

static void
receive_edit(TupleTableSlot *slot, void *arg)
{
	PendingRow *row = free_row(arg);
	const pg_uuid_t *deal_id;

	if (crm_replay_get_edit(arg, slot, &deal_id, &row->u.edit))
		add_row(arg, row, deal_id);
}

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
	entry = replay_undone_lookup(replay->undone, key);
	return entry != NULL && life_of_move(deal, entry->reverted_by) == life;
}

static void
finish_move(Replay *replay, PendingRow *row)
{
	ReplayDeal *deal = row->deal;
	ReplayMove *move = &row->u.move;

	move->life = life_of_move(deal, move->order.move_no);
	if (!is_in_life(deal, move->life, move->order.at) ||
		is_undone(replay, deal, move->life, move->order.move_no))
		return;
	await(replay, deal);
	replay->user->move(replay, deal, move);
}

static void
receive_move(TupleTableSlot *slot, void *arg)
{
	const ReplayUser *user = ((Replay *) arg)->user;
	PendingRow *row = free_row(arg);
	const pg_uuid_t *deal_id;

	if (crm_replay_get_move(arg, slot, &deal_id, &row->u.move) &&
		(user->wants == NULL || user->wants(arg, &row->u.move)))
		add_row(arg, row, deal_id);
}

/* Handles a deal as it is now, whether it has events or not. */
static void
finish_present(Replay *replay, PendingRow *row)
{
	if (row->deal != NULL)
		replay->awaited[row->deal->number / AWAITED_BITS] &= ~awaited_bit(row->deal);
	replay->user->deal(replay, row->deal, &row->u.present);
}

static inline void
receive_present(Replay *replay, TupleTableSlot *slot, bool any_pipeline)
{
	PendingRow *row = free_row(replay);
	const pg_uuid_t *deal_id;

	if (crm_replay_get_deal(replay, slot, any_pipeline, &deal_id, &row->u.present))
		add_row(replay, row, deal_id);
}

static void
receive_deal(TupleTableSlot *slot, void *replay)
{
	receive_present(replay, slot, false);
}

static void
receive_other_deal(TupleTableSlot *slot, void *replay)
{
	receive_present(replay, slot, true);
}

/* The ids of the deals of a small pipeline. */
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

/* The ids of the deals that were here; 0 if the pipeline is not small. */
static Datum
read_ids(Replay *replay)
{
	SmallPipeline small = {0};
	MemoryContext caller = MemoryContextSwitchTo(replay->context);

	small.deals = crm_deal_index_create(0);
	MemoryContextSwitchTo(caller);
	small.ids = initArrayResult(UUIDOID, replay->context, false);
	replay->small = &small;
	crm_replay_read(replay, REPLAY_READ_IDS, (Datum) 0, receive_id);
	replay->small = NULL;
	if (small.count > REPLAY_SMALL || small.is_erased)
		return (Datum) 0;
	return makeArrayResult(small.ids, replay->context);
}

/* The deals that were here, but are not in the pipeline now. */
static void
for_other_deals(Replay *replay, void (*receive) (Replay *, ReplayDeal *, ArrayBuildState **),
				ArrayBuildState **arg)
{
	for (uint32 i = 0; i < replay->awaited_words; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint64 bits = replay->awaited[i]; bits != 0; bits &= bits - 1)
			receive(replay, deal_of_number(replay, i * AWAITED_BITS + pg_rightmost_one_pos64(bits)),
					arg);
	}
}

static void
collect_id(Replay *replay, ReplayDeal *deal, ArrayBuildState **ids)
{
	*ids = accumArrayResult(*ids, PointerGetDatum(&replay->deals->ids[deal->number]), false,
							UUIDOID, replay->context);
}

/*
 * Deals without a row were deleted, or are hidden from the caller.  A caller who does
 * not see all deals does not get these, as their visibility cannot be decided.
 */
static void
finish_deal(Replay *replay, ReplayDeal *deal, ArrayBuildState **unused)
{
	if (replay->query.sees_all && deal->nlives > 0)
		replay->user->deal(replay, deal, NULL);
}

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
	MemoryContextSwitchTo(caller);
	replay->undone = replay_undone_create(replay->context, 16, replay);
	replay->pending = MemoryContextAllocZero(replay->context, sizeof(PendingRows));
	return replay;
}

#define FIRST_ROOM	((Size) 64 * 1024)
#define LARGEST_ROOM	((Size) 32 * 1024 * 1024)

void *
crm_replay_alloc(Replay *replay, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (replay->room_left < size)
	{
		replay->room_size = Min(Max(replay->room_size * 2, FIRST_ROOM), LARGEST_ROOM);
		replay->room_left = replay->room_size;
		replay->room = crm_alloc_large(replay->context, replay->room_left);
	}
	result = replay->room;
	replay->room += size;
	replay->room_left -= size;
	return result;
}

void
crm_replay_run(Replay *replay)
{
	Datum		small = read_ids(replay);
	ArrayBuildState *ids = NULL;

	crm_replay_read(replay, REPLAY_READ_UNDONE, small, receive_undone);
	read_rows(replay, REPLAY_READ_EDITS, small, true, receive_edit, finish_edit);
	arrange_lives(replay);
	read_rows(replay, REPLAY_READ_MOVES, small, true, receive_move, finish_move);
	read_rows(replay, REPLAY_READ_DEALS, small, false, receive_deal, finish_present);
	for_other_deals(replay, collect_id, &ids);
	if (ids != NULL)
		read_rows(replay, REPLAY_READ_OTHER_DEALS, makeArrayResult(ids, replay->context), false,
				  receive_other_deal, finish_present);
	for_other_deals(replay, finish_deal, NULL);
}
