/*
 * analytics/replay.c
 *		The state of every deal of a pipeline, over a period of the past.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "analytics/replay.h"
#include "base/uuid.h"

/* The deals that something happened to, by id. */
typedef struct DealEntry
{
	pg_uuid_t	id;
	ReplayDeal *deal;
	uint32		hash;
	char		status;
} DealEntry;

#define SH_PREFIX replay_deals
#define SH_ELEMENT_TYPE DealEntry
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY id
#define SH_HASH_KEY(tb, key) crm_replay_hash((tb)->private_data, &(key), 0)
#define SH_EQUAL(tb, a, b) crm_uuid_equal(&(a), &(b))
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The moves that were taken back, by deal and number. */
typedef struct UndoneKey
{
	pg_uuid_t	deal_id;
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
#define SH_HASH_KEY(tb, k) murmurhash32(crm_replay_hash((tb)->private_data, &(k).deal_id, 0) ^ (k).move_no)
#define SH_EQUAL(tb, a, b) ((a).move_no == (b).move_no && crm_uuid_equal(&(a).deal_id, &(b).deal_id))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The deals themselves, which stay where they are while the hash table grows. */
typedef struct DealChunk
{
	struct DealChunk *next;
	uint32		count;
	char		deals[FLEXIBLE_ARRAY_MEMBER];
} DealChunk;

#define CHUNK_DEALS 256

typedef struct LifeNode
{
	struct LifeNode *next;
	ReplayDeal *deal;
	ReplayLife	life;
} LifeNode;

static ReplayDeal *
new_deal(Replay *replay, const pg_uuid_t *id)
{
	DealChunk  *chunk = replay->chunks;
	ReplayDeal *deal;

	if (chunk == NULL || chunk->count == CHUNK_DEALS)
	{
		chunk = MemoryContextAllocZero(replay->context, offsetof(DealChunk, deals) +
									   CHUNK_DEALS * replay->user->deal_size);
		chunk->next = replay->chunks;
		replay->chunks = chunk;
	}
	deal = (ReplayDeal *) (chunk->deals + chunk->count++ * replay->user->deal_size);
	deal->id = *id;
	return deal;
}

static ReplayDeal *
get_deal(Replay *replay, const pg_uuid_t *id)
{
	bool		found;
	DealEntry  *entry = replay_deals_insert(replay->deals, *id, &found);

	if (!found)
		entry->deal = new_deal(replay, id);
	return entry->deal;
}

static void
receive_undone(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	const pg_uuid_t *deal_id;
	UndoneKey	key;
	UndoneEntry *entry;
	int32		reverted_by;
	bool		found;

	if (!crm_replay_get_undone(row, &deal_id, &key.move_no, &reverted_by))
		return;
	key.deal_id = *deal_id;
	get_deal(replay, deal_id)->has_undone = true;
	entry = replay_undone_insert(replay->undone, key, &found);
	if (!found || reverted_by < entry->reverted_by)
		entry->reverted_by = reverted_by;
}

static void
receive_edit(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	const pg_uuid_t *deal_id;
	ReplayEdit	edit;
	ReplayDeal *deal;

	if (!crm_replay_get_edit(row, &deal_id, &edit))
		return;
	deal = get_deal(replay, deal_id);
	if (edit.change == REPLAY_DELETED || edit.change == REPLAY_RESTORED)
	{
		LifeNode   *node = crm_replay_alloc(replay, sizeof(LifeNode));

		node->deal = deal;
		node->life.order = edit.order;
		node->life.is_deleted = edit.change == REPLAY_DELETED;
		node->life.place = edit.place;
		node->next = replay->life_nodes;
		replay->life_nodes = node;
		deal->nlives++;
		deal->is_relevant |= edit.place.is_here;
	}
	replay->user->edit(replay, deal, &edit);
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
			deal->lives = MemoryContextAllocHuge(replay->context, deal->nlives * sizeof(ReplayLife));
			deal->nlives = 0;
		}
		deal->lives[deal->nlives++] = node->life;
	}
	for (LifeNode *node = replay->life_nodes; node != NULL; node = node->next)
	{
		ReplayDeal *deal = node->deal;

		CHECK_FOR_INTERRUPTS();
		if (deal->is_done)
			continue;
		qsort(deal->lives, deal->nlives, sizeof(ReplayLife), compare_lives);
		deal->is_done = true;
	}
	for (LifeNode *node = replay->life_nodes; node != NULL; node = node->next)
		node->deal->is_done = false;
}

