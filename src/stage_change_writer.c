/*
 * stage_change_writer.c
 *		Writes rows of stage_changes, many at a time.
 *
 * A batch becomes arrays and one INSERT ... SELECT FROM unnest().  So the row
 * passes through all that the user's table has: columns, triggers, partitions,
 * policies.  A batch bounds the memory, whatever the size of the statement.
 * A single row, the common case, goes as plain parameters.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "owner_rights.h"
#include "session.h"
#include "stage_change_writer.h"
#include "table_info.h"

#define BATCH_SIZE 4096
#define FIRST_CAPACITY 8		/* most statements move one deal */

/* The parameters after the fields: the same for all rows of a statement. */
#define PARAM_CHANGED_BY CHANGE_NFIELDS
#define NPARAMS (CHANGE_NFIELDS + 1)

typedef struct FieldType
{
	const char *column;
	Oid			type;
	Oid			array_type;
	int16		len;
	bool		byval;
	char		align;
} FieldType;

static const FieldType field_types[CHANGE_NFIELDS] = {
	[CHANGE_TENANT_ID] = {"tenant_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_DEAL_ID] = {"deal_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_FROM_PIPELINE_ID] = {"from_pipeline_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_FROM_STAGE_ID] = {"from_stage_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_TO_PIPELINE_ID] = {"to_pipeline_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_TO_STAGE_ID] = {"to_stage_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_ENTERED_AT] = {"entered_at", TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, sizeof(int64), true, TYPALIGN_DOUBLE},
	[CHANGE_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, sizeof(int64), true, TYPALIGN_DOUBLE},
	[CHANGE_MOVE_NO] = {"move_no", INT4OID, INT4ARRAYOID, sizeof(int32), true, TYPALIGN_INT},
	[CHANGE_FROM_STATUS] = {"from_status", TEXTOID, TEXTARRAYOID, -1, false, TYPALIGN_INT},
	[CHANGE_TO_STATUS] = {"to_status", TEXTOID, TEXTARRAYOID, -1, false, TYPALIGN_INT},
	[CHANGE_AMOUNT] = {"amount", NUMERICOID, NUMERICARRAYOID, -1, false, TYPALIGN_INT},
	[CHANGE_CURRENCY] = {"currency", TEXTOID, TEXTARRAYOID, -1, false, TYPALIGN_INT},
	[CHANGE_PROBABILITY] = {"probability", NUMERICOID, NUMERICARRAYOID, -1, false, TYPALIGN_INT},
	[CHANGE_FROM_PROBABILITY] = {"from_probability", NUMERICOID, NUMERICARRAYOID, -1, false, TYPALIGN_INT},
	[CHANGE_REVERTS_ID] = {"reverts_id", UUIDOID, UUIDARRAYOID, UUID_LEN, false, TYPALIGN_CHAR},
	[CHANGE_CLOSING] = {"closing", TEXTOID, TEXTARRAYOID, -1, false, TYPALIGN_INT},
};

/*
 * The prepared statements that write to the stage_changes of a schema.  They
 * last for the session.  Nothing has to free them: the server plans them anew
 * when the names stand for something else.  And nothing may, as a trigger that
 * one of them fires can come back here.
 */
typedef struct WriterPlans
{
	NameData	schema;			/* hash key */
	SPIPlanPtr	one_row;
	SPIPlanPtr	many_rows;
} WriterPlans;

struct StageChangeWriter
{
	Relation	deals;
	char	   *table;			/* to write to, as queries name it */
	WriterPlans *plans;
	MemoryContext batch;		/* the values of the batch at hand */
	int			nrows;
	int			capacity;		/* of the arrays: a power of two, or 0 */
	Datum	   *values[CHANGE_NFIELDS];
	bool	   *nulls[CHANGE_NFIELDS];
};

static HTAB *writer_plans = NULL;

