/*
 * api/replace_history.c
 *		Gives a deal another history: called by replace_history of a CRM.
 *
 * The old moves are kept in a correction, then deleted and replaced by one
 * statement.  Changes of values keep their times, except that none may be before
 * the deal begins.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/session.h"
#include "base/subtransaction.h"
#include "base/uuid.h"
#include "deal/deal.h"
#include "history/correction.h"
#include "history/erasure.h"
#include "table/caller_query.h"
#include "table/owner_rights.h"

/* The deal, locked. */
typedef struct Deal
{
	pg_uuid_t	id;
	pg_uuid_t	tenant_id;
	pg_uuid_t	stage_id;
	int32		version;
} Deal;

/* An element of the argument. */
typedef struct Element
{
	pg_uuid_t	stage_id;
	TimestampTz at;
} Element;

static void
lock_deal(Relation deals, Deal *deal)
{
	crm_api_require(psprintf("SELECT d.tenant_id, d.stage_id, d.version FROM %s d "
							 "WHERE d.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE", crm_relation_name(RelationGetRelid(deals))),
					"deal", &deal->id);
	deal->tenant_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	deal->stage_id = *DatumGetUUIDP(crm_api_value(2, UUIDOID, NULL));
	deal->version = DatumGetInt32(crm_api_value(3, INT4OID, NULL));
}

static void
check_shape(Jsonb *history)
{
	if (!JB_ROOT_IS_ARRAY(history) || JB_ROOT_IS_SCALAR(history) || JB_ROOT_COUNT(history) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("history must be an array, and not empty"),
				 errhint("Its elements are objects such as {\"stage_id\": \"...\", \"at\": \"2024-01-31\"}.")));
}

/* The elements of $3 joined with their stages, as far as the caller may see these. */
#define ELEMENTS \
	"SELECT e.n::pg_catalog.int4 AS n, e.o, pg_catalog.jsonb_typeof(e.o) OPERATOR(pg_catalog.=) 'object' AS is_object, " \
	"(SELECT pg_catalog.min(k) FROM pg_catalog.jsonb_object_keys(CASE WHEN pg_catalog.jsonb_typeof(e.o) OPERATOR(pg_catalog.=) 'object' THEN e.o " \
	"ELSE '{}'::pg_catalog.jsonb END) k WHERE k OPERATOR(pg_catalog.<>) ALL " \
	"('{stage_id,at,actor,probability,lost_reason}')) AS unknown_key, " \
	"pg_catalog.jsonb_object_field_text(e.o, 'stage_id')::pg_catalog.uuid AS stage_id, " \
	"pg_catalog.jsonb_object_field_text(e.o, 'at')::pg_catalog.timestamptz AS at, " \
	"pg_catalog.jsonb_object_field_text(e.o, 'probability')::pg_catalog.numeric AS probability " \
	"FROM pg_catalog.jsonb_array_elements($3) WITH ORDINALITY AS e (o, n)"

pg_noreturn static void
refuse_element(int n, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("element %d of history %s", n, what),
			 errhint("Each element has stage_id and at, and may have actor, probability and lost_reason.")));
}

/* ---- values that are no values of their type ---- */

/* The fields of the elements, and the one that is being read. */
typedef struct Reading
{
	uint64		nfields;
	int			element;
	char	   *field;
} Reading;

/* As the casts of ELEMENTS read them. */
static void
read_fields(void *arg)
{
	Reading    *reading = arg;

	for (uint64 i = 0; i < reading->nfields; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		char	   *text = SPI_getvalue(row, desc, 3);

		CHECK_FOR_INTERRUPTS();
		reading->element = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		reading->field = SPI_getvalue(row, desc, 2);
		(void) OidInputFunctionCall(strcmp(reading->field, "stage_id") == 0 ? F_UUID_IN :
									strcmp(reading->field, "at") == 0 ? F_TIMESTAMPTZ_IN : F_NUMERIC_IN,
									text, InvalidOid, -1);
		pfree(text);
	}
}

