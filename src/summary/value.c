/*
 * summary/value.c
 *		crm_summary in memory: its two forms, lookup, growth, merging.
 *
 * A working summary is changed in place.  When it is full, crm_summary_insert()
 * makes a larger one in the current memory context and does not free the old
 * one: an aggregate's transition function returns the new pointer, and the
 * executor copies it to the aggregate's context and frees the old one.  As the
 * size doubles each time, that costs a constant per entry and nothing per row.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "summary/summary.h"

#define MIN_SLOTS	2			/* one entry: most groups have few */
#define MAX_SLOTS	(1 << 24)	/* the largest that fits MaxAllocSize */

#define STORED_SIZE(nentries)	(sizeof(CrmSummary) + (Size) (nentries) * sizeof(SummaryEntry))

static Size
working_size(uint32 nslots)
{
	return offsetof(WorkingSummary, entries) +
		crm_summary_capacity(nslots) * sizeof(SummaryEntry) + nslots * sizeof(uint32);
}

static void
too_many_keys(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("crm_summary has too many combinations of stage, currency and value period"),
			 errhint("Group the rows, so that a summary has fewer of them.")));
}

/* ERROR 22003: a count or a sum does not fit. */
pg_noinline void
crm_summary_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("crm_summary out of range"),
			 errdetail("A count exceeds 64 bits or a sum 128 bits.")));
}

/*
 * A hash of a key, by a multiplication to 128 bits.  Both halves of the product
 * depend on all bits of both words, as ids may differ in a few bits anywhere.
 * With the seed unknown, nobody can choose keys that collide: not by the stage,
 * nor by making up in it for another currency.
 */
static inline uint64
hash_key(const uint64 *seed, const SummaryKey *key)
{
	uint64		a = key->stage[0] ^ (key->rest * (seed[1] | 1));
	uint128		product = (uint128) (a ^ seed[0]) * (key->stage[1] ^ seed[1]);

	return (uint64) product ^ (uint64) (product >> 64);
}

/* The slot that holds the key, or else the free slot where it is to be put. */
static inline uint32 *
find_slot(WorkingSummary *summary, const SummaryKey *key)
{
	uint32	   *slots = crm_summary_slots(summary);
	uint32		mask = summary->nslots - 1;
	uint32		i = (uint32) hash_key(summary->seed, key) & mask;

	while (slots[i] != 0 &&
		   !crm_summary_keys_equal(&summary->entries[slots[i] - 1].key, key))
		i = (i + 1) & mask;
	return &slots[i];
}

/* An empty working summary in the current memory context. */
static WorkingSummary *
allocate_working(uint32 nslots)
{
	WorkingSummary *summary;

	if (nslots > MAX_SLOTS)
		too_many_keys();
	summary = palloc0(working_size(nslots));
	SET_VARSIZE(summary, working_size(nslots));
	summary->head.form = SUMMARY_WORKING;
	summary->nslots = nslots;
	for (int i = 0; i < lengthof(summary->seed); i++)
		summary->seed[i] = pg_prng_uint64(&pg_global_prng_state);
	return summary;
}

/* A stored summary with room for that many entries, which the caller fills in. */
static CrmSummary *
allocate_stored(uint64 nentries, SummaryEntry **entries)
{
	CrmSummary *summary;

	if (nentries > (MaxAllocSize - sizeof(CrmSummary)) / sizeof(SummaryEntry))
		too_many_keys();
	summary = palloc(STORED_SIZE(nentries));
	memset(summary, 0, sizeof(CrmSummary));
	SET_VARSIZE(summary, STORED_SIZE(nentries));
	summary->form = SUMMARY_STORED;
	*entries = (SummaryEntry *) (summary + 1);
	return summary;
}

/* Appends an entry, for which there must be room, and whose key must be new. */
static SummaryEntry *
append(WorkingSummary *summary, uint32 *slot, const SummaryKey *key)
{
	SummaryEntry *entry = &summary->entries[summary->nentries];

	Assert(summary->nentries < crm_summary_capacity(summary->nslots));
	memset(entry, 0, sizeof(SummaryEntry));
	entry->key = *key;
	*slot = ++summary->nentries;
	return entry;
}

/* Copies all entries that are not zero to a working summary, which has room for them. */
static void
copy_entries(WorkingSummary *to, const SummaryView *from)
{
	SummaryEntry entry;

	for (uint32 i = 0; i < from->nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		crm_summary_view_entry(from, i, &entry);
		if (!crm_summary_entry_is_zero(&entry))
			*append(to, find_slot(to, &entry.key), &entry.key) = entry;
	}
	crm_summary_check(to);
}

/* An empty working summary in the current memory context. */
WorkingSummary *
crm_summary_new(void)
{
	return allocate_working(MIN_SLOTS);
}

