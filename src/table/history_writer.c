/*
 * table/history_writer.c
 *		Writes rows of a table of the history, many at a time.
 *
 * Rows go straight into a plain table (table/plain_insert.c).  Else a batch becomes an array of records and one INSERT ... SELECT FROM unnest().
 * So the row passes through all that the user's table has: columns, triggers,
 * partitions, policies.  (An array for each column would be read by a function
 * each.)  A batch bounds the memory, whatever the size of the statement.  A
 * single row, the common case, goes as plain parameters.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
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

#include "base/session.h"
#include "table/columns.h"
#include "table/history_writer.h"
#include "table/owner_rights.h"

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
	const InsertTarget *target;
} WriterKey;

typedef struct WriterPlans
{
	WriterKey	key;			/* hash key */
	SPIPlanPtr	one_row;
	SPIPlanPtr	many_rows;
	TupleDesc	record;
	uint64		lacking;		/* fields that the plans leave out, a bit each */
} WriterPlans;

struct HistoryWriter
{
	Relation	deals;
	const InsertTarget *target;
	PlainInsert *plain;			/* NULL: by SQL */
	Datum		changed_by;
	char	   *name;			/* to write to, as queries name it */
	WriterPlans *plans;
	MemoryContext batch;		/* the rows at hand, or what one takes */
	int			nrows;
	Datum	   *values;			/* the first row */
	bool	   *nulls;
	Datum	   *records;		/* all rows, once there are several */
};

static HTAB *writer_plans = NULL;

static WriterPlans *
find_plans(Relation deals, const InsertTarget *target)
{
	WriterKey	key = {.target = target};
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
		plans->lacking = 0;
	}
	return plans;
}

/* The fields as the columns of a function that returns records. */
static char *
record_definition(const InsertTarget *target)
{
	StringInfoData definition;

	initStringInfo(&definition);
	for (int i = 0; i < target->nfields - 1; i++)
		appendStringInfo(&definition, "%sc%d %s", i == 0 ? "" : ", ", i + 1,
						 format_type_be_qualified(target->fields[i].type));
	return definition.data;
}

uint64
crm_lacking_fields(Relation deals, const InsertTarget *target)
{
	Oid			relid = get_relname_relid(target->table, RelationGetNamespace(deals));
	uint64		lacking = 0;
	Relation	rel;

	Assert(target->nfields <= 64);
	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	if (rel == NULL)
		return 0;				/* the INSERT will say it */
	for (int i = 0; i < target->nfields; i++)
	{
		const InsertField *field = &target->fields[i];

		if (field->since != NULL && crm_lacks_column(rel, field->column, field->since))
			lacking |= CRM_FIELD_BIT(i);
	}
	relation_close(rel, NoLock);
	return lacking;
}

/* An upgrade of the CRM adds columns that the plans at hand leave out. */
static void
check_plans(WriterPlans *plans, Relation deals, const InsertTarget *target)
{
	uint64		lacking = crm_lacking_fields(deals, target);

	if (plans->lacking == lacking)
		return;
	plans->lacking = lacking;
	plans->one_row = plans->many_rows = NULL;
}

/*
 * INSERT INTO ... SELECT, from parameters: the values or an array of records,
 * then changed_by.
 */
static SPIPlanPtr
prepare_insert(const char *name, const InsertTarget *target, uint64 lacking, bool many_rows)
{
	int			nargs = many_rows ? 2 : target->nfields;
	Oid		   *argtypes = palloc(nargs * sizeof(Oid));
	StringInfoData columns,
				values;
	SPIPlanPtr	plan;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < target->nfields - 1; i++)
	{
		const InsertField *field = &target->fields[i];

		if (!many_rows)
			argtypes[i] = field->type;
		if (lacking & CRM_FIELD_BIT(i))
			continue;
		appendStringInfo(&columns, "%s, ", field->column);
		appendStringInfo(&values, many_rows ? "c%d%s, " : "$%d%s, ", i + 1,
						 field->cast == NULL ? "" : field->cast);
	}
	if (many_rows)
		argtypes[0] = RECORDARRAYOID;
	argtypes[nargs - 1] = TEXTOID;
	appendStringInfoString(&columns, target->fields[target->nfields - 1].column);
	appendStringInfo(&values, "$%d", nargs);
	if (many_rows)
		appendStringInfo(&values, " FROM pg_catalog.unnest($1) AS u (%s)", record_definition(target));

	/* There is nothing in the parameters that a plan could make use of. */
	plan = SPI_prepare_cursor(psprintf("INSERT INTO %s (%s) SELECT %s", name, columns.data, values.data),
							  nargs, argtypes, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static TupleDesc
make_record_type(const InsertTarget *target)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	TupleDesc	desc = CreateTemplateTupleDesc(target->nfields - 1);

	for (int i = 0; i < desc->natts; i++)
		TupleDescInitEntry(desc, i + 1, target->fields[i].column, target->fields[i].type, -1, 0);
	desc = BlessTupleDesc(desc);
	MemoryContextSwitchTo(caller);
	return desc;
}

