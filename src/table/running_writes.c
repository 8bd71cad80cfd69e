/*
 * table/running_writes.c
 *		Statements that are writing to deals and have not ended yet.
 *
 * INSERT and UPDATE make themselves known through the BEFORE trigger of the
 * rows.  DELETE and TRUNCATE need not: from their first row on they have AFTER
 * triggers pending, those of the foreign keys at least.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table/running_writes.h"

typedef struct RunningWrite
{
	Oid			deals;
	bool		ids_given;
	struct RunningWrite *next;
	MemoryContextCallback ended;
} RunningWrite;

static RunningWrite *running_writes = NULL;

/* The memory of the statement goes, whether it succeeded or failed. */
static void
forget(void *arg)
{
	RunningWrite **link = &running_writes;

	while (*link != arg)
		link = &(*link)->next;
	*link = (*link)->next;
}

void
crm_note_running_write(Oid deals, MemoryContext statement)
{
	RunningWrite *write = MemoryContextAlloc(statement, sizeof(RunningWrite));

	write->deals = deals;
	write->ids_given = false;
	write->next = running_writes;
	write->ended.func = forget;
	write->ended.arg = write;
	MemoryContextRegisterResetCallback(statement, &write->ended);
	running_writes = write;
}

void
crm_note_given_id(Oid deals)
{
	/*
	 * the innermost statement that writes to the table is the one that
	 * inserts
	 */
	for (RunningWrite *write = running_writes; write != NULL; write = write->next)
	{
		if (write->deals == deals)
		{
			write->ids_given = true;
			return;
		}
	}
}

bool
crm_ids_were_given(void)
{
	for (const RunningWrite *write = running_writes; write != NULL; write = write->next)
	{
		if (write->ids_given)
			return true;
	}
	return false;
}

bool
crm_write_is_running(Relation deals)
{
	for (const RunningWrite *write = running_writes; write != NULL; write = write->next)
	{
		if (write->deals == RelationGetRelid(deals))
			return true;
	}
	return AfterTriggerPendingOnRel(RelationGetRelid(deals));
}
