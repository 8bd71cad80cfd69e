/*
 * deal/contact_rules.c
 *		The rules of deal_contacts: at most one primary contact for each deal.
 *
 * The partial unique index would refuse a second primary contact, too, but
 * without the hint to call set_primary_contact.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/rel.h"

#include "base/uuid.h"
#include "table/kinds.h"
#include "table/row.h"
#include "table/row_rules.h"
#include "table/scan.h"
#include "table/trigger.h"

typedef struct Primary
{
	const AttrNumber *columns;
	const pg_uuid_t *contact_id;	/* of the row being written */
	pg_uuid_t	other;			/* the primary contact, if another one is */
	bool		found;
} Primary;

static bool
consider_link(Relation rel, HeapTuple tuple, void *arg)
{
	Primary    *primary = arg;
	const pg_uuid_t *contact_id =
	DatumGetUUIDP(crm_required_value(rel, tuple, primary->columns[LINK_CONTACT_ID]));

	if (crm_uuid_equal(contact_id, primary->contact_id) ||
		!DatumGetBool(crm_required_value(rel, tuple, primary->columns[LINK_IS_PRIMARY])))
		return true;
	primary->other = *contact_id;
	primary->found = true;
	return false;
}

static void
check_only_primary(RowEdit *row, const AttrNumber *columns)
{
	const pg_uuid_t *deal_id = DatumGetUUIDP(crm_row_get(row, columns[LINK_DEAL_ID]));
	Primary		primary = {columns, DatumGetUUIDP(crm_row_get(row, columns[LINK_CONTACT_ID]))};

	crm_visit_rows(row->rel, crm_index_on_column(row->rel, columns[LINK_DEAL_ID]),
				   columns[LINK_DEAL_ID], deal_id, consider_link, &primary);
	if (primary.found)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("deal %s has a primary contact already", crm_uuid_text(deal_id)),
				 errdetail("It is contact %s.", crm_uuid_text(&primary.other)),
				 errhint("Link the contact without is_primary, then call set_primary_contact."),
				 errtablecol(row->rel, columns[LINK_IS_PRIMARY])));
}

/* Whether the column gets another value; true on INSERT. */
static bool
is_new(const RowEdit *row, AttrNumber attno)
{
	return row->insert || crm_row_old_is_null(row, attno) ||
		!crm_uuid_equal(DatumGetUUIDP(crm_row_get(row, attno)),
						DatumGetUUIDP(crm_row_get_old(row, attno)));
}

static void
apply_contact_rules(RowEdit *row, const AttrNumber *columns)
{
	AttrNumber	is_primary = columns[LINK_IS_PRIMARY];

	if (row->stands || crm_row_is_null(row, columns[LINK_DEAL_ID]) ||
		crm_row_is_null(row, columns[LINK_CONTACT_ID]))
		return;					/* the UPDATE is judged; NOT NULL says it */
	if (!crm_row_is_null(row, is_primary) && DatumGetBool(crm_row_get(row, is_primary)) &&
		(is_new(row, columns[LINK_DEAL_ID]) || crm_row_old_is_null(row, is_primary) ||
		 !DatumGetBool(crm_row_get_old(row, is_primary))))
		check_only_primary(row, columns);
}

/*
 * crm_deal_contact_rules(version, 'deal_id'): BEFORE INSERT OR UPDATE trigger
 * FOR EACH ROW of deal_contacts
 *		Errors: those of crm_row_rules, 23505 for a second primary contact.
 */
PG_FUNCTION_INFO_V1(crm_deal_contact_rules);
Datum
crm_deal_contact_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_deal_contact_rules",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
											 CRM_ON_WRITE);
	Trigger    *trigger = trigdata->tg_trigger;
	const AttrNumber *columns = crm_columns(trigdata->tg_relation, &crm_link_kind);
	RowColumns *row_columns = crm_row_columns(fcinfo->flinfo, trigdata->tg_relation,
											  trigger->tgnargs - 1, trigger->tgargs + 1);
	RowEdit		row;

	crm_row_open(&row, trigdata, InvalidAttrNumber, &row_columns->upsert, fcinfo->flinfo->fn_mcxt);
	crm_apply_row_rules(&row, row_columns, apply_contact_rules, columns);
	return PointerGetDatum(crm_row_close(&row));
}
