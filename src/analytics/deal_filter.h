/*
 * analytics/deal_filter.h
 *		Which deals are surely not in a set: a Bloom filter.
 *
 * Each deal has two bits in one word, so that a look-up reads one word.  The filter has a
 * fixed size, small enough for the processor's cache: the more deals are in it, the more
 * others are taken for one of them.
 */
#ifndef CRM_ANALYTICS_DEAL_FILTER_H
#define CRM_ANALYTICS_DEAL_FILTER_H

typedef struct DealFilter
{
	uint64	   *words;
	uint32		mask;			/* number of words, a power of two, less 1 */
} DealFilter;

#define DEAL_FILTER_BITS		17
#define DEAL_FILTER_SMALL_BITS	8

/* An empty one in that memory context; is_small: the deals are few. */
static inline void
crm_deal_filter_init(DealFilter *filter, MemoryContext context, bool is_small)
{
	uint32		nwords = 1U << (is_small ? DEAL_FILTER_SMALL_BITS : DEAL_FILTER_BITS);

	filter->words = MemoryContextAllocZero(context, nwords * sizeof(uint64));
	filter->mask = nwords - 1;
}

static inline uint64
crm_deal_filter_bits(uint32 hash)
{
	return UINT64CONST(1) << (hash >> DEAL_FILTER_BITS) % 64 |
		UINT64CONST(1) << (hash >> (DEAL_FILTER_BITS + 6)) % 64;
}

static inline void
crm_deal_filter_add(DealFilter *filter, uint32 hash)
{
	filter->words[hash & filter->mask] |= crm_deal_filter_bits(hash);
}

static inline bool
crm_deal_filter_may_have(const DealFilter *filter, uint32 hash)
{
	return (~filter->words[hash & filter->mask] & crm_deal_filter_bits(hash)) == 0;
}

#endif							/* CRM_ANALYTICS_DEAL_FILTER_H */