static void
check_fields(Datum history)
{
	static const Oid types[] = {JSONBOID};
	Reading		reading = {0};
	ErrorData  *error;

	reading.nfields = crm_api_run_typed("SELECT e.n::pg_catalog.int4, f.field, pg_catalog.jsonb_object_field_text(e.o, f.field) "
										"FROM pg_catalog.jsonb_array_elements($1) WITH ORDINALITY AS e (o, n) "
										"CROSS JOIN pg_catalog.unnest('{stage_id,at,probability}'::pg_catalog.text[]) AS f (field) "
										"WHERE pg_catalog.jsonb_object_field_text(e.o, f.field) IS NOT NULL ORDER BY e.n",
										lengthof(types), types, &history);
	error = crm_try(read_fields, &reading, true);
	if (error == NULL)
		return;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
		ReThrowError(error);
	refuse_element(reading.element, psprintf("has an invalid %s: %s", reading.field, error->message));
}

/* Checks one element, and replaces its time by the moment that it means (deal/moment.c). */
static void
check_element(const Deal *deal, Element *elements, int i, TimestampTz archived_at,
			  TimestampTz clock)
{
	TimestampTz before = i > 0 ? elements[i - 1].at : DT_NOBEGIN;
	TimestampTz at = crm_moment(elements[i].at, before, clock);

	if (at < before)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("element %d of history cannot be at %s", i + 1, pstrdup(timestamptz_to_str(at))),
				 errdetail("The one before is at %s.", pstrdup(timestamptz_to_str(before)))));
	if (TIMESTAMP_NOT_FINITE(at) || at > clock)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("element %d of history cannot be at %s, which is in the future", i + 1,
						pstrdup(timestamptz_to_str(at))),
				 errdetail("The clock says %s.", pstrdup(timestamptz_to_str(clock)))));
	if (at >= archived_at)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s cannot have entered stage %s at %s", crm_uuid_text(&deal->id),
						crm_uuid_text(&elements[i].stage_id), pstrdup(timestamptz_to_str(at))),
				 errdetail("The stage was archived at %s.", pstrdup(timestamptz_to_str(archived_at)))));
	if (i > 0 && crm_uuid_equal(&elements[i].stage_id, &elements[i - 1].stage_id))
		refuse_element(i + 1, "enters the stage in which the deal stands");
	elements[i].at = at;
}

static Element *
read_elements(Relation deals, const Deal *deal, Datum history, int *nelements)
{
	static const Oid types[] = {UUIDOID, UUIDOID, JSONBOID};
	Datum		args[] = {UUIDPGetDatum(&deal->id), UUIDPGetDatum(&deal->tenant_id), history};
	TimestampTz clock = GetCurrentTimestamp();
	Element    *elements;

	check_fields(history);
	*nelements = (int) crm_api_run_typed(psprintf("SELECT e.is_object, e.unknown_key, e.stage_id, e.at, s.id IS NOT NULL, s.archived_at, "
												  "e.probability OPERATOR(pg_catalog.<) 0 OR e.probability OPERATOR(pg_catalog.>) 1 "
												  "FROM (" ELEMENTS ") e LEFT JOIN %s s ON s.id OPERATOR(pg_catalog.=) e.stage_id "
												  "AND s.tenant_id OPERATOR(pg_catalog.=) $2 "
												  "WHERE $1 IS NOT NULL ORDER BY e.n", crm_sibling_name(deals, "stages")),
										 lengthof(types), types, args);
	elements = palloc_array(Element, *nelements);
	for (int i = 0; i < *nelements; i++)
	{
		Datum		values[7];
		bool		nulls[7];

		for (int j = 0; j < lengthof(values); j++)
			values[j] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, j + 1,
									  &nulls[j]);
		if (!DatumGetBool(values[0]))
			refuse_element(i + 1, "is no object");
		if (!nulls[1])
			refuse_element(i + 1, psprintf("has the unknown key \"%s\"", TextDatumGetCString(values[1])));
		if (nulls[2])
			refuse_element(i + 1, "has no stage_id");
		if (nulls[3])
			refuse_element(i + 1, "has no time");
		if (!nulls[6] && DatumGetBool(values[6]))
			refuse_element(i + 1, "has a probability that is not between 0 and 1");
		elements[i].stage_id = *DatumGetUUIDP(values[2]);
		elements[i].at = DatumGetTimestampTz(values[3]);
		if (!DatumGetBool(values[4]))
			ereport(ERROR,
					(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
					 errmsg("stage %s does not exist", crm_uuid_text(&elements[i].stage_id)),
					 errdetail("Element %d of history names it.", i + 1)));
		check_element(deal, elements, i, nulls[5] ? DT_NOEND : DatumGetTimestampTz(values[5]),
					  clock);
	}
	if (!crm_uuid_equal(&elements[*nelements - 1].stage_id, &deal->stage_id))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the history of deal %s must end in stage %s", crm_uuid_text(&deal->id),
						crm_uuid_text(&deal->stage_id)),
				 errdetail("There it stands; the last element names stage %s.",
						   crm_uuid_text(&elements[*nelements - 1].stage_id)),
				 errhint("Move the deal first, or leave out what it has not reached.")));
	return elements;
}

