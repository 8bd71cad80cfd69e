/*
 * totals/sums.c
 *		The sums of deals, by tenant and pipeline.
 *
 * The sums themselves are a crm_summary for each pipeline.  A statement
 * mostly touches one pipeline, or one after the other, so the last one is at
 * hand and only further ones are hashed.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/uuid.h"
#include "table/trigger.h"
#include "totals/sums.h"

struct DealTotals
{
	Relation	deals;
	AttrNumber	columns[DEAL_NCOLUMNS];
	AttrNumber	last_column;	/* the last one that counts */
	MemoryContext context;
	TotalsGroup *last;			/* NULL: no deals yet */
	TotalsGroup first;
	HTAB	   *others;
};

/* The columns that decide how a deal counts. */
static const DealColumn counted[] = {
	DEAL_STAGE_ID, DEAL_PIPELINE_ID, DEAL_TENANT_ID, DEAL_ARCHIVED_AT,
	DEAL_AMOUNT, DEAL_CURRENCY, DEAL_PROBABILITY, DEAL_VALUE_PERIOD
};

DealTotals *
crm_deal_totals_begin(Relation deals, const AttrNumber *columns)
{
	DealTotals *totals = palloc0(sizeof(DealTotals));

	totals->deals = deals;
	memcpy(totals->columns, columns, sizeof(totals->columns));
	for (int i = 0; i < lengthof(counted); i++)
		totals->last_column = Max(totals->last_column, columns[counted[i]]);
	totals->context = CurrentMemoryContext;
	return totals;
}

static inline bool
is_null(const DealTotals *totals, TupleTableSlot *deal, DealColumn column)
{
	return deal->tts_isnull[totals->columns[column] - 1];
}

static inline Datum
get(const DealTotals *totals, TupleTableSlot *deal, DealColumn column)
{
	return deal->tts_values[totals->columns[column] - 1];
}

static inline const pg_uuid_t *
get_uuid(const DealTotals *totals, TupleTableSlot *deal, DealColumn column)
{
	if (unlikely(is_null(totals, deal, column)))
		crm_check_not_null(totals->deals, crm_columns(totals->deals, &crm_deal_kind)[column], true);
	return DatumGetUUIDP(get(totals, deal, column));
}

static inline struct varlena *
get_text(const DealTotals *totals, TupleTableSlot *deal, DealColumn column)
{
	return pg_detoast_datum_packed((struct varlena *) DatumGetPointer(get(totals, deal, column)));
}

/* A new group, or the one there is, for the tenant and pipeline of key. */
static TotalsGroup *
find_group(DealTotals *totals, const TotalsGroup *key)
{
	TotalsGroup *group = &totals->first;
	bool		found = totals->last != NULL;

	if (found && memcmp(group, key, TOTALS_KEY_SIZE) != 0)
	{
		if (totals->others == NULL)
		{
			HASHCTL		ctl = {0};

			ctl.keysize = TOTALS_KEY_SIZE;
			ctl.entrysize = sizeof(TotalsGroup);
			ctl.hcxt = totals->context;
			ctl.hash = crm_hash_ids;
			totals->others = hash_create("crm deal totals", 16, &ctl,
										 HASH_ELEM | HASH_FUNCTION | HASH_CONTEXT);
		}
		group = hash_search(totals->others, key, HASH_ENTER, &found);
	}
	if (!found)
	{
		memcpy(group, key, TOTALS_KEY_SIZE);
		group->summary = crm_summary_new();
	}
	return group;
}

/* The group that the deal belongs to. */
static inline TotalsGroup *
get_group(DealTotals *totals, TupleTableSlot *deal)
{
	TotalsGroup key;

	key.tenant_id = *get_uuid(totals, deal, DEAL_TENANT_ID);
	key.pipeline_id = *get_uuid(totals, deal, DEAL_PIPELINE_ID);
	if (totals->last == NULL || memcmp(totals->last, &key, TOTALS_KEY_SIZE) != 0)
		totals->last = find_group(totals, &key);
	return totals->last;
}