/* A working summary of the same entries, in the current memory context. */
WorkingSummary *
crm_summary_from_view(const SummaryView *view)
{
	uint32		nslots = MIN_SLOTS;
	WorkingSummary *summary;

	while (nslots <= MAX_SLOTS && crm_summary_capacity(nslots) < view->nentries)
		nslots *= 2;
	summary = allocate_working(nslots);
	copy_entries(summary, view);
	return summary;
}

/*
 * A copy of a working summary with room for more entries.  Those that have become
 * zero are dropped; it is made twice as large only if they were less than half,
 * so that a moving window, where keys come and go, does not grow without end.
 */
static WorkingSummary *
grow(const WorkingSummary *old)
{
	SummaryView view = {old->nentries, (const char *) old->entries};
	uint32		nonzero = 0;
	WorkingSummary *summary;

	for (uint32 i = 0; i < old->nentries; i++)
		nonzero += !crm_summary_entry_is_zero(&old->entries[i]);
	summary = allocate_working(nonzero > old->nentries / 2 ? old->nslots * 2 : old->nslots);
	copy_entries(summary, &view);
	return summary;
}

/*
 * The entry of a key, added if there is none.  May replace *summary by a larger
 * copy in the current memory context.
 */
SummaryEntry *
crm_summary_insert(WorkingSummary **summary, const SummaryKey *key)
{
	uint32	   *slot = find_slot(*summary, key);

	if (likely(*slot != 0))
		return &(*summary)->entries[*slot - 1];

	if ((*summary)->nentries == crm_summary_capacity((*summary)->nslots))
	{
		*summary = grow(*summary);
		slot = find_slot(*summary, key);
	}
	return append(*summary, slot, key);
}

static void
report_damage(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("crm_summary is damaged"),
			 errdetail_internal("%s", detail),
			 errhint("Compute it anew.")));
}

/* Checks the entries of a stored summary if sorted, else those of a working one. */
static void
check_entries(const SummaryView *view, bool sorted)
{
	SummaryEntry entry;
	SummaryKey	last;

	for (uint32 i = 0; i < view->nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		crm_summary_view_entry(view, i, &entry);
		if (!crm_summary_key_valid(&entry.key))
			report_damage("A key is invalid.");
		if (sorted && crm_summary_entry_is_zero(&entry))
			report_damage("An entry is zero.");
		if (sorted && i > 0 && crm_summary_compare_keys(&last, &entry.key) >= 0)
			report_damage("Its entries are not in ascending order.");
		last = entry.key;
	}
}

/* The entries of a stored summary of that size, without the length word. */
static SummaryView
read_stored(const char *data, Size size)
{
	Size		header = sizeof(CrmSummary) - VARHDRSZ;
	SummaryView view;

	view.nentries = (size - header) / sizeof(SummaryEntry);
	view.entries = data + header;
	if ((size - header) % sizeof(SummaryEntry) != 0)
		report_damage("It ends within an entry.");
	check_entries(&view, true);
	return view;
}

/* The entries of a working summary.  Its slots are not used, so not looked at. */
static SummaryView
read_working(const char *data, Size size)
{
	Size		header = offsetof(WorkingSummary, entries) - VARHDRSZ;
	SummaryView view;

	if (size < header)
		report_damage("It is too short.");
	memcpy(&view.nentries, data + offsetof(WorkingSummary, nentries) - VARHDRSZ,
		   sizeof(view.nentries));
	view.entries = data + header;
	if (view.nentries > (size - header) / sizeof(SummaryEntry))
		report_damage("It is too short.");
	check_entries(&view, false);
	return view;
}

/*
 * The entries of a crm_summary of either form, in place; a toasted one is fetched
 * into the current memory context.
 */
static SummaryView
read_summary(Datum summary, int *form)
{
	struct varlena *raw = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(summary));
	const char *data = VARDATA_ANY(raw);
	Size		size = VARSIZE_ANY_EXHDR(raw);

	*form = size >= sizeof(CrmSummary) - VARHDRSZ ? data[0] : 0;
	if (*form == SUMMARY_STORED)
		return read_stored(data, size);
	if (*form == SUMMARY_WORKING)
		return read_working(data, size);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("crm_summary has an unknown form %d", *form),
			 errhint("It may have been written by a later version of the extension.")));
	return (SummaryView)
	{
		0, NULL
	};							/* not reached */
}

/* The entries of a crm_summary in any order; some may be zero. */
SummaryView
crm_summary_view(Datum summary)
{
	int			form;

	return read_summary(summary, &form);
}

/* The entries of a crm_summary in canonical order, none zero. */
SummaryView
crm_summary_sorted_view(Datum summary)
{
	int			form;
	SummaryView view = read_summary(summary, &form);

	if (form != SUMMARY_STORED)
		view = read_summary(PointerGetDatum(crm_summary_store(&view)), &form);
	return view;
}