/* ---- writing, with the owner's rights ---- */

/* $1 deal, $2 tenant, $3 history, $4 times, $5 a correction, $6 the actor. */
static uint64
run(const char *query, const Datum *args)
{
	static const Oid types[] = {UUIDOID, UUIDOID, JSONBOID, TIMESTAMPTZARRAYOID, UUIDOID, TEXTOID};

	return crm_api_run_typed(query, lengthof(types), types, args);
}

static Datum
ids(const char *query, const Datum *args)
{
	bool		isnull;

	(void) run(psprintf("SELECT COALESCE(pg_catalog.array_agg(c.id), '{}') FROM %s "
						"AND $3 IS NOT NULL AND $4 IS NOT NULL AND $5 IS NOT NULL AND $6 IS NOT NULL", query), args);
	return SPI_datumTransfer(crm_api_value(1, UUIDARRAYOID, &isnull), false, -1);
}

/*
 * A move for each element but the first, from the stage of the element before; if
 * that one was closed, with the time of closing that the move clears.
 */
#define MOVES \
	"WITH elements AS MATERIALIZED (" ELEMENTS "), visits AS MATERIALIZED (" \
	"SELECT e.n, s.pipeline_id, s.id AS stage_id, s.deal_status AS status, ($4)[e.n] AS at, " \
	"COALESCE(pg_catalog.jsonb_object_field_text(e.o, 'actor'), $6) AS actor, " \
	"CASE WHEN s.deal_status OPERATOR(pg_catalog.=) 'won' THEN 1 WHEN s.deal_status OPERATOR(pg_catalog.=) 'lost' THEN 0 ELSE COALESCE(" \
	"e.probability, s.probability) END AS probability, " \
	"CASE WHEN s.deal_status OPERATOR(pg_catalog.=) 'lost' THEN pg_catalog.jsonb_object_field_text(e.o, 'lost_reason') END AS lost_reason " \
	"FROM elements e JOIN %2$s s ON s.id OPERATOR(pg_catalog.=) e.stage_id), closed AS MATERIALIZED (" \
	/* when the status that the visit has began: won, then won again, was won at first */ \
	"SELECT t.*, (SELECT pg_catalog.max(b.at) FROM (SELECT x.at, x.n, x.status, pg_catalog.lag(x.status) OVER (ORDER BY x.n) AS before " \
	"FROM visits x) b WHERE b.n OPERATOR(pg_catalog.<=) t.n AND (b.before IS NULL OR b.status OPERATOR(pg_catalog.<>) b.before)) AS since FROM visits t), " \
	"gone AS (DELETE FROM %1$s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 RETURNING 1) " \
	"INSERT INTO %1$s (tenant_id, deal_id, from_pipeline_id, from_stage_id, from_status, from_probability, to_pipeline_id, " \
	"to_stage_id, to_status, probability, entered_at, changed_at, move_no, amount, currency, value_period, changed_by, recorded_by, closing, " \
	"correction_id) " \
	"SELECT d.tenant_id, d.id, f.pipeline_id, f.stage_id, f.status, f.probability, t.pipeline_id, t.stage_id, t.status, " \
	"t.probability, f.at, t.at, f.n, d.amount, d.currency, d.value_period, t.actor, SESSION_USER, " \
	"CASE WHEN f.status OPERATOR(pg_catalog.<>) 'open' AND f.status OPERATOR(pg_catalog.<>) t.status THEN pg_catalog.jsonb_strip_nulls(" \
	"pg_catalog.jsonb_build_object(f.status OPERATOR(pg_catalog.||) '_at', f.since, 'lost_reason', f.lost_reason)) END, $5 " \
	"FROM closed f JOIN closed t ON t.n OPERATOR(pg_catalog.=) (f.n OPERATOR(pg_catalog.+) 1) " \
	"JOIN %3$s d ON d.id OPERATOR(pg_catalog.=) $1 " \
	/* the rows have to be gone before */ \
	"WHERE (SELECT pg_catalog.count(*) FROM gone) OPERATOR(pg_catalog.>=) 0 ORDER BY f.n"

