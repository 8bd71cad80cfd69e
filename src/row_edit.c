/*
 * row_edit.c
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

#include "row_edit.h"

/*
 * The trigger's first argument is the version of the installed CRM.  While
 * there is but one, it has to be the code's.
 */
static void
check_version(TriggerData *trigdata, const char *function)
{
	Trigger    *trigger = trigdata->tg_trigger;

	if (trigger->tgnargs >= 1 && strcmp(trigger->tgargs[0], CRM_VERSION) == 0)
		return;
	if (trigger->tgnargs < 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" needs the version of the CRM as its argument", function)));
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the CRM in schema \"%s\" is of version %s, but the code is of version %s",
					get_namespace_name(RelationGetNamespace(trigdata->tg_relation)),
					trigger->tgargs[0], CRM_VERSION),
			 errhint("Update the extension and then call crm_upgrade(%s).",
					 quote_literal_cstr(get_namespace_name(RelationGetNamespace(trigdata->tg_relation))))));
}

TriggerData *
crm_trigger_data(FunctionCallInfo fcinfo, const char *function, TriggerEvent timing, int events)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" can only be called as a trigger", function)));
	if ((trigdata->tg_event & (TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK)) != timing)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" must be fired %s FOR EACH %s", function,
						(timing & TRIGGER_EVENT_TIMINGMASK) == TRIGGER_EVENT_BEFORE ? "BEFORE" : "AFTER",
						(timing & TRIGGER_EVENT_ROW) ? "ROW" : "STATEMENT")));
	if ((CRM_ON(trigdata->tg_event & TRIGGER_EVENT_OPMASK) & events) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" must not be fired for %s", function,
						TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? "INSERT" :
						TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? "UPDATE" :
						TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? "DELETE" : "TRUNCATE")));
	check_version(trigdata, function);
	return trigdata;
}

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

char *
crm_uuid_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}
