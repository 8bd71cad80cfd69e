/*
 * history_writer.c
 *		Writes rows of a table of the history, many at a time.
 *
 * A batch becomes an array of records and one INSERT ... SELECT FROM unnest().
 * So the row passes through all that the user's table has: columns, triggers,
 * partitions, policies.  (An array for each column would be read by a function
 * each.)  A batch bounds the memory, whatever the size of the statement.  A
 * single row, the common case, goes as plain parameters.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "history_writer.h"
#include "owner_rights.h"
#include "session.h"
#include "table_info.h"

#define BATCH_SIZE 4096

/*
 * The prepared statements that write to a table in a schema, and the type of a
 * record of its fields.  They last for the session.  Nothing has to free them:
 * the server plans them anew when the names stand for something else.  And
 * nothing may, as a trigger that one of them fires can come back here.
 */
typedef struct WriterKey
{
	NameData	schema;
	const HistoryTable *table;
} WriterKey;

typedef struct WriterPlans
{
	WriterKey	key;			/* hash key */
	SPIPlanPtr	one_row;
	SPIPlanPtr	many_rows;
	TupleDesc	record;
} WriterPlans;

struct HistoryWriter
{
	Relation	deals;
	const HistoryTable *table;
	char	   *name;			/* to write to, as queries name it */
	WriterPlans *plans;
	MemoryContext batch;		/* the rows at hand */
	int			nrows;
	Datum	   *values;			/* the first row */
	bool	   *nulls;
	Datum	   *records;		/* all rows, once there are several */
};

static HTAB *writer_plans = NULL;

