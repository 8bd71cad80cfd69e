/*
 * table/row.c
 *		A row that a BEFORE trigger reads and changes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/uuid.h"
#include "table/restoring.h"
#include "table/row.h"

/* Evaluates the expression. */
static Datum
evaluate(Expr *expr, Form_pg_attribute att, bool *isnull)
{
	EState	   *estate;
	ExprState  *state;
	MemoryContext caller = CurrentMemoryContext;
	Datum		value;

	estate = CreateExecutorState();
	MemoryContextSwitchTo(estate->es_query_cxt);
	state = ExecInitExpr(expr, NULL);
	value = ExecEvalExprSwitchContext(state, GetPerTupleExprContext(estate), isnull);
	MemoryContextSwitchTo(caller);
	if (!*isnull)
		value = datumCopy(value, att->attbyval, att->attlen);
	FreeExecutorState(estate);
	return value;
}

/*
 * What the column's default gives.  For columns that a rule fills that is NULL,
 * which the statement remembers: it would be asked again for each row.
 */
static void
take_default(RowEdit *row, int i)
{
	Expr	   *expr;

	if (i + 1 == row->filled_text || crm_upsert_defaults_to_null(row->upsert, i + 1))
		return;
	expr = expression_planner((Expr *) build_column_default(row->rel, i + 1));
	if (IsA(expr, Const) && ((Const *) expr)->constisnull)
		crm_upsert_note_null_default(row->upsert, i + 1);
	else
		row->values[i] = evaluate(expr, TupleDescAttr(RelationGetDescr(row->rel), i),
								  &row->nulls[i]);
	row->changed |= !row->nulls[i];
}

static void
take_old(RowEdit *row, int i)
{
	row->values[i] = row->old_values[i];
	row->nulls[i] = row->old_nulls[i];
	row->changed = true;
}

/* The word that is the default of a text which a rule fills is "not given". */
static void
forget_filled_text(RowEdit *row)
{
	int			i = row->filled_text - 1;
	text	   *value;

	if (i < 0 || row->nulls[i])
		return;
	value = DatumGetTextPP(row->values[i]);
	row->nulls[i] = VARSIZE_ANY_EXHDR(value) == strlen(CRM_FILLED_TEXT) &&
		memcmp(VARDATA_ANY(value), CRM_FILLED_TEXT, strlen(CRM_FILLED_TEXT)) == 0;
}

static void
fill_not_given(RowEdit *row)
{
	TupleDesc	desc = RelationGetDescr(row->rel);

	forget_filled_text(row);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att;

		row->given[i] = !row->nulls[i];
		if (row->given[i])
			continue;
		att = TupleDescAttr(desc, i);
		if (!att->attnotnull || !att->atthasdef || att->attgenerated)
			continue;
		if (row->insert)
			take_default(row, i);
		else
			take_old(row, i);
	}
}

/* Fills NOT NULL columns that were not given from the existing row. */
static void
fill_from_standing(RowEdit *row)
{
	TupleDesc	desc = RelationGetDescr(row->rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!row->given[i] && att->attnotnull && !att->attgenerated &&
			(row->nulls[i] || !crm_upsert_is_key(row->upsert, i + 1)))
			take_old(row, i);
	}
}

static void
open_update(RowEdit *row, TriggerData *trigdata)
{
	slot_getallattrs(trigdata->tg_trigslot);
	row->old_values = trigdata->tg_trigslot->tts_values;
	row->old_nulls = trigdata->tg_trigslot->tts_isnull;
	if (row->upsert != NULL &&
		crm_upsert_resume(row->upsert, trigdata, row->values, row->nulls))
		row->changed = true;
	fill_not_given(row);
}

static void
open_insert(RowEdit *row, Upsert **upsert, MemoryContext statement)
{
	row->old_values = NULL;
	row->old_nulls = NULL;
	row->restored = crm_is_restoring(row->rel);
	if (*upsert == NULL)
		*upsert = crm_upsert_create(row->rel, statement);
	row->upsert = *upsert;
	fill_not_given(row);
	if (row->restored)
		return;
	row->stands = crm_upsert_find(row->upsert, row->values, row->nulls,
								  &row->old_values, &row->old_nulls);
	if (row->stands)
		fill_from_standing(row);
}

void
crm_row_open(RowEdit *row, TriggerData *trigdata, AttrNumber filled_text, Upsert **upsert,
			 MemoryContext statement)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	TupleTableSlot *slot = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	int			natts = RelationGetDescr(trigdata->tg_relation)->natts;

	row->rel = trigdata->tg_relation;
	row->tuple = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	row->filled_text = filled_text;
	row->insert = !update;
	row->restored = row->stands = row->changed = false;
	row->upsert = *upsert;
	row->values = palloc(natts * sizeof(Datum));
	row->nulls = palloc(natts * sizeof(bool));
	row->given = palloc(natts * sizeof(bool));
	slot_getallattrs(slot);
	memcpy(row->values, slot->tts_values, natts * sizeof(Datum));
	memcpy(row->nulls, slot->tts_isnull, natts * sizeof(bool));
	if (update)
		open_update(row, trigdata);
	else
		open_insert(row, upsert, statement);
}

static HeapTuple
new_tuple(const RowEdit *row)
{
	HeapTuple	result = heap_form_tuple(RelationGetDescr(row->rel), row->values, row->nulls);

	result->t_data->t_ctid = row->tuple->t_data->t_ctid;
	result->t_self = row->tuple->t_self;
	result->t_tableOid = row->tuple->t_tableOid;
	return result;
}

HeapTuple
crm_row_close(RowEdit *row)
{
	HeapTuple	result = row->changed ? new_tuple(row) : row->tuple;

	if (row->insert && !row->restored)
		crm_upsert_note(row->upsert, row->tuple, result);
	return result;
}

void
crm_row_set(RowEdit *row, AttrNumber attno, Datum value)
{
	if (attno == InvalidAttrNumber)
		return;
	row->values[attno - 1] = value;
	row->nulls[attno - 1] = false;
	row->changed = true;
}

void
crm_row_set_null(RowEdit *row, AttrNumber attno)
{
	if (attno == InvalidAttrNumber || row->nulls[attno - 1])
		return;
	row->values[attno - 1] = (Datum) 0;
	row->nulls[attno - 1] = true;
	row->changed = true;
}

void
crm_row_keep(RowEdit *row, AttrNumber attno)
{
	Form_pg_attribute att;

	if (attno == InvalidAttrNumber || row->insert || row->old_nulls[attno - 1])
		return;
	att = TupleDescAttr(RelationGetDescr(row->rel), attno - 1);
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
				 errhint("Leave it out, or insert another row."),
				 errtablecol(row->rel, attno)));
}

void
crm_row_keep_id(RowEdit *row, AttrNumber attno)
{
	/* The column's DEFAULT is a new id: it means "not given", as everywhere. */
	if (attno != InvalidAttrNumber && !row->insert && !row->nulls[attno - 1] &&
		crm_take_new_uuid(DatumGetUUIDP(row->values[attno - 1])))
		row->nulls[attno - 1] = true;
	crm_row_keep(row, attno);
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
