/*
 * history/origin.c
 *		Deals that are inserted: those that are new, and those that come back.
 *
 * The rules, which meet a row as it is written, know which it is; at the end
 * of the statement that can be told by the row's times, but for those of
 * object-relational mappers, which give created_at and updated_at.  The rules
 * note the ids of these.  What is noted of a statement that fails stays until
 * the transaction ends, and matters to nobody.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/uuid.h"
#include "history/origin.h"

static HTAB *new_deals = NULL;

bool
crm_deal_is_surely_new(TimestampTz created_at, TimestampTz stage_entered_at, TimestampTz updated_at)
{
	TimestampTz start = GetCurrentTransactionStartTimestamp();

	/* The default, or what the rules made of it. */
	return updated_at == start ||
		(updated_at > start && updated_at == created_at && updated_at == stage_entered_at);
}

static void
forget(void *arg)
{
	new_deals = NULL;
}

void
crm_note_new_deal(const pg_uuid_t *id)
{
	if (new_deals == NULL)
	{
		HASHCTL		ctl = {0};
		MemoryContextCallback *callback = MemoryContextAlloc(TopTransactionContext,
															 sizeof(MemoryContextCallback));

		ctl.keysize = UUID_LEN;
		ctl.entrysize = UUID_LEN;
		ctl.hcxt = TopTransactionContext;
		ctl.hash = crm_hash_ids;
		new_deals = hash_create("crm new deals", 64, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_CONTEXT);
		callback->func = forget;
		callback->arg = NULL;
		MemoryContextRegisterResetCallback(TopTransactionContext, callback);
	}
	(void) hash_search(new_deals, id, HASH_ENTER, NULL);
}

bool
crm_take_new_deal(const pg_uuid_t *id)
{
	return new_deals != NULL && hash_search(new_deals, id, HASH_REMOVE, NULL) != NULL;
}