static WriterPlans *
find_plans(Relation deals, const HistoryTable *table)
{
	WriterKey	key = {.table = table};
	WriterPlans *plans;
	bool		found;

	if (writer_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(WriterKey);
		ctl.entrysize = sizeof(WriterPlans);
		writer_plans = hash_create("crm history plans", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}

	namestrcpy(&key.schema, get_namespace_name(RelationGetNamespace(deals)));
	plans = hash_search(writer_plans, &key, HASH_ENTER, &found);
	if (!found)
	{
		plans->one_row = NULL;
		plans->many_rows = NULL;
		plans->record = NULL;
	}
	return plans;
}

/* The fields as the columns of a function that returns records. */
static char *
record_definition(const HistoryTable *table)
{
	StringInfoData definition;

	initStringInfo(&definition);
	for (int i = 0; i < table->nfields; i++)
		appendStringInfo(&definition, "%sc%d %s", i == 0 ? "" : ", ", i + 1,
						 format_type_be_qualified(table->fields[i].type));
	return definition.data;
}

/*
 * INSERT INTO ... SELECT, from parameters: the values or an array of records,
 * then changed_by.
 */
static SPIPlanPtr
prepare_insert(const char *name, const HistoryTable *table, bool many_rows)
{
	int			nargs = (many_rows ? 1 : table->nfields) + 1;
	Oid		   *argtypes = palloc(nargs * sizeof(Oid));
	StringInfoData columns,
				values;
	SPIPlanPtr	plan;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < table->nfields; i++)
	{
		const HistoryField *field = &table->fields[i];

		if (!many_rows)
			argtypes[i] = field->type;
		appendStringInfo(&columns, "%s, ", field->column);
		appendStringInfo(&values, many_rows ? "c%d%s, " : "$%d%s, ", i + 1,
						 field->cast == NULL ? "" : field->cast);
	}
	if (many_rows)
		argtypes[0] = RECORDARRAYOID;
	argtypes[nargs - 1] = TEXTOID;
	appendStringInfoString(&columns, "changed_by");
	appendStringInfo(&values, "$%d", nargs);
	if (many_rows)
		appendStringInfo(&values, " FROM pg_catalog.unnest($1) AS u (%s)", record_definition(table));

	/* There is nothing in the parameters that a plan could make use of. */
	plan = SPI_prepare_cursor(psprintf("INSERT INTO %s (%s) SELECT %s", name, columns.data, values.data),
							  nargs, argtypes, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static TupleDesc
make_record_type(const HistoryTable *table)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	TupleDesc	desc = CreateTemplateTupleDesc(table->nfields);

	for (int i = 0; i < table->nfields; i++)
		TupleDescInitEntry(desc, i + 1, table->fields[i].column, table->fields[i].type, -1, 0);
	desc = BlessTupleDesc(desc);
	MemoryContextSwitchTo(caller);
	return desc;
}

HistoryWriter *
crm_history_begin(Relation deals, const HistoryTable *table)
{
	HistoryWriter *writer = palloc0(sizeof(HistoryWriter));

	writer->deals = deals;
	writer->table = table;
	writer->name = crm_trusted_sibling(deals, table->name);
	writer->plans = find_plans(deals, table);
	if (writer->plans->record == NULL)
		writer->plans->record = make_record_type(table);
	writer->values = palloc(table->nfields * sizeof(Datum));
	writer->nulls = palloc(table->nfields * sizeof(bool));
	writer->batch = AllocSetContextCreate(CurrentMemoryContext, "crm history batch",
										  ALLOCSET_DEFAULT_SIZES);
	return writer;
}

static Datum
record_array(HistoryWriter *writer)
{
	return PointerGetDatum(construct_array(writer->records, writer->nrows, RECORDOID,
										   -1, false, TYPALIGN_DOUBLE));
}

static void
write_batch(HistoryWriter *writer)
{
	bool		many_rows = writer->nrows > 1;
	SPIPlanPtr *plan = many_rows ? &writer->plans->many_rows : &writer->plans->one_row;
	MemoryContext caller = MemoryContextSwitchTo(writer->batch);
	int			nvalues = many_rows ? 1 : writer->table->nfields;
	Datum	   *params = palloc((nvalues + 1) * sizeof(Datum));
	char	   *nulls = palloc(nvalues + 1);
	SavedUser	saved;

	for (int i = 0; i < nvalues; i++)
	{
		params[i] = many_rows ? record_array(writer) : writer->values[i];
		nulls[i] = !many_rows && writer->nulls[i] ? 'n' : ' ';
	}
	params[nvalues] = CStringGetTextDatum(crm_session_actor());
	nulls[nvalues] = ' ';

	crm_become_owner(writer->deals, &saved);
	if (*plan == NULL)
		*plan = prepare_insert(writer->name, writer->table, many_rows);
	if (SPI_execute_plan(*plan, params, nulls, false, 0) != SPI_OK_INSERT)
	{
		/* A plan that does nothing depends on nothing: it would stay so. */
		*plan = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("history cannot be recorded in table \"%s\"", writer->table->name),
				 errdetail("A rule of that table replaces the INSERT."),
				 errhint("Drop the rule.")));
	}
	crm_restore_user(&saved);

	writer->nrows = 0;
	writer->records = NULL;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->batch);
}

static void
keep_first(HistoryWriter *writer, const Datum *values, const bool *nulls)
{
	for (int i = 0; i < writer->table->nfields; i++)
	{
		Form_pg_attribute att = TupleDescAttr(writer->plans->record, i);

		writer->nulls[i] = nulls[i];
		if (!nulls[i])
			writer->values[i] = datumCopy(values[i], att->attbyval, att->attlen);
	}
}

static Datum
make_record(HistoryWriter *writer, const Datum *values, const bool *nulls)
{
	return HeapTupleGetDatum(heap_form_tuple(writer->plans->record, (Datum *) values, (bool *) nulls));
}

void
crm_history_add(HistoryWriter *writer, const Datum *values, const bool *nulls)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->batch);

	if (writer->nrows == 0)
		keep_first(writer, values, nulls);
	else
	{
		if (writer->nrows == 1)
		{
			writer->records = palloc(BATCH_SIZE * sizeof(Datum));
			writer->records[0] = make_record(writer, writer->values, writer->nulls);
		}
		writer->records[writer->nrows] = make_record(writer, values, nulls);
	}
	writer->nrows++;
	MemoryContextSwitchTo(caller);

	if (writer->nrows == BATCH_SIZE)
		write_batch(writer);
}

void
crm_history_end(HistoryWriter *writer)
{
	if (writer->nrows > 0)
		write_batch(writer);
	MemoryContextDelete(writer->batch);
}
