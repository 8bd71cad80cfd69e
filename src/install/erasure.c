/*
 * install/erasure.c
 *		Erasing a deal, a tenant, an actor, or the history before a time.
 *
 * For the owner of a CRM.  Queries no longer find the deleted rows.  VACUUM removes
 * them from the files; backups hold them until they are deleted.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/session.h"
#include "base/uuid.h"
#include "history/erasure.h"
#include "table/columns.h"
#include "table/installation.h"
#include "table/owner_rights.h"

typedef struct Erasure
{
	Relation	deals;
	ReturnSetInfo *rows;
	SavedUser	saved;
	uint64		total;
} Erasure;

static void
begin(Erasure *erasure, FunctionCallInfo fcinfo)
{
	char	   *name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;

	crm_get_own_installation(fcinfo, name, &installation);
	erasure->deals = table_open(installation.deals, AccessShareLock);
	erasure->total = 0;
	InitMaterializedSRF(fcinfo, 0);
	erasure->rows = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	crm_become_owner(erasure->deals, &erasure->saved);
}

static Datum
end(Erasure *erasure)
{
	crm_restore_user(&erasure->saved);
	SPI_finish();
	table_close(erasure->deals, NoLock);
	return (Datum) 0;
}

static void
put(Erasure *erasure, const char *table, uint64 count)
{
	Datum		values[] = {CStringGetTextDatum(table), Int64GetDatum((int64) count)};
	bool		nulls[] = {false, false};

	tuplestore_putvalues(erasure->rows->setResult, erasure->rows->setDesc, values, nulls);
	erasure->total += count;
}

/* Runs a statement with one parameter or two, and returns how many rows it concerned. */
static uint64
run(const char *query, Oid type, Datum arg, Oid type2, Datum arg2)
{
	Oid			types[] = {type, type2};
	Datum		args[] = {arg, arg2};

	(void) crm_run_once(query, OidIsValid(type2) ? 2 : 1, types, args, NULL);
	return SPI_processed;
}

static char *
sibling(const Erasure *erasure, const char *table)
{
	return crm_trusted_sibling(erasure->deals, table);
}

/* Deletes the rows of a table that the condition on $1 is true for. */
static void
erase(Erasure *erasure, const char *table, const char *condition, Oid type, Datum arg)
{
	put(erasure, table, run(psprintf("DELETE FROM %s t WHERE %s", sibling(erasure, table), condition),
							type, arg, InvalidOid, (Datum) 0));
}

static uint64
count_result(int column)
{
	return (uint64) DatumGetInt64(crm_result_value(0, column, INT8OID, NULL));
}

/*
 * Records that the histories are incomplete, also for deals of which nothing is left,
 * and returns the condition without the rows that say so.  By itself, as Citus runs a
 * statement that inserts beside its DELETEs in parts, whose triggers see each other.
 */
static char *
record_gap(const Erasure *erasure, const char *condition, Oid type, Datum arg)
{
	const char *deal_changes = sibling(erasure, "deal_changes");

	(void) run(psprintf("WITH g AS (INSERT INTO %1$s (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, "
						"changed_at, move_no, version, change, status, changed_by, recorded_by) "
						"SELECT b.tenant_id, '%4$s', '%4$s', '%4$s', max(b.changed_at), max(b.changed_at), 0, 0, '%5$s', 'open', %6$s, SESSION_USER "
						"FROM (SELECT t.tenant_id, t.changed_at FROM %2$s t WHERE %3$s "
						"UNION ALL SELECT t.tenant_id, t.changed_at FROM %1$s t WHERE %3$s) b GROUP BY b.tenant_id RETURNING id) "
						"SELECT COALESCE(array_agg(g.id), '{}') FROM g",
						deal_changes, sibling(erasure, "stage_changes"), condition, CRM_NO_ID, CRM_ERASED,
						quote_literal_cstr(crm_session_actor())),
			   type, arg, InvalidOid, (Datum) 0);
	return psprintf("%s AND t.id <> ALL ('%s')", condition,
					SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
}

/*
 * Deletes from both histories in one statement, as history/erasure.c records a gap
 * only for deals of which a part is left.
 */
static void
erase_history(Erasure *erasure, const char *condition, Oid type, Datum arg)
{
	(void) run(psprintf("WITH m AS (DELETE FROM %1$s t WHERE %3$s RETURNING t.id), "
						"e AS (DELETE FROM %2$s t WHERE %3$s RETURNING t.id) "
						"SELECT (SELECT count(*) FROM m), (SELECT count(*) FROM e)",
						sibling(erasure, "stage_changes"), sibling(erasure, "deal_changes"), condition),
			   type, arg, InvalidOid, (Datum) 0);
	put(erasure, "stage_changes", count_result(1));
	put(erasure, "deal_changes", count_result(2));
}

static const pg_uuid_t *
required_uuid(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return PG_GETARG_UUID_P(n);
}

/*
 * crm_purge_deal(schema_name text, deal_id uuid) -> setof (table_name text, deleted bigint)
 *		Errors: PT404 if there is nothing of that deal.
 */
PG_FUNCTION_INFO_V1(crm_purge_deal);
Datum
crm_purge_deal(PG_FUNCTION_ARGS)
{
	Erasure		erasure;
	const pg_uuid_t *deal_id = required_uuid(fcinfo, 1, "deal_id");
	Datum		arg = UUIDPGetDatum(deal_id);
	const char *history = "t.deal_id = $1";

	begin(&erasure, fcinfo);
	erase(&erasure, "deal_contacts", "t.deal_id = $1", UUIDOID, arg);
	erase(&erasure, "deal_tags", "t.deal_id = $1", UUIDOID, arg);
	/* Another tenant may have had a deal of that id: keep its history. */
	if (run(psprintf("DELETE FROM %s t WHERE t.id = $1 RETURNING t.tenant_id::pg_catalog.uuid", sibling(&erasure, "deals")),
			UUIDOID, arg, InvalidOid, (Datum) 0) > 0)
	{
		Datum		tenant = crm_result_value(0, 1, UUIDOID, NULL);

		history = psprintf("t.deal_id = $1 AND t.tenant_id = '%s'", crm_uuid_text(DatumGetUUIDP(tenant)));
		put(&erasure, "deals", 1);
	}
	else
		put(&erasure, "deals", 0);
	erase_history(&erasure, history, UUIDOID, arg);
	if (erasure.total == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("deal %s does not exist", crm_uuid_text(deal_id)),
				 errdetail("Nor does the history speak of it."),
				 errhint("Take its id from deals, or from what the history says was deleted.")));
	return end(&erasure);
}