/* What the deal adds; as crm_pipeline_summary() has it. */
static inline void
get_entry(const DealTotals *totals, TupleTableSlot *deal, SummaryEntry *entry)
{
	struct varlena *text;
	int128		probability = 0;

	memcpy(entry->key.stage, get_uuid(totals, deal, DEAL_STAGE_ID), UUID_LEN);
	entry->key.rest = CRM_ONE_TIME;
	if (!is_null(totals, deal, DEAL_VALUE_PERIOD))
	{
		text = get_text(totals, deal, DEAL_VALUE_PERIOD);

		entry->key.rest = crm_summary_period_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
	if (is_null(totals, deal, DEAL_CURRENCY))
		entry->key.rest |= SUMMARY_NO_CURRENCY;
	else
	{
		text = get_text(totals, deal, DEAL_CURRENCY);

		entry->key.rest |= crm_summary_currency_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}

	entry->deals = 1;
	entry->deals_without_amount = is_null(totals, deal, DEAL_AMOUNT);
	entry->deals_without_probability = is_null(totals, deal, DEAL_PROBABILITY);
	entry->value = 0;
	if (!is_null(totals, deal, DEAL_AMOUNT))
		entry->value = crm_amount_to_fixed(get(totals, deal, DEAL_AMOUNT));
	if (!is_null(totals, deal, DEAL_PROBABILITY))
		probability = crm_probability_to_fixed(get(totals, deal, DEAL_PROBABILITY));
	entry->weighted_value = entry->value * probability;
}

static inline void
count(DealTotals *totals, TupleTableSlot *deal, bool out)
{
	MemoryContext caller;
	TotalsGroup *group;
	SummaryEntry entry;
	SummaryEntry *sum;

	slot_getsomeattrs(deal, totals->last_column);
	if (!is_null(totals, deal, DEAL_ARCHIVED_AT))
		return;

	caller = MemoryContextSwitchTo(totals->context);
	group = get_group(totals, deal);
	get_entry(totals, deal, &entry);
	sum = crm_summary_insert(&group->summary, &entry.key);
	if (out)
		crm_summary_subtract_entry(sum, &entry);
	else
		crm_summary_add_entry(sum, &entry);
	MemoryContextSwitchTo(caller);
}

void
crm_deal_totals_add(DealTotals *totals, TupleTableSlot *deal)
{
	count(totals, deal, false);
}

void
crm_deal_totals_subtract(DealTotals *totals, TupleTableSlot *deal)
{
	count(totals, deal, true);
}

/*
 * Whether both rows have a column in the same bytes.  Equal values may differ
 * in theirs; that costs time and no more.
 */
static inline bool
same_bytes(const DealTotals *totals, TupleTableSlot *a, TupleTableSlot *b, DealColumn column)
{
	const char *in_a,
			   *in_b;
	Size		size = UUID_LEN;

	if (is_null(totals, a, column) || is_null(totals, b, column))
		return is_null(totals, a, column) && is_null(totals, b, column);
	if (column == DEAL_ARCHIVED_AT)
		return true;			/* when it was does not matter */

	in_a = DatumGetPointer(get(totals, a, column));
	in_b = DatumGetPointer(get(totals, b, column));
	if (column != DEAL_STAGE_ID && column != DEAL_PIPELINE_ID && column != DEAL_TENANT_ID)
	{
		size = VARSIZE_ANY(in_a);
		if (size != VARSIZE_ANY(in_b))
			return false;
	}
	return memcmp(in_a, in_b, size) == 0;
}

void
crm_deal_totals_replace(DealTotals *totals, TupleTableSlot *old_deal, TupleTableSlot *new_deal)
{
	slot_getsomeattrs(old_deal, totals->last_column);
	slot_getsomeattrs(new_deal, totals->last_column);
	for (int i = 0; i < lengthof(counted); i++)
	{
		if (same_bytes(totals, old_deal, new_deal, counted[i]))
			continue;
		count(totals, old_deal, true);
		count(totals, new_deal, false);
		return;
	}
}

void
crm_deal_totals_visit(const DealTotals *totals, TotalsVisitor visit, void *arg)
{
	if (totals->last != NULL)
		visit(&totals->first, arg);
	if (totals->others != NULL)
	{
		HASH_SEQ_STATUS status;
		TotalsGroup *group;

		hash_seq_init(&status, totals->others);
		while ((group = hash_seq_search(&status)) != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			visit(group, arg);
		}
	}
}

static void
look_for_entry(const TotalsGroup *group, void *arg)
{
	bool	   *zero = arg;

	CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; *zero && i < group->summary->nentries; i++)
		*zero = crm_summary_entry_is_zero(&group->summary->entries[i]);
}

bool
crm_deal_totals_are_zero(const DealTotals *totals)
{
	bool		zero = true;

	crm_deal_totals_visit(totals, look_for_entry, &zero);
	return zero;
}
