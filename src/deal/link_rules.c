/*
 * deal/link_rules.c
 *		The rule of a column that is linked to a table of the user's: it refers
 *		only to rows that the writer may see.
 *
 * A foreign key is checked without row security.  With the foreign key alone, a tenant
 * could refer to a contact, owner or organization of another tenant.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "base/query.h"
#include "base/row_messages.h"
#include "base/uuid.h"
#include "table/trigger.h"

/* The table and the key that the column refers to; InvalidOid without a foreign key. */
static Oid
linked_table(Relation rel, AttrNumber column, AttrNumber *key)
{
	ListCell   *cell;

	foreach(cell, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *foreign_key = lfirst_node(ForeignKeyCacheInfo, cell);

		if (foreign_key->nkeys == 1 && foreign_key->conkey[0] == column)
		{
			*key = foreign_key->confkey[0];
			return foreign_key->confrelid;
		}
	}
	return InvalidOid;
}

/* Whether the row is visible to the writer, under row security. */
static bool
is_visible(Oid table, AttrNumber key, Datum id)
{
	static const Oid argtypes[] = {UUIDOID};
	CrmStatement query = {.nargs = lengthof(argtypes),.argtypes = argtypes};
	bool		found;

	query.text = psprintf("SELECT FROM %s AS c WHERE c.%s OPERATOR(pg_catalog.=) $1",
						  crm_relation_name(table),
						  quote_identifier(get_attname(table, key, false)));
	SPI_connect();
	crm_select_kept(&query, &id, 1);
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/* The column that the trigger's second argument names, which is of type uuid. */
static AttrNumber
linked_column(const TriggerData *trigdata)
{
	const Trigger *trigger = trigdata->tg_trigger;
	Oid			relid = RelationGetRelid(trigdata->tg_relation);
	AttrNumber	column = trigger->tgnargs == 3 ?
	get_attnum(relid, trigger->tgargs[1]) : InvalidAttrNumber;

	if (column <= 0 || getBaseType(get_atttype(relid, column)) != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" of table \"%s\" has to name a column of type uuid, and what it refers to",
						trigger->tgname, RelationGetRelationName(trigdata->tg_relation))));
	return column;
}

static void
check_visible(Relation rel, HeapTuple row, AttrNumber column, const char *noun)
{
	AttrNumber	key;
	Oid			table = linked_table(rel, column, &key);
	bool		isnull;
	Datum		id;

	if (!OidIsValid(table) || check_enable_rls(table, InvalidOid, true) != RLS_ENABLED)
		return;
	id = heap_getattr(row, column, RelationGetDescr(rel), &isnull);
	if (isnull || is_visible(table, key, id))
		return;
	/* Like the foreign key's error, so as not to tell that the row exists. */
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 crm_errmsg_missing(noun, crm_uuid_text(DatumGetUUIDP(id))),
			 errdetail("Key is not present in table \"%s\".", get_rel_name(table)),
			 crm_errhint_missing(noun),
			 errtablecol(rel, column)));
}

/*
 * crm_link_rules(version, column, noun): AFTER INSERT OR UPDATE trigger FOR EACH ROW
 * of a table with a linked column; noun is the word for a row of the linked table in
 * the error
 *		Errors: 23503 for a row that row security hides from the writer, 42501 if
 *		row security is on and the writer may not read the linked table.
 */
PG_FUNCTION_INFO_V1(crm_link_rules);
Datum
crm_link_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_link_rules",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
											 CRM_ON_WRITE);
	Trigger    *trigger = trigdata->tg_trigger;
	HeapTuple	row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
	trigdata->tg_newtuple : trigdata->tg_trigtuple;

	check_visible(trigdata->tg_relation, row, linked_column(trigdata), trigger->tgargs[2]);
	return PointerGetDatum(NULL);
}
