/*
 * summary/summary.h
 *		crm_summary: a map (stage, currency, value_period) -> deals, deals
 *		without an amount, deals without a probability, value, weighted value; all
 *		of them exact.
 *
 * A crm_summary is a varlena in one of two forms:
 *
 * stored: only the entries, in ascending order of their keys, none of them all
 * zero.  Equal summaries are equal bytes.
 *
 * working: the form that an aggregate changes in place.  The entries in the
 * order of their arrival, room for more, and a hash table over them, whose seed is
 * with it: ids are chosen by clients, who could make them collide.  An entry
 * may be all zero.  It is a crm_summary like any other, so that parallel workers
 * (and nodes) pass it on without a serialisation function; every reader takes
 * both forms.  What a reader takes may be damaged, and is checked: ERROR XX001.
 *
 * Both are in the machine's byte order; between machines, the output of
 * crm_summary_send() is used.
 */
#ifndef CRM_SUMMARY_SUMMARY_H
#define CRM_SUMMARY_SUMMARY_H

#include "common/int.h"
#include "fmgr.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/money.h"
#include "table/trigger.h"

typedef enum CrmValuePeriod
{
	CRM_ONE_TIME,
	CRM_MONTHLY,
	CRM_QUARTERLY,
	CRM_ANNUAL
} CrmValuePeriod;

#define CRM_PERIODS		4

/*
 * The key: the uuid's bytes (zero if there is no stage), and a number whose
 * order is the order of keys: entries without a stage last, entries without a
 * currency last, then the currency's letters, then the period.
 */
typedef struct SummaryKey
{
	uint64		stage[2];
	uint64		rest;
} SummaryKey;

#define SUMMARY_NO_STAGE	(UINT64CONST(1) << 40)
#define SUMMARY_NO_CURRENCY	(UINT64CONST(1) << 32)

/* The letters of the currency at s, at their place in SummaryKey.rest. */
#define SUMMARY_CURRENCY(s) \
	(((uint64) (uint8) (s)[0] << 24) | ((uint64) (uint8) (s)[1] << 16) | \
	 ((uint64) (uint8) (s)[2] << 8))
#define SUMMARY_LETTER(rest, i)	((char) ((rest) >> (24 - 8 * (i))))
#define SUMMARY_IS_LETTER(c)	((c) >= 'A' && (c) <= 'Z')
#define SUMMARY_PERIOD(rest)	((int) ((rest) & 0xFF))

/* One entry; it has no padding, as whole entries are compared and hashed. */
typedef struct SummaryEntry
{
	SummaryKey	key;
	int64		deals;
	int64		deals_without_amount;
	int64		deals_without_probability;
	int128		value;			/* of CRM_AMOUNT_SCALE */
	int128		weighted_value; /* of CRM_WEIGHTED_SCALE */
} SummaryEntry;

StaticAssertDecl(sizeof(SummaryEntry) == 80, "SummaryEntry has padding");

#define SUMMARY_STORED		1
#define SUMMARY_WORKING		2

typedef struct CrmSummary
{
	int32		vl_len_;
	uint8		form;			/* SUMMARY_STORED or SUMMARY_WORKING */
	uint8		unused[3];		/* zero */
	/* stored form: SummaryEntry[] */
} CrmSummary;

typedef struct WorkingSummary
{
	CrmSummary	head;
	uint32		nentries;
	uint32		nslots;			/* a power of two */
	uint64		seed[2];		/* of the hash, random; no process needs
								 * another's */
	SummaryEntry entries[FLEXIBLE_ARRAY_MEMBER];
	/* as many as nslots allows, then uint32 slots[nslots] */
} WorkingSummary;

/* A quarter of the slots, at least one, stays free. */
static inline uint32
crm_summary_capacity(uint32 nslots)
{
	return nslots - Max(nslots / 4, 1);
}

/* A slot is 0 if it is free, else the number of an entry, counted from 1. */
static inline uint32 *
crm_summary_slots(WorkingSummary *summary)
{
	return (uint32 *) (summary->entries + crm_summary_capacity(summary->nslots));
}

/* The entries of a crm_summary of either form, wherever it lies. */
typedef struct SummaryView
{
	uint32		nentries;
	const char *entries;		/* possibly not aligned */
} SummaryView;

static inline void
crm_summary_view_entry(const SummaryView *view, uint32 i, SummaryEntry *entry)
{
	memcpy(entry, view->entries + (Size) i * sizeof(SummaryEntry), sizeof(SummaryEntry));
}

