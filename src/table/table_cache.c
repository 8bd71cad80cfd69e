/*
 * table/table_cache.c
 *		Facts about tables, kept for the session until the table is altered.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table/table_cache.h"

typedef struct FactsKey
{
	Oid			relid;
	uint32		padding;		/* the key is hashed as bytes */
	const void *kind;
} FactsKey;

typedef struct FactsEntry
{
	FactsKey	key;
	bool		valid;
	uint32		nchanges;		/* how many times the table changed so far */
	void	   *data;			/* NULL: nothing is known yet */
} FactsEntry;

static HTAB *facts_entries = NULL;

static void
invalidate_tables(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	FactsEntry *entry;

	hash_seq_init(&status, facts_entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->key.relid == relid)
		{
			entry->valid = false;
			entry->nchanges++;
		}
	}
}

static void
create_facts_entries(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(FactsKey);
	ctl.entrysize = sizeof(FactsEntry);
	facts_entries = hash_create("crm table facts", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(invalidate_tables, (Datum) 0);
}

void *
crm_table_facts(Relation rel, const void *kind, Size size, FactsFinder find)
{
	FactsKey	key = {.relid = RelationGetRelid(rel),.kind = kind};
	FactsEntry *entry;
	bool		found;
	uint32		nchanges;

	if (facts_entries == NULL)
		create_facts_entries();
	entry = hash_search(facts_entries, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->valid = false;
		entry->nchanges = 0;
		entry->data = NULL;
	}
	if (entry->valid)
		return entry->data;

	if (entry->data == NULL)
		entry->data = MemoryContextAllocZero(TopMemoryContext, size);
	/* The table's statistics, at least, may change while it is looked at. */
	nchanges = entry->nchanges;
	find(rel, kind, entry->data);
	entry->valid = entry->nchanges == nchanges;
	return entry->data;
}
