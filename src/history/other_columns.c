/*
 * history/other_columns.c
 *		Columns of deals that have no column of their own in deal_changes.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "history/other_columns.h"
#include "table/kinds.h"
#include "table/table_cache.h"
#include "table/trigger.h"

static const char *const own_names[] = {
	"title", "organization_id", "forecast_category", "lost_reason", "external_id", "created_at",
	"merged_into"
};

static void
add_column(Relation deals, OtherColumns *others, const char *name)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(deals), name);

	/* Columns that were dropped or renamed are skipped. */
	if (attno <= 0 || others->ncolumns == MAX_OTHER_COLUMNS)
		return;
	for (int i = 0; i < others->ncolumns; i++)
	{
		if (others->columns[i] == attno)
			return;
	}
	others->columns[others->ncolumns++] = attno;
	others->last = Max(others->last, attno);
	if (strcmp(name, "lost_reason") == 0)
		others->lost_reason = attno;
}

static void
find_columns(Relation deals, const void *kind, void *data)
{
	OtherColumns *others = data;
	const TriggerDesc *triggers = crm_copy_triggers(deals);

	memset(others, 0, sizeof(OtherColumns));
	for (int i = 0; i < lengthof(own_names); i++)
		add_column(deals, others, own_names[i]);
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		for (int j = 1; TRIGGER_FOR_UPDATE(trigger->tgtype) && j < trigger->tgnargs; j++)
		{
			if (strncmp(trigger->tgargs[j], CRM_AUDIT_COLUMN, strlen(CRM_AUDIT_COLUMN)) == 0)
				add_column(deals, others, trigger->tgargs[j] + strlen(CRM_AUDIT_COLUMN));
		}
	}
}

const OtherColumns *
crm_other_columns(Relation deals)
{
	return crm_table_facts(deals, own_names, sizeof(OtherColumns), find_columns);
}

static bool
differs(TupleTableSlot *old_deal, TupleTableSlot *new_deal, AttrNumber attno)
{
	Form_pg_attribute att = TupleDescAttr(old_deal->tts_tupleDescriptor, attno - 1);
	bool		old_null = old_deal->tts_isnull[attno - 1];

	if (old_null || new_deal->tts_isnull[attno - 1])
		return old_null != new_deal->tts_isnull[attno - 1];
	return !datum_image_eq(old_deal->tts_values[attno - 1], new_deal->tts_values[attno - 1],
						   att->attbyval, att->attlen);
}

bool
crm_others_differ(const OtherColumns *others, TupleTableSlot *old_deal, TupleTableSlot *new_deal,
				  bool moved)
{
	for (int i = 0; i < others->ncolumns; i++)
	{
		AttrNumber	attno = others->columns[i];

		if (!(moved && attno == others->lost_reason) && differs(old_deal, new_deal, attno))
			return true;
	}
	return false;
}

/* As to_json() has it; it needs to know the type. */
static void
append_value(StringInfo json, TupleTableSlot *deal, AttrNumber attno)
{
	Form_pg_attribute att = TupleDescAttr(deal->tts_tupleDescriptor, attno - 1);
	FmgrInfo	function;
	Node	   *argument;

	if (deal->tts_isnull[attno - 1])
	{
		appendStringInfoString(json, "null");
		return;
	}
	argument = (Node *) makeNullConst(att->atttypid, att->atttypmod, att->attcollation);
	fmgr_info(F_TO_JSON, &function);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSON, JSONOID, list_make1(argument), InvalidOid,
											 InvalidOid, COERCE_EXPLICIT_CALL), &function);
	appendStringInfoString(json, TextDatumGetCString(FunctionCall1(&function,
																   deal->tts_values[attno - 1])));
}

bool
crm_others_to_json(const OtherColumns *others, TupleTableSlot *old_deal, TupleTableSlot *new_deal,
				   bool moved, Datum *json)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < others->ncolumns; i++)
	{
		AttrNumber	attno = others->columns[i];

		if ((moved && attno == others->lost_reason) || !differs(old_deal, new_deal, attno))
			continue;
		appendStringInfoString(&text, text.len == 0 ? "{" : ", ");
		escape_json(&text,
					NameStr(TupleDescAttr(old_deal->tts_tupleDescriptor, attno - 1)->attname));
		appendStringInfoString(&text, ": {\"old\": ");
		append_value(&text, old_deal, attno);
		appendStringInfoString(&text, ", \"new\": ");
		append_value(&text, new_deal, attno);
		appendStringInfoChar(&text, '}');
	}
	if (text.len == 0)
		return false;
	appendStringInfoChar(&text, '}');
	*json = DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
	return true;
}

bool
crm_is_own_column(const char *name)
{
	for (int i = 0; i < lengthof(own_names); i++)
	{
		if (strcmp(own_names[i], name) == 0)
			return true;
	}
	for (int i = 0; i < crm_deal_kind.ncolumns; i++)
	{
		if (strcmp(crm_deal_kind.columns[i].name, name) == 0)
			return true;
	}
	return false;
}
