/*
 * deal/contact_rules.c
 *		The rules of deal_contacts: at most one primary contact for each deal, and
 *		no contact that its writer may not see.
 *
 * The partial unique index would refuse a second primary contact, too, but
 * without the hint to call set_primary_contact.  A foreign key looks past row
 * security, so that by it alone a tenant could link a contact of another one.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "base/query.h"
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

/* The table of the linked contacts, and the column that identifies them; InvalidOid if none is. */
static Oid
linked_table(Relation rel, AttrNumber contact_id, AttrNumber *key)
{
	ListCell   *cell;

	foreach(cell, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *foreign_key = lfirst_node(ForeignKeyCacheInfo, cell);

		if (foreign_key->nkeys == 1 && foreign_key->conkey[0] == contact_id)
		{
			*key = foreign_key->confkey[0];
			return foreign_key->confrelid;
		}
	}
	return InvalidOid;
}

/* Where row security hides contacts from the writer, the contact must be none of those. */
static void
check_visible(RowEdit *row, const AttrNumber *columns)
{
	static const Oid argtypes[] = {UUIDOID};
	Datum		contact_id = crm_row_get(row, columns[LINK_CONTACT_ID]);
	CrmStatement query = {.nargs = lengthof(argtypes),.argtypes = argtypes};
	AttrNumber	key;
	Oid			table = linked_table(row->rel, columns[LINK_CONTACT_ID], &key);
	bool		found;

	if (!OidIsValid(table) || check_enable_rls(table, InvalidOid, true) != RLS_ENABLED)
		return;
	query.text = psprintf("SELECT FROM %s AS c WHERE c.%s OPERATOR(pg_catalog.=) $1",
						  quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
													 get_rel_name(table)),
						  quote_identifier(get_attname(table, key, false)));
	SPI_connect();
	crm_select_kept(&query, &contact_id, 1);
	found = SPI_processed > 0;
	SPI_finish();
	if (!found)
		/* As the foreign key would say it. */
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("contact %s does not exist", crm_uuid_text(DatumGetUUIDP(contact_id))),
				 errdetail("Key is not present in table \"%s\".", get_rel_name(table)),
				 errtablecol(row->rel, columns[LINK_CONTACT_ID])));
}

/* Whether the column has got another value; true on INSERT. */
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
	if (is_new(row, columns[LINK_CONTACT_ID]))
		check_visible(row, columns);
	if (!crm_row_is_null(row, is_primary) && DatumGetBool(crm_row_get(row, is_primary)) &&
		(is_new(row, columns[LINK_DEAL_ID]) || crm_row_old_is_null(row, is_primary) ||
		 !DatumGetBool(crm_row_get_old(row, is_primary))))
		check_only_primary(row, columns);
}

/*
 * crm_deal_contact_rules(version, 'deal_id'): BEFORE INSERT OR UPDATE trigger
 * FOR EACH ROW of deal_contacts
 *		Errors: those of crm_row_rules, 23505 for a second primary contact, 23503
 *		for a contact that row security hides from the writer.
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

	crm_row_open(&row, trigdata, &row_columns->upsert, fcinfo->flinfo->fn_mcxt);
	crm_apply_row_rules(&row, row_columns, apply_contact_rules, columns);
	return PointerGetDatum(crm_row_close(&row));
}