/*
 * crm_purge_tenant(schema_name text, tenant_id uuid) -> setof (table_name text, deleted bigint)
 *		The totals are deleted last: without pipelines there are no deals, so
 *		that nobody can be writing totals.
 */
PG_FUNCTION_INFO_V1(crm_purge_tenant);
Datum
crm_purge_tenant(PG_FUNCTION_ARGS)
{
	static const char *const before[] = {"deal_contacts", "deal_tags", "deals"};
	static const char *const after[] = {"stages", "pipelines", "tags", "exchange_rates", "stage_totals"};
	Erasure		erasure;
	Datum		arg = UUIDPGetDatum(required_uuid(fcinfo, 1, "tenant_id"));

	begin(&erasure, fcinfo);
	for (int i = 0; i < lengthof(before); i++)
		erase(&erasure, before[i], "t.tenant_id = $1", UUIDOID, arg);
	erase_history(&erasure, "t.tenant_id = $1", UUIDOID, arg);
	for (int i = 0; i < lengthof(after); i++)
		erase(&erasure, after[i], "t.tenant_id = $1", UUIDOID, arg);
	return end(&erasure);
}

/* Replaces the actor in the columns of a table. */
static void
forget(Erasure *erasure, const char *table, const char *actor, const char *pseudonym,
	   const char *also)
{
	put(erasure, table,
		run(psprintf("UPDATE %s t SET changed_by = CASE t.changed_by WHEN $1 THEN $2 ELSE t.changed_by END, "
					 "recorded_by = CASE t.recorded_by WHEN $1 THEN $2 ELSE t.recorded_by END %s",
					 sibling(erasure, table), also), TEXTOID, CStringGetTextDatum(actor), TEXTOID,
			CStringGetTextDatum(pseudonym)));
}

/* The expression that replaces the value of a column, in the rows that corrections have kept. */
static char *
replaced(const char *rows, const char *column, const char *from, const char *to)
{
	StringInfoData old,
				new;

	initStringInfo(&old);
	initStringInfo(&new);
	appendStringInfo(&old, "\"%s\": ", column);
	appendStringInfo(&new, "\"%s\": ", column);
	escape_json(&old, from);
	escape_json(&new, to);
	return psprintf("replace(%s, %s, %s)", rows, quote_literal_cstr(old.data), quote_literal_cstr(new.data));
}

/*
 * crm_forget_actor(schema_name text, actor text) -> setof (table_name text, changed bigint)
 *		Replaces the actor by a pseudonym, a new one at each call.
 */
PG_FUNCTION_INFO_V1(crm_forget_actor);
Datum
crm_forget_actor(PG_FUNCTION_ARGS)
{
	Erasure		erasure;
	char	   *actor = crm_required_text(fcinfo, 1, "actor");
	char	   *pseudonym;
	char	   *kept;

	begin(&erasure, fcinfo);
	(void) run("SELECT $1 || gen_random_uuid()::text", TEXTOID, CStringGetTextDatum(CRM_PSEUDONYM_PREFIX),
			   InvalidOid, (Datum) 0);
	pseudonym = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	forget(&erasure, "stage_changes", actor, pseudonym, "WHERE t.changed_by = $1 OR t.recorded_by = $1");
	kept = replaced(replaced("t.superseded::text", "changed_by", actor, pseudonym), "recorded_by",
					actor, pseudonym);
	forget(&erasure, "deal_changes", actor, pseudonym,
		   psprintf(", superseded = CASE WHEN t.superseded IS NOT NULL THEN %1$s::jsonb END "
					"WHERE t.changed_by = $1 OR t.recorded_by = $1 OR t.superseded::text <> %1$s", kept));
	return end(&erasure);
}

/*
 * crm_trim_history(schema_name text, before timestamptz) -> setof (table_name text, deleted bigint)
 *		Deletes the history before that time, including the rows that
 *		corrections before it superseded.
 */
PG_FUNCTION_INFO_V1(crm_trim_history);
Datum
crm_trim_history(PG_FUNCTION_ARGS)
{
	Erasure		erasure;
	const char *condition = "t.changed_at < $1";

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", "before"),
				 errhint("Give the time before which the history is to be erased.")));
	if (PG_GETARG_TIMESTAMPTZ(1) > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("before must not be in the future"),
				 errhint("Give a time that has passed.")));
	begin(&erasure, fcinfo);
	condition = record_gap(&erasure, condition, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	erase_history(&erasure, condition, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	return end(&erasure);
}