static int
compare_entries(const void *a, const void *b, void *arg)
{
	return crm_summary_compare_keys(&((const SummaryEntry *) a)->key,
									&((const SummaryEntry *) b)->key);
}

/* The stored form of the same entries, in the current memory context. */
CrmSummary *
crm_summary_store(const SummaryView *view)
{
	SummaryEntry *entries;
	SummaryEntry *end;
	CrmSummary *summary = allocate_stored(view->nentries, &entries);

	end = entries;
	for (uint32 i = 0; i < view->nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		crm_summary_view_entry(view, i, end);
		if (!crm_summary_entry_is_zero(end))
			end++;
	}
	qsort_interruptible(entries, end - entries, sizeof(SummaryEntry), compare_entries, NULL);
	for (SummaryEntry *entry = entries + 1; entry < end; entry++)
	{
		if (crm_summary_keys_equal(&entry[-1].key, &entry->key))
			report_damage("Two entries have the same key.");
	}
	SET_VARSIZE(summary, STORED_SIZE(end - entries));
	crm_summary_check(summary);
	return summary;
}

/*
 * The sum or the difference (a - b) of two sorted views, in stored form, in
 * the current memory context.
 */
CrmSummary *
crm_summary_merge_views(const SummaryView *a, const SummaryView *b, bool subtract)
{
	SummaryEntry *entries;
	SummaryEntry *end;
	CrmSummary *summary = allocate_stored((uint64) a->nentries + b->nentries, &entries);
	uint32		i = 0;
	uint32		j = 0;

	end = entries;
	while (i < a->nentries || j < b->nentries)
	{
		SummaryEntry from_a;
		SummaryEntry from_b;
		int			order = 0;

		CHECK_FOR_INTERRUPTS();
		if (i < a->nentries)
			crm_summary_view_entry(a, i, &from_a);
		else
			order = 1;
		if (j < b->nentries)
			crm_summary_view_entry(b, j, &from_b);
		else
			order = -1;
		if (order == 0)
			order = crm_summary_compare_keys(&from_a.key, &from_b.key);

		memset(end, 0, sizeof(SummaryEntry));
		end->key = order <= 0 ? from_a.key : from_b.key;
		if (order <= 0)
		{
			crm_summary_add_entry(end, &from_a);
			i++;
		}
		if (order >= 0)
		{
			if (subtract)
				crm_summary_subtract_entry(end, &from_b);
			else
				crm_summary_add_entry(end, &from_b);
			j++;
		}
		if (!crm_summary_entry_is_zero(end))
			end++;
	}
	SET_VARSIZE(summary, STORED_SIZE(end - entries));
	crm_summary_check(summary);
	return summary;
}

#ifdef USE_ASSERT_CHECKING

static void
check_stored(const CrmSummary *summary)
{
	const SummaryEntry *entries = (const SummaryEntry *) (summary + 1);
	uint32		nentries = (VARSIZE(summary) - sizeof(CrmSummary)) / sizeof(SummaryEntry);

	Assert(VARSIZE(summary) == STORED_SIZE(nentries));
	for (uint32 i = 0; i < nentries; i++)
	{
		Assert(crm_summary_key_valid(&entries[i].key));
		Assert(!crm_summary_entry_is_zero(&entries[i]));
		Assert(i == 0 ||
			   crm_summary_compare_keys(&entries[i - 1].key, &entries[i].key) < 0);
	}
}

static void
check_working(WorkingSummary *summary)
{
	uint32	   *slots = crm_summary_slots(summary);
	uint32		used = 0;

	Assert(VARSIZE(summary) == working_size(summary->nslots));
	Assert(summary->nslots >= MIN_SLOTS && summary->nslots <= MAX_SLOTS);
	Assert((summary->nslots & (summary->nslots - 1)) == 0);
	Assert(summary->nentries <= crm_summary_capacity(summary->nslots));
	for (uint32 i = 0; i < summary->nentries; i++)
	{
		Assert(crm_summary_key_valid(&summary->entries[i].key));
		Assert(*find_slot(summary, &summary->entries[i].key) == i + 1);
	}
	for (uint32 i = 0; i < summary->nslots; i++)
		used += slots[i] != 0;
	Assert(used == summary->nentries);
}

/* Asserts every invariant of a summary in memory, of either form. */
void
crm_summary_check(const void *summary)
{
	const CrmSummary *head = summary;

	Assert(VARATT_IS_4B_U(head));
	Assert(head->unused[0] == 0 && head->unused[1] == 0 && head->unused[2] == 0);
	if (head->form == SUMMARY_STORED)
		check_stored(head);
	else
	{
		Assert(head->form == SUMMARY_WORKING);
		check_working((WorkingSummary *) summary);
	}
}

#endif							/* USE_ASSERT_CHECKING */