static WriterPlans *
find_plans(Relation deals)
{
	NameData	schema;
	WriterPlans *plans;
	bool		found;

	if (writer_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(NameData);
		ctl.entrysize = sizeof(WriterPlans);
		writer_plans = hash_create("crm stage change plans", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}

	namestrcpy(&schema, get_namespace_name(RelationGetNamespace(deals)));
	plans = hash_search(writer_plans, &schema, HASH_ENTER, &found);
	if (!found)
	{
		plans->one_row = NULL;
		plans->many_rows = NULL;
	}
	return plans;
}

/* INSERT INTO ... SELECT, from parameters that are the values or arrays of them. */
static SPIPlanPtr
prepare_insert(const char *table, bool many_rows)
{
	StringInfoData columns,
				values,
				arrays;
	Oid			argtypes[NPARAMS];
	SPIPlanPtr	plan;

	initStringInfo(&columns);
	initStringInfo(&values);
	initStringInfo(&arrays);
	for (int i = 0; i < CHANGE_NFIELDS; i++)
	{
		const FieldType *type = &field_types[i];

		argtypes[i] = many_rows ? type->array_type : type->type;
		appendStringInfo(&columns, "%s, ", type->column);
		appendStringInfo(&values, many_rows ? "c%d%s, " : "$%d%s, ", i + 1,
						 i == CHANGE_CLOSING ? "::pg_catalog.jsonb" : "");
		if (many_rows)
			appendStringInfo(&arrays, "%s$%d", i == 0 ? "" : ", ", i + 1);
	}
	argtypes[PARAM_CHANGED_BY] = TEXTOID;
	appendStringInfoString(&columns, "changed_by");
	appendStringInfo(&values, "$%d", PARAM_CHANGED_BY + 1);
	if (many_rows)
	{
		/*
		 * With several arguments this is syntax, of pg_catalog's whatever the
		 * path.
		 */
		appendStringInfo(&values, " FROM unnest(%s) AS u (", arrays.data);
		for (int i = 0; i < CHANGE_NFIELDS; i++)
			appendStringInfo(&values, "%sc%d", i == 0 ? "" : ", ", i + 1);
		appendStringInfoChar(&values, ')');
	}

	plan = SPI_prepare(psprintf("INSERT INTO %s (%s) SELECT %s", table, columns.data, values.data),
					   NPARAMS, argtypes);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

StageChangeWriter *
crm_stage_changes_begin(Relation deals)
{
	StageChangeWriter *writer = palloc0(sizeof(StageChangeWriter));

	writer->deals = deals;
	writer->table = crm_trusted_sibling(deals, "stage_changes");
	writer->plans = find_plans(deals);
	writer->batch = AllocSetContextCreate(CurrentMemoryContext, "crm stage changes",
										  ALLOCSET_DEFAULT_SIZES);
	return writer;
}

static Datum
field_array(StageChangeWriter *writer, int field)
{
	const FieldType *type = &field_types[field];
	int			dims[] = {writer->nrows};
	int			lbounds[] = {1};

	return PointerGetDatum(construct_md_array(writer->values[field], writer->nulls[field], 1,
											  dims, lbounds, type->type,
											  type->len, type->byval, type->align));
}

static void
write_batch(StageChangeWriter *writer)
{
	bool		many_rows = writer->nrows > 1;
	SPIPlanPtr *plan = many_rows ? &writer->plans->many_rows : &writer->plans->one_row;
	MemoryContext caller = MemoryContextSwitchTo(writer->batch);
	Datum		params[NPARAMS];
	char		nulls[NPARAMS];
	SavedUser	saved;

	for (int i = 0; i < CHANGE_NFIELDS; i++)
	{
		params[i] = many_rows ? field_array(writer, i) : writer->values[i][0];
		nulls[i] = !many_rows && writer->nulls[i][0] ? 'n' : ' ';
	}
	params[PARAM_CHANGED_BY] = CStringGetTextDatum(crm_session_actor());
	nulls[PARAM_CHANGED_BY] = ' ';

	crm_become_owner(writer->deals, &saved);
	if (*plan == NULL)
		*plan = prepare_insert(writer->table, many_rows);
	if (SPI_execute_plan(*plan, params, nulls, false, 0) != SPI_OK_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("moves cannot be recorded in table \"stage_changes\""),
				 errdetail("A rule of that table replaces the INSERT."),
				 errhint("Drop the rule.")));
	crm_restore_user(&saved);

	writer->nrows = 0;
	writer->capacity = 0;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->batch);
}

/* Makes room for more rows in the batch. */
static void
enlarge_batch(StageChangeWriter *writer)
{
	int			capacity = writer->capacity == 0 ? FIRST_CAPACITY : 2 * writer->capacity;

	for (int i = 0; i < CHANGE_NFIELDS; i++)
	{
		Datum	   *values = palloc(capacity * sizeof(Datum));
		bool	   *nulls = palloc(capacity * sizeof(bool));

		if (writer->nrows > 0)
		{
			memcpy(values, writer->values[i], writer->nrows * sizeof(Datum));
			memcpy(nulls, writer->nulls[i], writer->nrows * sizeof(bool));
			pfree(writer->values[i]);
			pfree(writer->nulls[i]);
		}
		writer->values[i] = values;
		writer->nulls[i] = nulls;
	}
	writer->capacity = capacity;
}

void
crm_stage_changes_add(StageChangeWriter *writer, const StageChange *change)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->batch);
	int			row = writer->nrows;

	if (row == writer->capacity)
		enlarge_batch(writer);
	writer->nrows++;
	for (int i = 0; i < CHANGE_NFIELDS; i++)
	{
		writer->nulls[i][row] = change->nulls[i];
		if (!change->nulls[i])
			writer->values[i][row] = datumCopy(change->values[i], field_types[i].byval,
											   field_types[i].len);
	}
	MemoryContextSwitchTo(caller);

	if (writer->nrows == BATCH_SIZE)
		write_batch(writer);
}

void
crm_stage_changes_end(StageChangeWriter *writer)
{
	if (writer->nrows > 0)
		write_batch(writer);
	MemoryContextDelete(writer->batch);
}
