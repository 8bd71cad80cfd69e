/*
 * table/row.c
 *		A row that a BEFORE trigger reads and changes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/row.h"

/* The value that the column's default gives now. */
static Datum
default_value(Relation rel, AttrNumber attno, bool *isnull)
{
	Expr	   *expr = (Expr *) build_column_default(rel, attno);
	EState	   *estate;
	ExprState  *state;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	MemoryContext caller = CurrentMemoryContext;
	Datum		value;

	estate = CreateExecutorState();
	MemoryContextSwitchTo(estate->es_query_cxt);
	state = ExecPrepareExpr(expr, estate);
	value = ExecEvalExprSwitchContext(state, GetPerTupleExprContext(estate), isnull);
	MemoryContextSwitchTo(caller);
	if (!*isnull)
		value = datumCopy(value, att->attbyval, att->attlen);
	FreeExecutorState(estate);
	return value;
}

static void
fill_not_given(RowEdit *row)
{
	TupleDesc	desc = RelationGetDescr(row->rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att;

		if (!row->nulls[i])
			continue;
		att = TupleDescAttr(desc, i);
		if (!att->attnotnull || !att->atthasdef || att->attgenerated)
			continue;
		if (row->old_values == NULL)
			row->values[i] = default_value(row->rel, i + 1, &row->nulls[i]);
		else
		{
			row->values[i] = row->old_values[i];
			row->nulls[i] = row->old_nulls[i];
		}
		if (!row->nulls[i])
			row->changed = true;
	}
}

void
crm_row_open(RowEdit *row, TriggerData *trigdata)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	TupleTableSlot *slot = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	int			natts = RelationGetDescr(trigdata->tg_relation)->natts;

	row->rel = trigdata->tg_relation;
	row->tuple = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	row->changed = false;
	row->values = palloc(natts * sizeof(Datum));
	row->nulls = palloc(natts * sizeof(bool));
	slot_getallattrs(slot);
	memcpy(row->values, slot->tts_values, natts * sizeof(Datum));
	memcpy(row->nulls, slot->tts_isnull, natts * sizeof(bool));
	if (update)
	{
		slot_getallattrs(trigdata->tg_trigslot);
		row->old_values = trigdata->tg_trigslot->tts_values;
		row->old_nulls = trigdata->tg_trigslot->tts_isnull;
	}
	else
	{
		row->old_values = NULL;
		row->old_nulls = NULL;
	}
	fill_not_given(row);
}

HeapTuple
crm_row_close(RowEdit *row)
{
	HeapTuple	result;

	if (!row->changed)
		return row->tuple;

	result = heap_form_tuple(RelationGetDescr(row->rel), row->values, row->nulls);
	result->t_data->t_ctid = row->tuple->t_data->t_ctid;
	result->t_self = row->tuple->t_self;
	result->t_tableOid = row->tuple->t_tableOid;
	return result;
}

void
crm_row_set(RowEdit *row, AttrNumber attno, Datum value)
{
	row->values[attno - 1] = value;
	row->nulls[attno - 1] = false;
	row->changed = true;
}

void
crm_row_set_null(RowEdit *row, AttrNumber attno)
{
	if (row->nulls[attno - 1])
		return;
	row->values[attno - 1] = (Datum) 0;
	row->nulls[attno - 1] = true;
	row->changed = true;
}

void
crm_row_keep(RowEdit *row, AttrNumber attno)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(row->rel), attno - 1);

	if (row->old_values == NULL || row->old_nulls[attno - 1])
		return;
	if (row->nulls[attno - 1])
	{
		row->values[attno - 1] = row->old_values[attno - 1];
		row->nulls[attno - 1] = false;
		row->changed = true;
		return;
	}
	if (!datumIsEqual(row->values[attno - 1], row->old_values[attno - 1],
					  att->attbyval, att->attlen))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("column \"%s\" of table \"%s\" never changes",
						NameStr(att->attname), RelationGetRelationName(row->rel)),
				 errtablecol(row->rel, attno)));
}

/*
 * crm_defaults.filled_in_uuid() -> uuid, and so on
 *		NULL, which means "not given".
 */
PG_FUNCTION_INFO_V1(crm_filled_in);
Datum
crm_filled_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_NULL();
}
