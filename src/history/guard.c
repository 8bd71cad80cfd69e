/*
 * history/guard.c
 *		Keeps the rows of the history as they were written.
 *
 * The exception are corrections: such an update names, in correction_id, a row of
 * deal_changes that has kept the old row.  As nothing can be lost then, the guard need
 * not check who makes the correction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/query.h"
#include "history/erasure.h"
#include "table/columns.h"
#include "table/owner_rights.h"
#include "table/trigger.h"

pg_noreturn static void
refuse(Relation history)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("rows of \"%s\" are never updated", RelationGetRelationName(history)),
			 errhint("A move that was wrong is taken back with undo_move, a wrong time corrected with correct_move, "
					 "anything else by changing the deal again; each of them adds a row. "
					 "To erase a person or a deal call crm_forget_actor() or crm_purge_deal().")));
}

/* What crm_forget_actor() writes. */
static const char *const actor_columns[] = {"changed_by", "recorded_by", "superseded"};

static bool
names(const TriggerData *trigdata, const char *column)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(trigdata->tg_relation), column);

	return attno != InvalidAttrNumber &&
		bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, trigdata->tg_updatedcols);
}

/* Whether the UPDATE names all of them that the table has, and nothing else. */
static bool
names_actors(const TriggerData *trigdata)
{
	int			n = 0;

	for (int i = 0; i < lengthof(actor_columns); i++)
	{
		if (names(trigdata, actor_columns[i]))
			n++;
		else if (get_attnum(RelationGetRelid(trigdata->tg_relation), actor_columns[i]) > 0)
			return false;
	}
	return n > 0 && bms_num_members(trigdata->tg_updatedcols) == n;
}

/* Runs a query over the old and the new row, $1 and $2; whether it finds a row. */
static bool
is_true(const TriggerData *trigdata, const char *query)
{
	Relation	history = trigdata->tg_relation;
	Oid			types[] = {RelationGetForm(history)->reltype, RelationGetForm(history)->reltype};
	CrmStatement statement = {.text = query,.nargs = lengthof(types),.argtypes = types};
	Datum		args[] = {
		heap_copy_tuple_as_datum(trigdata->tg_trigtuple, RelationGetDescr(history)),
		heap_copy_tuple_as_datum(trigdata->tg_newtuple, RelationGetDescr(history))
	};
	SavedUser	saved;
	bool		found;

	SPI_connect();
	crm_become_owner(history, &saved);
	crm_select_kept(&statement, args, 1);
	found = SPI_processed > 0;
	crm_restore_user(&saved);
	SPI_finish();
	return found;
}

/* Whether the correction that the new row names has kept the whole old row. */
static bool
is_kept(const TriggerData *trigdata)
{
	Relation	history = trigdata->tg_relation;
	bool		has_superseded = get_attnum(RelationGetRelid(history), "superseded") != InvalidAttrNumber;

	return get_attnum(RelationGetRelid(history), "correction_id") != InvalidAttrNumber &&
		is_true(trigdata,
				psprintf("SELECT FROM %1$s c WHERE c.id OPERATOR(pg_catalog.=) ($2).correction_id "
						 "AND c.change OPERATOR(pg_catalog.=) 'corrected' "
						 "AND c.deal_id OPERATOR(pg_catalog.=) ($1).deal_id "
						 "AND c.tenant_id OPERATOR(pg_catalog.=) ($1).tenant_id "
						 "AND ($2).id OPERATOR(pg_catalog.=) ($1).id "
						 "AND ($2).deal_id OPERATOR(pg_catalog.=) ($1).deal_id "
						 "AND ($2).tenant_id OPERATOR(pg_catalog.=) ($1).tenant_id "
						 "AND pg_catalog.jsonb_object_field(c.superseded, '%2$s') OPERATOR(pg_catalog.@>) "
						 "pg_catalog.jsonb_build_array(pg_catalog.to_jsonb($1))",
						 crm_trusted_sibling(history, "deal_changes"),
						 has_superseded ? "deal_changes" : "stage_changes"));
}

/* The columns that are not compared: generated ones are not computed yet in the new row. */
static char *
ignored_columns(Relation history)
{
	StringInfoData names;
	TupleDesc	desc = RelationGetDescr(history);

	initStringInfo(&names);
	for (int i = 0; i < lengthof(actor_columns); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(actor_columns[i]));
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attgenerated != '\0')
			appendStringInfo(&names, ", %s",
							 quote_literal_cstr(NameStr(TupleDescAttr(desc, i)->attname)));
	}
	return names.data;
}

/* An actor, as text of jsonb has it, in the rows that a correction has kept. */
#define ACTOR "'\"(changed_by|recorded_by)\": \"([^\"\\\\]|\\\\.)*\"'"

/* What a correction has kept in the row, a jsonb, but for the actors. */
#define KEPT_WITHOUT_ACTORS(row) \
	"COALESCE(pg_catalog.regexp_replace(" \
	"pg_catalog.jsonb_object_field_text(" row ", 'superseded'), " ACTOR ", '', 'g'), '')"

/* The actor of that column is the same, or a pseudonym now. */
#define SAME_OR_FORGOTTEN(column) \
	"(($1)." column " OPERATOR(pg_catalog.=) ($2)." column " " \
	"OR ($2)." column " OPERATOR(pg_catalog.~) '%2$s')"

/*
 * Whether only actors were changed, each to a pseudonym: so an actor can be forgotten,
 * but a change cannot be attributed to another one.
 */
static bool
is_forgotten(const TriggerData *trigdata)
{
	return is_true(trigdata,
				   psprintf("SELECT FROM (SELECT pg_catalog.to_jsonb($1), pg_catalog.to_jsonb($2)) AS r (o, n) "
							"WHERE (r.o OPERATOR(pg_catalog.-) ARRAY[%1$s]) "
							"OPERATOR(pg_catalog.=) (r.n OPERATOR(pg_catalog.-) ARRAY[%1$s]) "
							"AND " SAME_OR_FORGOTTEN("changed_by") " "
							"AND " SAME_OR_FORGOTTEN("recorded_by") " "
							"AND " KEPT_WITHOUT_ACTORS("r.o") " "
							"OPERATOR(pg_catalog.=) " KEPT_WITHOUT_ACTORS("r.n"),
							ignored_columns(trigdata->tg_relation), CRM_PSEUDONYM_PATTERN));
}

/*
 * crm_history_guard(version): BEFORE UPDATE trigger of stage_changes and
 * deal_changes, FOR EACH STATEMENT and FOR EACH ROW
 *		History is not rewritten, not even by its owner: ERROR 42501 unless a
 *		correction has kept each old row, or actors are replaced by pseudonyms.
 */
PG_FUNCTION_INFO_V1(crm_history_guard);
Datum
crm_history_guard(PG_FUNCTION_ARGS)
{
	bool		for_row = CALLED_AS_TRIGGER(fcinfo) &&
	TRIGGER_FIRED_FOR_ROW(((TriggerData *) fcinfo->context)->tg_event);
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_history_guard", TRIGGER_EVENT_BEFORE |
											 (for_row ? TRIGGER_EVENT_ROW : 0),
											 CRM_ON(TRIGGER_EVENT_UPDATE));
	bool		allowed;

	if (names_actors(trigdata))
		allowed = !for_row || is_forgotten(trigdata);
	else
		allowed = for_row ? is_kept(trigdata) : names(trigdata, "correction_id");
	if (!allowed)
		refuse(trigdata->tg_relation);
	return PointerGetDatum(for_row ? trigdata->tg_newtuple : NULL);
}