/* The row of the deal's creation, and those that would be before it. */
#define EDITS \
	"UPDATE %1$s c SET changed_at = GREATEST(($4)[1], CASE WHEN c.change OPERATOR(pg_catalog.=) 'created' THEN ($4)[1] ELSE c.changed_at END), " \
	"stage_entered_at = CASE WHEN c.change OPERATOR(pg_catalog.=) 'created' THEN ($4)[1] ELSE c.stage_entered_at END, " \
	"stage_id = CASE WHEN c.change OPERATOR(pg_catalog.=) 'created' THEN s.id ELSE c.stage_id END, " \
	"pipeline_id = CASE WHEN c.change OPERATOR(pg_catalog.=) 'created' THEN s.pipeline_id ELSE c.pipeline_id END, " \
	"status = CASE WHEN c.change OPERATOR(pg_catalog.=) 'created' THEN s.deal_status ELSE c.status END, with_move = NULL, correction_id = $5 " \
	"FROM %2$s s WHERE s.id OPERATOR(pg_catalog.=) pg_catalog.jsonb_object_field_text(pg_catalog.jsonb_array_element($3, 0), 'stage_id')::pg_catalog.uuid " \
	"AND c.id OPERATOR(pg_catalog.=) ANY ($7)"

/* Whether the deal has exactly the moves that were written. */
static bool
has_moves(const char *stage_changes, const Datum *args, uint64 nmoves)
{
	const char *query = psprintf("SELECT FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND $3 IS NOT NULL AND $4 IS NOT NULL AND $5 IS NOT NULL AND $6 IS NOT NULL",
								 stage_changes);

	return run(query, args) == nmoves &&
		run(psprintf("%s AND c.correction_id OPERATOR(pg_catalog.=) $5", query), args) == nmoves;
}

static void
update_edits(Relation deals, const Datum *args, Datum edits)
{
	Oid			types[] = {
		UUIDOID, UUIDOID, JSONBOID, TIMESTAMPTZARRAYOID, UUIDOID, TEXTOID, UUIDARRAYOID
	};
	Datum		all[] = {args[0], args[1], args[2], args[3], args[4], args[5], edits};

	ArrayType  *array = DatumGetArrayTypeP(edits);
	uint64		nedits = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	uint64		nupdated;

	nupdated = crm_api_run_typed(psprintf(EDITS " AND $1 IS NOT NULL AND $2 IS NOT NULL AND $6 IS NOT NULL",
										  crm_trusted_sibling(deals, "deal_changes"),
										  crm_trusted_sibling(deals, "stages")),
								 lengthof(types), types, all);
	if (nupdated != nedits)
		crm_refuse_suppressed(DatumGetUUIDP(args[0]), "deal_changes");
}

/*
 * Deleting the moves recorded a gap in the history, which there is not, as all of
 * them are replaced.  Earlier gaps remain, as they may be of values.
 */
