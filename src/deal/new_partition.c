/*
 * deal/new_partition.c
 *		A deal that an UPDATE moves to another partition.
 *
 * The server deletes the row from the old partition, inserts it into the new one, and
 * fires the triggers of DELETE and INSERT.  The rules of UPDATE have judged the row
 * before, so the INSERT takes it as it is.  Such an INSERT is recognized by the
 * statement, and by what the rules have just given the row: its version and the time.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/uuid.h"
#include "deal/deal.h"

/* The row of a partition that was updated last, while its statement runs. */
static struct
{
	MemoryContext statement;	/* NULL: none */
	pg_uuid_t	id;
	int32		version;
	TimestampTz updated_at;
}			last_update;

static void
forget(void *statement)
{
	if (last_update.statement == statement)
		last_update.statement = NULL;
}

static bool
is_noted(const DealWrite *deal, MemoryContext statement)
{
	return last_update.statement == statement &&
		!deal_is_null(deal, DEAL_ID) &&
		!deal_is_null(deal, DEAL_VERSION) &&
		!deal_is_null(deal, DEAL_UPDATED_AT) &&
		crm_uuid_equal(&last_update.id, DatumGetUUIDP(deal_get(deal, DEAL_ID))) &&
		last_update.version == DatumGetInt32(deal_get(deal, DEAL_VERSION)) &&
		last_update.updated_at == DatumGetTimestampTz(deal_get(deal, DEAL_UPDATED_AT));
}

void
crm_deal_note_update(const DealWrite *deal, MemoryContext statement)
{
	if (!deal->row.rel->rd_rel->relispartition)
		return;
	if (last_update.statement != statement)
	{
		MemoryContextCallback *callback;

		callback = MemoryContextAlloc(statement, sizeof(MemoryContextCallback));
		callback->func = forget;
		callback->arg = statement;
		MemoryContextRegisterResetCallback(statement, callback);
	}
	last_update.statement = statement;
	last_update.id = *DatumGetUUIDP(deal_get(deal, DEAL_ID));
	last_update.version = DatumGetInt32(deal_get(deal, DEAL_VERSION));
	last_update.updated_at = DatumGetTimestampTz(deal_get(deal, DEAL_UPDATED_AT));
}

bool
crm_deal_comes_from_partition(const DealWrite *deal, MemoryContext statement)
{
	return deal->row.rel->rd_rel->relispartition && is_noted(deal, statement);
}