HistoryWriter *
crm_history_begin(Relation deals, const InsertTarget *target)
{
	HistoryWriter *writer = palloc0(sizeof(HistoryWriter));

	writer->deals = deals;
	writer->target = target;
	writer->changed_by = CStringGetTextDatum(crm_session_actor());
	writer->plain = crm_plain_insert_begin(deals, target);
	writer->batch = AllocSetContextCreate(CurrentMemoryContext, "crm history batch",
										  ALLOCSET_DEFAULT_SIZES);
	return writer;
}

/* What only rows that are written by SQL need. */
static void
prepare_batches(HistoryWriter *writer)
{
	MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(writer));

	writer->name = crm_trusted_sibling(writer->deals, writer->target->table);
	writer->plans = find_plans(writer->deals, writer->target);
	check_plans(writer->plans, writer->deals, writer->target);
	if (writer->plans->record == NULL)
		writer->plans->record = make_record_type(writer->target);
	writer->values = palloc(writer->target->nfields * sizeof(Datum));
	writer->nulls = palloc(writer->target->nfields * sizeof(bool));
	MemoryContextSwitchTo(caller);
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
	int			nvalues = many_rows ? 1 : writer->target->nfields - 1;
	Datum	   *params = palloc((nvalues + 1) * sizeof(Datum));
	char	   *nulls = palloc(nvalues + 1);
	SavedUser	saved;

	for (int i = 0; i < nvalues; i++)
	{
		params[i] = many_rows ? record_array(writer) : writer->values[i];
		nulls[i] = !many_rows && writer->nulls[i] ? 'n' : ' ';
	}
	params[nvalues] = writer->changed_by;
	nulls[nvalues] = ' ';

	crm_become_owner(writer->deals, &saved);
	if (*plan == NULL)
		*plan = prepare_insert(writer->name, writer->target, writer->plans->lacking, many_rows);
	if (SPI_execute_plan(*plan, params, nulls, false, 0) != SPI_OK_INSERT)
	{
		/* A plan that does nothing depends on nothing: it would stay so. */
		*plan = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("history cannot be recorded in table \"%s\"", writer->target->table),
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
	for (int i = 0; i < writer->plans->record->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(writer->plans->record, i);

		writer->nulls[i] = nulls[i];
		if (!nulls[i])
			writer->values[i] = datumCopy(values[i], att->attbyval, att->attlen);
	}
}

static Datum
make_record(HistoryWriter *writer, Datum *values, bool *nulls)
{
	return HeapTupleGetDatum(heap_form_tuple(writer->plans->record, values, nulls));
}

/* Takes a copy of the row, and writes a batch when it is full. */
static void
add_to_batch(HistoryWriter *writer, Datum *values, bool *nulls)
{
	MemoryContext caller;

	if (writer->plans == NULL)
		prepare_batches(writer);
	caller = MemoryContextSwitchTo(writer->batch);
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
crm_history_add(HistoryWriter *writer, Datum *values, bool *nulls)
{
	int			changed_by = writer->target->nfields - 1;
	MemoryContext caller;

	values[changed_by] = writer->changed_by;
	nulls[changed_by] = false;
	if (writer->plain == NULL)
	{
		add_to_batch(writer, values, nulls);
		return;
	}
	if (!crm_plain_insert_fits(writer->plain, nulls))
	{
		/* SQL says what is wrong with it. */
		add_to_batch(writer, values, nulls);
		write_batch(writer);
		return;
	}
	caller = MemoryContextSwitchTo(writer->batch);
	crm_plain_insert_row(writer->plain, values, nulls);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->batch);
}

void
crm_history_end(HistoryWriter *writer)
{
	if (writer->plain != NULL)
		crm_plain_insert_end(writer->plain);
	else if (writer->nrows > 0)
		write_batch(writer);
	MemoryContextDelete(writer->batch);
}