/* summary/key.c */
extern void crm_summary_refuse_currency(const char *currency, int len);
extern void crm_summary_refuse_period(const char *period, int len);
extern const char *crm_summary_period_name(const SummaryKey *key);
extern int	crm_summary_compare_keys(const SummaryKey *a, const SummaryKey *b);
extern bool crm_summary_key_valid(const SummaryKey *key);

static inline bool
crm_summary_keys_equal(const SummaryKey *a, const SummaryKey *b)
{
	return ((a->stage[0] ^ b->stage[0]) | (a->stage[1] ^ b->stage[1]) |
			(a->rest ^ b->rest)) == 0;
}

/* The part of SummaryKey.rest that stands for a currency; ERROR 22023. */
static inline uint64
crm_summary_currency_key(const char *currency, int len)
{
	if (unlikely(len != 3 || !SUMMARY_IS_LETTER(currency[0]) ||
				 !SUMMARY_IS_LETTER(currency[1]) || !SUMMARY_IS_LETTER(currency[2])))
		crm_summary_refuse_currency(currency, len);
	return SUMMARY_CURRENCY(currency);
}

/* The part of SummaryKey.rest that stands for a value period; ERROR 22023. */
static inline uint64
crm_summary_period_key(const char *period, int len)
{
	/*
	 * The lengths all differ; with a constant length, memcmp() is one
	 * comparison.
	 */
	if (likely(len == 8 && memcmp(period, "one_time", 8) == 0))
		return CRM_ONE_TIME;
	if (len == 7 && memcmp(period, "monthly", 7) == 0)
		return CRM_MONTHLY;
	if (len == 9 && memcmp(period, "quarterly", 9) == 0)
		return CRM_QUARTERLY;
	if (len == 6 && memcmp(period, "annual", 6) == 0)
		return CRM_ANNUAL;
	crm_summary_refuse_period(period, len);
	return 0;					/* not reached */
}

/* summary/operators.c: the columns of crm_summary_rows(), of an entry. */
#define SUMMARY_ROW_COLUMNS	8
extern void crm_summary_row(const SummaryEntry *entry, Datum *values, bool *nulls);

/* summary/value.c */
extern WorkingSummary *crm_summary_new(void);
extern WorkingSummary *crm_summary_from_view(const SummaryView *view);
extern SummaryEntry *crm_summary_insert(WorkingSummary **summary, const SummaryKey *key);
extern SummaryView crm_summary_view(Datum summary);
extern SummaryView crm_summary_sorted_view(Datum summary);
extern CrmSummary *crm_summary_store(const SummaryView *view);
extern CrmSummary *crm_summary_merge_views(const SummaryView *a, const SummaryView *b,
										   bool subtract);
extern void crm_summary_overflow(void);

/* Adds the counts and sums of 'from' to 'to', or subtracts them; ERROR 22003 on overflow. */
static inline void
crm_summary_add_entry(SummaryEntry *to, const SummaryEntry *from)
{
	if (unlikely(pg_add_s64_overflow(to->deals, from->deals, &to->deals) ||
				 pg_add_s64_overflow(to->deals_without_amount, from->deals_without_amount,
									 &to->deals_without_amount) ||
				 pg_add_s64_overflow(to->deals_without_probability,
									 from->deals_without_probability,
									 &to->deals_without_probability) ||
				 !crm_fixed_add(to->value, from->value, &to->value) ||
				 !crm_fixed_add(to->weighted_value, from->weighted_value,
								&to->weighted_value)))
		crm_summary_overflow();
}

static inline void
crm_summary_subtract_entry(SummaryEntry *to, const SummaryEntry *from)
{
	if (unlikely(pg_sub_s64_overflow(to->deals, from->deals, &to->deals) ||
				 pg_sub_s64_overflow(to->deals_without_amount, from->deals_without_amount,
									 &to->deals_without_amount) ||
				 pg_sub_s64_overflow(to->deals_without_probability,
									 from->deals_without_probability,
									 &to->deals_without_probability) ||
				 !crm_fixed_subtract(to->value, from->value, &to->value) ||
				 !crm_fixed_subtract(to->weighted_value, from->weighted_value,
									 &to->weighted_value)))
		crm_summary_overflow();
}

static inline bool
crm_summary_entry_is_zero(const SummaryEntry *entry)
{
	return entry->deals == 0 && entry->deals_without_amount == 0 &&
		entry->deals_without_probability == 0 && entry->value == 0 && entry->weighted_value == 0;
}

/* Asserts every invariant of a summary; does nothing without assertions. */
#ifdef USE_ASSERT_CHECKING
extern void crm_summary_check(const void *summary);
#else
#define crm_summary_check(summary) ((void) 0)
#endif

#endif							/* CRM_SUMMARY_SUMMARY_H */
