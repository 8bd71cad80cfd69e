/*
 * table/sql_writer.c
 *		Inserts rows into a table beside deals by SQL, many at a time.
 *
 * A batch becomes an array of records and one INSERT ... SELECT FROM unnest().
 * So the rows pass through all that the user's table can have: partitions,
 * statement triggers, rules, and on a sharded cluster the planner that knows
 * where the table is.  (An array for each column would be read by a function
 * each.)  A batch bounds the memory, whatever the size of the statement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/query.h"
#include "base/shard.h"
#include "table/owner_rights.h"
#include "table/sql_writer.h"

#define BATCH_SIZE 4096

struct SqlWriter
{
	Relation	deals;
	const InsertTarget *target;
	CrmStatement statement;
	TupleDesc	record;
	MemoryContext batch;
	int			nrows;
	Datum	   *records;
};

/* INSERT INTO ... SELECT, from an array of records. */
static char *
insert_query(const char *table, const InsertTarget *target, uint64 lacking)
{
	StringInfoData columns,
				values,
				definition;

	initStringInfo(&columns);
	initStringInfo(&values);
	initStringInfo(&definition);
	for (int i = 0; i < target->nfields; i++)
	{
		appendStringInfo(&definition, "%sc%d %s", i == 0 ? "" : ", ", i + 1,
						 format_type_be_qualified(target->fields[i].type));
		if (lacking & CRM_FIELD_BIT(i))
			continue;
		appendStringInfo(&columns, "%s%s", columns.len == 0 ? "" : ", ", target->fields[i].column);
		appendStringInfo(&values, "%sc%d", values.len == 0 ? "" : ", ", i + 1);
	}
	return psprintf("INSERT INTO %s (%s) SELECT %s FROM pg_catalog.unnest($1) AS u (%s)",
					table, columns.data, values.data, definition.data);
}

SqlWriter *
crm_sql_writer_begin(Relation deals, const InsertTarget *target)
{
	static const Oid argtypes[] = {RECORDARRAYOID};
	SqlWriter  *writer = palloc0(sizeof(SqlWriter));

	writer->deals = deals;
	writer->target = target;
	writer->statement = (CrmStatement)
	{
		.text = insert_query(crm_trusted_sibling(deals, target->table), target,
							 crm_lacking_fields_beside(deals, target)),
			.nargs = lengthof(argtypes),
			.argtypes = argtypes,
			.cursor_options = crm_generic_plan(deals)
	};
	writer->record = BlessTupleDesc(crm_target_row(target));
	writer->batch = AllocSetContextCreate(CurrentMemoryContext, "crm batch of rows",
										  ALLOCSET_DEFAULT_SIZES);
	return writer;
}

static void
write_batch(SqlWriter *writer)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->batch);
	Datum		array = PointerGetDatum(construct_array(writer->records, writer->nrows, RECORDOID,
														-1, false, TYPALIGN_DOUBLE));
	SavedUser	saved;

	crm_become_owner(writer->deals, &saved);
	crm_insert_kept(&writer->statement, &array, writer->target->table);
	crm_restore_user(&saved);

	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->batch);
	writer->nrows = 0;
}

void
crm_sql_writer_add(SqlWriter *writer, const Datum *values, const bool *nulls)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->batch);

	if (writer->nrows == 0)
		writer->records = palloc(BATCH_SIZE * sizeof(Datum));
	writer->records[writer->nrows++] =
		HeapTupleGetDatum(heap_form_tuple(writer->record, unconstify(Datum *, values),
										  unconstify(bool *, nulls)));
	MemoryContextSwitchTo(caller);
	if (writer->nrows == BATCH_SIZE)
		write_batch(writer);
}

void
crm_sql_writer_end(SqlWriter *writer)
{
	if (writer->nrows > 0)
		write_batch(writer);
	MemoryContextDelete(writer->batch);
}
