/*
 * history/guard.c
 *		Keeps the rows of the history as they were written.
 *
 * But for corrections: such an update names, in correction_id, a row of
 * deal_changes that has kept what the row was.  So the guard needs to know
 * nothing of who is correcting: nothing can be lost.
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

/* Whether the UPDATE names correction_id. */
static bool
names_correction(const TriggerData *trigdata)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(trigdata->tg_relation), "correction_id");

	return attno != InvalidAttrNumber &&
		bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, trigdata->tg_updatedcols);
}

/* What the correction of the new row has kept of this deal has the old row, whole. */
static bool
is_kept(const TriggerData *trigdata)
{
	Relation	history = trigdata->tg_relation;
	Oid			types[] = {RelationGetForm(history)->reltype, RelationGetForm(history)->reltype};
	CrmStatement statement = {.nargs = lengthof(types),.argtypes = types};
	Datum		args[] = {
		heap_copy_tuple_as_datum(trigdata->tg_trigtuple, RelationGetDescr(history)),
		heap_copy_tuple_as_datum(trigdata->tg_newtuple, RelationGetDescr(history))
	};
	SavedUser	saved;
	bool		found;

	SPI_connect();
	crm_become_owner(history, &saved);
	statement.text =
		psprintf("SELECT FROM %1$s c WHERE c.id OPERATOR(pg_catalog.=) ($2).correction_id "
				 "AND c.change OPERATOR(pg_catalog.=) 'corrected' "
				 "AND c.deal_id OPERATOR(pg_catalog.=) ($1).deal_id AND c.tenant_id OPERATOR(pg_catalog.=) ($1).tenant_id "
				 "AND ($2).id OPERATOR(pg_catalog.=) ($1).id AND ($2).deal_id OPERATOR(pg_catalog.=) ($1).deal_id "
				 "AND ($2).tenant_id OPERATOR(pg_catalog.=) ($1).tenant_id "
				 "AND pg_catalog.jsonb_object_field(c.superseded, %2$s) OPERATOR(pg_catalog.@>) "
				 "pg_catalog.jsonb_build_array(pg_catalog.to_jsonb($1))",
				 crm_trusted_sibling(history, "deal_changes"),
				 quote_literal_cstr(get_attnum(RelationGetRelid(history), "superseded") != InvalidAttrNumber ?
									"deal_changes" : "stage_changes"));
	if (crm_run_kept(&statement, args, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the corrections of a deal");
	found = SPI_processed > 0;
	crm_restore_user(&saved);
	SPI_finish();
	return found;
}

/*
 * crm_history_guard(version): BEFORE UPDATE trigger of stage_changes and
 * deal_changes, FOR EACH STATEMENT and FOR EACH ROW
 *		History is not rewritten, not even by its owner: ERROR 42501, unless
 *		what each row was is kept as that of a correction.
 */
PG_FUNCTION_INFO_V1(crm_history_guard);
Datum
crm_history_guard(PG_FUNCTION_ARGS)
{
	bool		row = CALLED_AS_TRIGGER(fcinfo) &&
	TRIGGER_FIRED_FOR_ROW(((TriggerData *) fcinfo->context)->tg_event);
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_history_guard", TRIGGER_EVENT_BEFORE |
											 (row ? TRIGGER_EVENT_ROW : 0),
											 CRM_ON(TRIGGER_EVENT_UPDATE));

	if (!(row ? is_kept(trigdata) : names_correction(trigdata)))
		refuse(trigdata->tg_relation);
	return PointerGetDatum(row ? trigdata->tg_newtuple : NULL);
}