static void
remove_gap(Relation deals, const Datum *args)
{
	int			level = NewGUCNestLevel();

	/* Else the row would be made again. */
	(void) set_config_option("crm.restoring", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	(void) run(psprintf("DELETE FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
						"AND c.change OPERATOR(pg_catalog.=) '%s' AND c.id OPERATOR(pg_catalog.>) $5 "
						"AND $3 IS NOT NULL AND $4 IS NOT NULL AND $6 IS NOT NULL",
						crm_trusted_sibling(deals, "deal_changes"), CRM_ERASED), args);
	AtEOXact_GUC(true, level);
}

static void
write_history(Relation deals, const Deal *deal, Datum history, const Element *elements,
			  int nelements, const char *reason)
{
	Datum	   *times = palloc_array(Datum, nelements);
	const char *stage_changes = crm_trusted_sibling(deals, "stage_changes");
	Superseded	superseded = {.deals = deals,.deal_id = &deal->id,.tenant_id = &deal->tenant_id};
	Datum		args[6];
	SavedUser	saved;
	pg_uuid_t  *correction;

	for (int i = 0; i < nelements; i++)
		times[i] = TimestampTzGetDatum(elements[i].at);
	args[0] = UUIDPGetDatum(&deal->id);
	args[1] = UUIDPGetDatum(&deal->tenant_id);
	args[2] = history;
	args[3] = PointerGetDatum(construct_array(times, nelements, TIMESTAMPTZOID, sizeof(TimestampTz),
											  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	args[4] = args[0];
	args[5] = CStringGetTextDatum(crm_session_actor());

	crm_become_owner(deals, &saved);
	superseded.moves = ids(psprintf("%s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2",
									stage_changes), args);
	superseded.edits = ids(psprintf("%s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
									"AND (c.change OPERATOR(pg_catalog.=) 'created' OR c.with_move IS NOT NULL OR c.changed_at OPERATOR(pg_catalog.<) ($4)[1]) "
									"AND c.change OPERATOR(pg_catalog.<>) ALL ('{corrected,erased}')",
									crm_trusted_sibling(deals, "deal_changes")), args);
	correction = crm_keep_superseded(&superseded, elements[nelements - 1].at,
									 Min(deal->version, PG_INT32_MAX - 1) + 1,
									 GetCurrentTimestamp(), reason);
	args[4] = UUIDPGetDatum(correction);
	(void) run(psprintf(MOVES, stage_changes, crm_trusted_sibling(deals, "stages"),
						crm_relation_name(RelationGetRelid(deals))), args);
	if (!has_moves(stage_changes, args, nelements - 1))
		crm_refuse_suppressed(&deal->id, "stage_changes");
	update_edits(deals, args, superseded.edits);
	remove_gap(deals, args);
	crm_restore_user(&saved);
}

static void
refuse_earlier_life(Relation deals, const Deal *deal)
{
	Datum		args[] = {UUIDPGetDatum(&deal->id), UUIDPGetDatum(&deal->tenant_id)};
	SavedUser	saved;
	uint64		found;

	crm_become_owner(deals, &saved);
	found = crm_api_run(psprintf("SELECT FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND c.change OPERATOR(pg_catalog.=) 'deleted' LIMIT 1",
								 crm_trusted_sibling(deals, "deal_changes")), lengthof(args), args);
	crm_restore_user(&saved);
	if (found > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("the history of deal %s cannot be replaced", crm_uuid_text(&deal->id)),
				 errdetail("It was deleted and put back: its history is of several lives.")));
}

/*
 * crm_replace_history(crm regnamespace, deal_id uuid, history jsonb, reason text) -> uuid
 *		Returns deal_id.  Errors: PT404 for a deal that the caller does not see,
 *		22023, 23503 or 23514 for a history that is not possible.
 */
PG_FUNCTION_INFO_V1(crm_replace_history);
Datum
crm_replace_history(PG_FUNCTION_ARGS)
{
	Deal		deal = {.id = *crm_api_uuid(fcinfo, 1, "deal_id")};
	char	   *reason = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	Relation	deals;
	Element    *elements;
	int			nelements;
	Datum		args[] = {UUIDPGetDatum(&deal.id), (Datum) 0};
	static const Oid types[] = {UUIDOID, TIMESTAMPTZOID};

	crm_api_require_argument(fcinfo, 2, "history");
	check_shape(PG_GETARG_JSONB_P(2));
	deals = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	lock_deal(deals, &deal);
	refuse_earlier_life(deals, &deal);
	elements = read_elements(deals, &deal, PG_GETARG_DATUM(2), &nelements);
	write_history(deals, &deal, PG_GETARG_DATUM(2), elements, nelements, reason);
	args[1] = TimestampTzGetDatum(elements[0].at);
	if (crm_api_run_typed(psprintf("UPDATE %s d SET move_no = %d, created_at = $2 WHERE d.id OPERATOR(pg_catalog.=) $1",
								   crm_relation_name(RelationGetRelid(deals)), CRM_FOLLOW_HISTORY),
						  lengthof(types), types, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", crm_relation_name(RelationGetRelid(deals))),
						  "deal", &deal.id);
	crm_api_end(deals);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