/* Which life a move is of: the number of the first coming or going after it. */
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
 * Whether the move happened in that life: not before a deal was put back,
 * though it is said so, as it was not there then.
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
	UndoneKey	key = {deal->id, move_no};
	const UndoneEntry *entry;

	if (!deal->has_undone)
		return false;
	entry = replay_undone_lookup(replay->undone, key);
	return entry != NULL && life_of_move(deal, entry->reverted_by) == life;
}

static void
receive_move(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	const pg_uuid_t *deal_id;
	ReplayMove	move;
	ReplayDeal *deal;
	uint32		life;

	if (!crm_replay_get_move(row, &deal_id, &move))
		return;
	deal = get_deal(replay, deal_id);
	life = life_of_move(deal, move.order.move_no);
	if (!is_in_life(deal, life, move.order.at) ||
		is_undone(replay, deal, life, move.order.move_no))
		return;
	deal->is_relevant = true;
	if (life == 0 && (!deal->has_stay || crm_replay_compare(&move.order, &deal->stay_ended) < 0))
	{
		deal->has_stay = true;
		deal->stay_ended = move.order;
		deal->stay = move.place;
	}
	if (replay->user->move != NULL)
		replay->user->move(replay, deal, &move);
}

/* A deal as it is now: that nothing happened to, or after all that did. */
static void
receive_deal(TupleTableSlot *row, void *arg)
{
	Replay	   *replay = arg;
	const pg_uuid_t *deal_id;
	ReplayPresent present;
	DealEntry  *entry;
	ReplayDeal *deal;

	if (!crm_replay_get_deal(row, &deal_id, &present))
		return;
	entry = replay_deals_lookup(replay->deals, *deal_id);
	deal = entry != NULL ? entry->deal : NULL;
	if (deal != NULL)
		deal->is_done = true;
	replay->user->deal(replay, deal, &present);
}

/* The deals that were here, but are not in the pipeline now. */
static void
visit_other_deals(Replay *replay, void (*visit) (Replay *, ReplayDeal *, ArrayBuildState **),
				  ArrayBuildState **arg)
{
	for (DealChunk *chunk = replay->chunks; chunk != NULL; chunk = chunk->next)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < chunk->count; i++)
		{
			ReplayDeal *deal = (ReplayDeal *) (chunk->deals + i * replay->user->deal_size);

			if (deal->is_relevant && !deal->is_done)
				visit(replay, deal, arg);
		}
	}
}

static void
collect_id(Replay *replay, ReplayDeal *deal, ArrayBuildState **ids)
{
	*ids = accumArrayResult(*ids, UUIDPGetDatum(&deal->id), false, UUIDOID, replay->context);
}

/*
 * What is no more was deleted, or is hidden: who sees some of the deals only is
 * not told of those that nobody can be asked about.
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

	replay->query = *query;
	replay->user = user;
	replay->arg = arg;
	replay->context = AllocSetContextCreate(CurrentMemoryContext, "crm replay",
											ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < lengthof(replay->seed); i++)
		replay->seed[i] = pg_prng_uint64(&pg_global_prng_state);
	replay->deals = replay_deals_create(replay->context, 1024, replay);
	replay->undone = replay_undone_create(replay->context, 16, replay);
	return replay;
}

void *
crm_replay_alloc(Replay *replay, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (replay->room_left < size)
	{
		replay->room_left = 64 * 1024;
		replay->room = MemoryContextAlloc(replay->context, replay->room_left);
	}
	result = replay->room;
	replay->room += size;
	replay->room_left -= size;
	return result;
}

void
crm_replay_run(Replay *replay)
{
	ArrayBuildState *ids = NULL;

	crm_replay_read(replay, REPLAY_READ_UNDONE, (Datum) 0, receive_undone);
	crm_replay_read(replay, REPLAY_READ_EDITS, (Datum) 0, receive_edit);
	arrange_lives(replay);
	crm_replay_read(replay, REPLAY_READ_MOVES, (Datum) 0, receive_move);
	crm_replay_read(replay, REPLAY_READ_DEALS, (Datum) 0, receive_deal);
	visit_other_deals(replay, collect_id, &ids);
	if (ids != NULL)
		crm_replay_read(replay, REPLAY_READ_OTHER_DEALS,
						makeArrayResult(ids, replay->context), receive_deal);
	visit_other_deals(replay, finish_deal, NULL);
}
