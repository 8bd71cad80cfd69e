/*
 * install/events.c
 *		Optional notifications of what happens to deals.
 *
 * crm_notify_events is the AFTER INSERT trigger, FOR EACH STATEMENT, of deals (which
 * were created) and of stage_changes (deals moved, were won, were lost).  It reads
 * the transition table and sends a notification for each row on the channel
 * crm_events.  The server delivers them at commit, equal ones of a transaction once.
 * A payload is far smaller than the server's limit of 8000 bytes.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/query.h"
#include "base/uuid.h"
#include "table/columns.h"
#include "table/installation.h"
#include "table/trigger.h"

#define CHANNEL		"crm_events"
#define TRIGGER		"zz_crm_events"

typedef enum EventColumn
{
	EVENT_DEAL_ID,
	EVENT_TENANT_ID,
	EVENT_FROM_STATUS,			/* of moves only, as the next one */
	EVENT_TO_STATUS
} EventColumn;

static const CrmColumn created_columns[] = {
	[EVENT_DEAL_ID] = {"id", UUIDOID},
	[EVENT_TENANT_ID] = {"tenant_id", UUIDOID},
};

static const CrmColumn move_columns[] = {
	[EVENT_DEAL_ID] = {"deal_id", UUIDOID},
	[EVENT_TENANT_ID] = {"tenant_id", UUIDOID},
	[EVENT_FROM_STATUS] = {"from_status", TEXTOID},
	[EVENT_TO_STATUS] = {"to_status", TEXTOID},
};

static const CrmTableKind created_kind = {"deals", created_columns, lengthof(created_columns)};
static const CrmTableKind move_kind = {"stage_changes", move_columns, lengthof(move_columns)};

static Datum
get(Relation rel, TupleTableSlot *slot, AttrNumber attno)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attno, &isnull);

	crm_check_not_null(rel, attno, isnull);
	return value;
}

/* What kind of event the row stands for. */
static const char *
event_kind(Relation rel, TupleTableSlot *slot, const AttrNumber *columns, bool is_move)
{
	char	   *from;
	char	   *to;

	if (!is_move)
		return "created";
	from = TextDatumGetCString(get(rel, slot, columns[EVENT_FROM_STATUS]));
	to = TextDatumGetCString(get(rel, slot, columns[EVENT_TO_STATUS]));
	if (strcmp(from, to) != 0 && strcmp(to, "won") == 0)
		return "won";
	if (strcmp(from, to) != 0 && strcmp(to, "lost") == 0)
		return "lost";
	return "moved";
}

/* Sends the event of a row; the tenant is null in a CRM of tenancy single. */
static void
notify_row(Relation rel, TupleTableSlot *slot, const AttrNumber *columns, bool is_move)
{
	static const pg_uuid_t nil = {{0}};
	const pg_uuid_t *tenant = DatumGetUUIDP(get(rel, slot, columns[EVENT_TENANT_ID]));
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"schema\": ");
	escape_json(&payload, get_namespace_name(RelationGetNamespace(rel)));
	appendStringInfo(&payload, ", \"table\": \"deals\", \"id\": \"%s\", \"kind\": \"%s\", \"tenant\": ",
					 crm_uuid_text(DatumGetUUIDP(get(rel, slot, columns[EVENT_DEAL_ID]))),
					 event_kind(rel, slot, columns, is_move));
	if (memcmp(tenant, &nil, UUID_LEN) == 0)
		appendStringInfoString(&payload, "null}");
	else
		appendStringInfo(&payload, "\"%s\"}", crm_uuid_text(tenant));
	Async_Notify(CHANNEL, payload.data);
}

/*
 * crm_notify_events(version): AFTER INSERT trigger FOR EACH STATEMENT of deals
 * and of stage_changes, with the new transition table
 *		Notifies of each row.
 */
PG_FUNCTION_INFO_V1(crm_notify_events);
Datum
crm_notify_events(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_notify_events", TRIGGER_EVENT_AFTER,
											 CRM_ON(TRIGGER_EVENT_INSERT));
	Relation	rel = trigdata->tg_relation;
	bool		is_move = crm_optional_column(rel, "to_status", TEXTOID) != InvalidAttrNumber;
	const AttrNumber *columns = crm_columns(rel, is_move ? &move_kind : &created_kind);
	TupleTableSlot *slot;
	MemoryContext per_row;
	MemoryContext caller;

	if (trigdata->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger function \"%s\" needs a new transition table", "crm_notify_events")));

	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	per_row = AllocSetContextCreate(CurrentMemoryContext, "crm events row", ALLOCSET_SMALL_SIZES);
	tuplestore_rescan(trigdata->tg_newtable);
	while (tuplestore_gettupleslot(trigdata->tg_newtable, true, false, slot))
	{
		caller = MemoryContextSwitchTo(per_row);
		notify_row(rel, slot, columns, is_move);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(per_row);
	}
	MemoryContextDelete(per_row);
	ExecDropSingleTupleTableSlot(slot);
	return PointerGetDatum(NULL);
}

/* Makes or drops the triggers; false if there was nothing to do. */
static bool
switch_events(FunctionCallInfo fcinfo, const char *what, bool enable)
{
	static const char *const tables[] = {"deals", "stage_changes"};
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	Oid			extension = crm_extension_schema(fcinfo);
	CrmInstallation installation;
	bool		changed = false;

	PreventCommandIfReadOnly(what);
	crm_get_installation_to_alter(fcinfo, schema_name, &installation);

	SPI_connect();
	for (int i = 0; i < lengthof(tables); i++)
	{
		Oid			relid = get_relname_relid(tables[i], installation.schema);
		char	   *table = quote_qualified_identifier(schema_name, tables[i]);

		if (OidIsValid(relid) && OidIsValid(get_trigger_oid(relid, TRIGGER, true)) == enable)
			continue;
		changed = true;
		if (enable)
			crm_run(psprintf("CREATE TRIGGER " TRIGGER " AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows "
							 "FOR EACH STATEMENT EXECUTE FUNCTION %s(%s)", table,
							 crm_qualified_name(extension, "crm_notify_events"),
							 quote_literal_cstr(installation.version)));
		else
			crm_run(psprintf("DROP TRIGGER " TRIGGER " ON %s", table));
	}
	SPI_finish();
	return changed;
}

/*
 * crm_enable_events(schema_name text) -> boolean
 * crm_disable_events(schema_name text) -> boolean
 *		Switch the notifications of a CRM on, or off; for its owner.
 */
PG_FUNCTION_INFO_V1(crm_enable_events);
Datum
crm_enable_events(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(switch_events(fcinfo, "crm_enable_events()", true));
}

PG_FUNCTION_INFO_V1(crm_disable_events);
Datum
crm_disable_events(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(switch_events(fcinfo, "crm_disable_events()", false));
}
