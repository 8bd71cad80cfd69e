/*
 * history/replacement.c
 *		Replaces all moves of a deal.
 *
 * The old moves are kept in a correction and deleted, then the new ones are inserted.
 * Changes of values keep their times, except that none may be before the deal begins.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "base/query.h"
#include "base/session.h"
#include "history/correction.h"
#include "history/erasure.h"
#include "history/replacement.h"
#include "table/columns.h"
#include "table/owner_rights.h"

/* The rows of the deal; $1 is its id, $2 its tenant. */
#define OF_DEAL \
	"c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2"

/*
 * What the statements have in common.  Their parameters are $1 the deal, $2 its tenant,
 * $3 when it came into being, $4 its first stage, $5 the correction, $6 the ids of the
 * rows of deal_changes that are superseded.
 */
typedef struct Replacement
{
	const NewHistory *history;
	const char *stage_changes;
	const char *deal_changes;
	const char *stages;
	const char *deals;
	Datum		args[6];
} Replacement;

/* Runs a statement that needs the first nargs parameters; returns how many rows it concerned. */
static uint64
run(const Replacement *replacement, const char *query, int nargs)
{
	static const Oid types[] = {
		UUIDOID, UUIDOID, TIMESTAMPTZOID, UUIDOID, UUIDOID, UUIDARRAYOID
	};

	(void) crm_run_once(query, nargs, types, replacement->args, NULL);
	return SPI_processed;
}

/* ---- what is superseded ---- */

static Datum
find_ids(const Replacement *replacement, const char *table, const char *condition, int nargs)
{
	(void) run(replacement, psprintf("SELECT COALESCE(pg_catalog.array_agg(c.id::pg_catalog.uuid), '{}') "
									 "FROM %s c WHERE " OF_DEAL "%s", table, condition), nargs);
	return SPI_datumTransfer(crm_result_value(0, 1, UUIDARRAYOID, NULL), false, -1);
}

/*
 * Of deal_changes the row of the creation is superseded, and those that were written
 * after or with a move, whose numbers are no more, or would be before the beginning.
 */
static void
keep_superseded(Replacement *replacement, int32 version, const char *reason)
{
	const NewHistory *history = replacement->history;
	Superseded	superseded = {
		.deals = history->deals,
		.deal_id = &history->deal_id,
		.tenant_id = &history->tenant_id,
	};

	superseded.moves = find_ids(replacement, replacement->stage_changes, "", 2);
	superseded.edits = find_ids(replacement, replacement->deal_changes,
								" AND (c.change OPERATOR(pg_catalog.=) 'created' OR c.with_move IS NOT NULL "
								"OR c.move_no OPERATOR(pg_catalog.>) 0 OR c.changed_at OPERATOR(pg_catalog.<) $3) "
								"AND c.change OPERATOR(pg_catalog.<>) ALL ('{corrected,erased}')", 3);
	replacement->args[4] =
		UUIDPGetDatum(crm_keep_superseded(&superseded,
										  history->visits[history->nvisits - 1].entered_at,
										  version, GetCurrentTimestamp(), reason));
	replacement->args[5] = superseded.edits;
}

/* ---- the new moves ---- */

/*
 * The visits, in an order n; their parameters are $1 the deal, $2 a uuid of the
 * query's own, $3 to $7 what the elements of the history say, $8 the session's actor.
 * probability is null if it is not known, which that of a closed deal always is.
 * status_since is where the visits of that status began.
 */
#define VISITS \
	"WITH entered AS MATERIALIZED (" \
	"SELECT e.n, e.at, e.actor, s.pipeline_id, s.id AS stage_id, s.deal_status AS status, " \
	"CASE WHEN s.deal_status OPERATOR(pg_catalog.=) 'won' THEN 1 " \
	"WHEN s.deal_status OPERATOR(pg_catalog.=) 'lost' THEN 0 " \
	"ELSE e.probability END AS probability, s.probability AS of_stage, " \
	"CASE WHEN s.deal_status OPERATOR(pg_catalog.=) 'lost' THEN e.lost_reason END AS lost_reason, " \
	"pg_catalog.lag(s.deal_status) OVER (ORDER BY e.n) AS status_before " \
	"FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), " \
	"pg_catalog.unnest($6), pg_catalog.unnest($7)) WITH ORDINALITY " \
	"AS e (stage_id, at, actor, probability, lost_reason, n) " \
	"JOIN %1$s s ON s.id OPERATOR(pg_catalog.=) e.stage_id), " \
	"visits AS MATERIALIZED (" \
	"SELECT e.*, pg_catalog.max(e.at) FILTER (WHERE e.status_before IS NULL " \
	"OR e.status OPERATOR(pg_catalog.<>) e.status_before) OVER (ORDER BY e.n) AS status_since " \
	"FROM entered e) "

/* A move from the visit f to the visit t that makes it closed no longer, or in another way. */
#define IS_REOPENED \
	"f.status OPERATOR(pg_catalog.<>) 'open' AND f.status OPERATOR(pg_catalog.<>) t.status"

#define FROM_VISITS	"FROM visits f "

#define FROM_MOVES \
	FROM_VISITS "JOIN visits t ON t.n OPERATOR(pg_catalog.=) (f.n OPERATOR(pg_catalog.+) 1) "

/* What the deal was worth at the time of the move: before the first change after it. */
#define AT_ITS_TIME(column) \
	"CASE WHEN k.id IS NULL THEN d." column " ELSE k.old_" column " END"

/*
 * A row for each visit but the first, from the stage of the visit before it.  If that
 * one was closed, closing has what the move cleared: when the deal was won or lost,
 * and why it was lost.  $2 is the correction.
 */
#define INSERT_MOVES \
	VISITS \
	"INSERT INTO %2$s (tenant_id, deal_id, from_pipeline_id, from_stage_id, from_status, " \
	"from_probability, to_pipeline_id, to_stage_id, to_status, probability, entered_at, " \
	"changed_at, move_no, amount, currency, value_period, changed_by, recorded_by, closing, " \
	"correction_id) " \
	"SELECT d.tenant_id, d.id, f.pipeline_id, f.stage_id, f.status, " \
	"COALESCE(f.probability, f.of_stage), t.pipeline_id, t.stage_id, t.status, " \
	"COALESCE(t.probability, t.of_stage), f.at, t.at, f.n, " \
	AT_ITS_TIME("amount") ", " AT_ITS_TIME("currency") ", " AT_ITS_TIME("value_period") ", " \
	"COALESCE(t.actor, $8), SESSION_USER, " \
	"CASE WHEN " IS_REOPENED " THEN pg_catalog.jsonb_strip_nulls(" \
	"pg_catalog.jsonb_build_object(f.status OPERATOR(pg_catalog.||) '_at', f.status_since, " \
	"'lost_reason', f.lost_reason)) END, $2 " \
	FROM_MOVES "JOIN %3$s d ON d.id OPERATOR(pg_catalog.=) $1 " \
	"LEFT JOIN LATERAL (SELECT k.id, k.old_amount, k.old_currency, k.old_value_period " \
	"FROM %4$s k WHERE k.deal_id OPERATOR(pg_catalog.=) d.id " \
	"AND k.tenant_id OPERATOR(pg_catalog.=) d.tenant_id " \
	"AND k.change OPERATOR(pg_catalog.=) ANY ('{updated,archived,unarchived}') " \
	"AND k.changed_at OPERATOR(pg_catalog.>) t.at " \
	"ORDER BY k.changed_at, k.version LIMIT 1) k ON true ORDER BY f.n"

/* Runs a query over the VISITS; returns how many rows it concerned. */
static uint64
run_visits(const Replacement *replacement, const char *query, Datum second)
{
	static const Oid elements[] = {UUIDOID, TIMESTAMPTZOID, TEXTOID, NUMERICOID, TEXTOID};
	static const Oid types[] = {
		UUIDOID, UUIDOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, NUMERICARRAYOID,
		TEXTARRAYOID, TEXTOID
	};
	const NewHistory *history = replacement->history;
	ArrayBuildState *arrays[lengthof(elements)];
	Datum		args[lengthof(types)] = {replacement->args[0], second};

	for (int i = 0; i < lengthof(elements); i++)
		arrays[i] = initArrayResult(elements[i], CurrentMemoryContext, false);
	for (int i = 0; i < history->nvisits; i++)
	{
		const NewVisit *visit = &history->visits[i];
		Datum		values[] = {
			UUIDPGetDatum(&visit->stage_id), TimestampTzGetDatum(visit->entered_at),
			visit->actor != NULL ? CStringGetTextDatum(visit->actor) : (Datum) 0,
			NumericGetDatum(visit->probability),
			visit->lost_reason != NULL ? CStringGetTextDatum(visit->lost_reason) : (Datum) 0
		};
		bool		nulls[] = {
			false, false, visit->actor == NULL, visit->probability == NULL,
			visit->lost_reason == NULL
		};

		for (int j = 0; j < lengthof(elements); j++)
			arrays[j] = accumArrayResult(arrays[j], values[j], nulls[j], elements[j],
										 CurrentMemoryContext);
	}
	for (int i = 0; i < lengthof(elements); i++)
		args[2 + i] = makeArrayResult(arrays[i], CurrentMemoryContext);
	args[2 + lengthof(elements)] = CStringGetTextDatum(crm_session_actor());
	(void) crm_run_once(query, lengthof(types), types, args, NULL);
	return SPI_processed;
}

/* Counts them afterwards, as a rule or a trigger may keep old rows as well as new ones away. */
static bool
has_new_moves_only(const Replacement *replacement)
{
	int64		nmoves = replacement->history->nvisits - 1;

	(void) run(replacement,
			   psprintf("SELECT pg_catalog.count(*), "
						"pg_catalog.count(*) FILTER (WHERE c.correction_id OPERATOR(pg_catalog.=) $5) "
						"FROM %s c WHERE " OF_DEAL, replacement->stage_changes), 5);
	return DatumGetInt64(crm_result_value(0, 1, INT8OID, NULL)) == nmoves &&
		DatumGetInt64(crm_result_value(0, 2, INT8OID, NULL)) == nmoves;
}

static void
replace_moves(const Replacement *replacement)
{
	(void) run(replacement, psprintf("DELETE FROM %s c WHERE " OF_DEAL, replacement->stage_changes), 2);
	(void) run_visits(replacement, psprintf(INSERT_MOVES, replacement->stages,
											replacement->stage_changes, replacement->deals,
											replacement->deal_changes),
					  replacement->args[4]);
	if (!has_new_moves_only(replacement))
		crm_refuse_suppressed(&replacement->history->deal_id, "stage_changes");
}

/* ---- deal_changes ---- */

#define IS_CREATED "c.change OPERATOR(pg_catalog.=) 'created'"

/*
 * The row of the creation begins the first visit; no other one is before it.  Events of
 * the same time are in the order of move_no.
 */
#define UPDATE_EDITS \
	"UPDATE %1$s c SET " \
	"changed_at = CASE WHEN " IS_CREATED " THEN $3 ELSE GREATEST($3, c.changed_at) END, " \
	"move_no = CASE WHEN " IS_CREATED " THEN 0 ELSE (SELECT pg_catalog.count(*) FROM %3$s m " \
	"WHERE m.deal_id OPERATOR(pg_catalog.=) $1 AND m.tenant_id OPERATOR(pg_catalog.=) $2 " \
	"AND m.changed_at OPERATOR(pg_catalog.<=) GREATEST($3, c.changed_at)) END, " \
	"stage_entered_at = CASE WHEN " IS_CREATED " THEN $3 ELSE c.stage_entered_at END, " \
	"stage_id = CASE WHEN " IS_CREATED " THEN s.id ELSE c.stage_id END, " \
	"pipeline_id = CASE WHEN " IS_CREATED " THEN s.pipeline_id ELSE c.pipeline_id END, " \
	"status = CASE WHEN " IS_CREATED " THEN s.deal_status ELSE c.status END, " \
	"with_move = NULL, correction_id = $5 " \
	"FROM %2$s s WHERE s.id OPERATOR(pg_catalog.=) $4 " \
	"AND c.id OPERATOR(pg_catalog.=) ANY ($6) AND " OF_DEAL

static void
update_edits(const Replacement *replacement)
{
	ArrayType  *edits = DatumGetArrayTypeP(replacement->args[5]);
	uint64		nedits = ArrayGetNItems(ARR_NDIM(edits), ARR_DIMS(edits));
	const char *query = psprintf(UPDATE_EDITS, replacement->deal_changes, replacement->stages,
								 replacement->stage_changes);

	if (run(replacement, query, 6) != nedits)
		crm_refuse_suppressed(&replacement->history->deal_id, "deal_changes");
}

/*
 * Deleting the moves recorded a gap in the history, which there is not, as all of
 * them are replaced.  Earlier gaps remain, as they may be of values.
 */
static void
remove_gap(const Replacement *replacement)
{
	int			level = NewGUCNestLevel();

	/* Otherwise the row would be made again. */
	(void) set_config_option("crm.restoring", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	(void) run(replacement, psprintf("DELETE FROM %s c WHERE " OF_DEAL
									 " AND c.change OPERATOR(pg_catalog.=) '" CRM_ERASED "' "
									 "AND c.id OPERATOR(pg_catalog.>) $5", replacement->deal_changes), 5);
	AtEOXact_GUC(true, level);
}

/* ---- the functions ---- */

static void
begin(Replacement *replacement, const NewHistory *history, SavedUser *saved)
{
	*replacement = (Replacement)
	{
		.history = history,
			.stage_changes = crm_trusted_sibling(history->deals, "stage_changes"),
			.deal_changes = crm_trusted_sibling(history->deals, "deal_changes"),
			.stages = crm_trusted_sibling(history->deals, "stages"),
			.deals = crm_relation_name(RelationGetRelid(history->deals)),
			.args =
		{
			UUIDPGetDatum(&history->deal_id), UUIDPGetDatum(&history->tenant_id),
				TimestampTzGetDatum(history->visits[0].entered_at),
				UUIDPGetDatum(&history->visits[0].stage_id)
		},
	};
	crm_become_owner(history->deals, saved);
}

/* The moves that are as the visits say, as far as these say it; $2 is the tenant. */
#define SAME_MOVES \
	VISITS \
	"SELECT " FROM_MOVES "JOIN %2$s c ON " OF_DEAL \
	" AND c.move_no OPERATOR(pg_catalog.=) f.n " \
	"WHERE c.reverts_no IS NULL " \
	"AND c.from_stage_id OPERATOR(pg_catalog.=) f.stage_id " \
	"AND c.from_status OPERATOR(pg_catalog.=) f.status " \
	"AND c.to_stage_id OPERATOR(pg_catalog.=) t.stage_id " \
	"AND c.to_status OPERATOR(pg_catalog.=) t.status " \
	"AND c.entered_at OPERATOR(pg_catalog.=) f.at " \
	"AND c.changed_at OPERATOR(pg_catalog.=) t.at " \
	"AND (f.probability IS NULL OR c.from_probability OPERATOR(pg_catalog.=) f.probability) " \
	"AND (t.probability IS NULL OR c.probability OPERATOR(pg_catalog.=) t.probability) " \
	"AND (t.actor IS NULL OR c.changed_by OPERATOR(pg_catalog.=) t.actor) " \
	"AND (NOT (" IS_REOPENED ") OR pg_catalog.jsonb_object_field_text(" \
	"c.closing, f.status OPERATOR(pg_catalog.||) '_at')::pg_catalog.timestamptz " \
	"OPERATOR(pg_catalog.=) f.status_since " \
	"AND (f.lost_reason IS NULL OR pg_catalog.jsonb_object_field_text(" \
	"c.closing, 'lost_reason') OPERATOR(pg_catalog.=) f.lost_reason))"

/* The deal, if it has the times of the visits. */
#define SAME_DEAL \
	VISITS \
	"SELECT " FROM_VISITS "JOIN %2$s d ON d.id OPERATOR(pg_catalog.=) $1 " \
	"WHERE f.n OPERATOR(pg_catalog.=) pg_catalog.cardinality($3) " \
	"AND d.move_no OPERATOR(pg_catalog.=) (f.n OPERATOR(pg_catalog.-) 1) " \
	"AND d.created_at OPERATOR(pg_catalog.=) ($4)[1] " \
	"AND d.stage_entered_at OPERATOR(pg_catalog.=) f.at " \
	"AND (f.status OPERATOR(pg_catalog.=) 'open' " \
	"OR COALESCE(d.won_at, d.lost_at) OPERATOR(pg_catalog.=) f.status_since)"

/* The rows of deal_changes that would get another time, or another stage. */
#define OTHER_EDITS \
	"SELECT FROM %s c WHERE " OF_DEAL \
	" AND c.change OPERATOR(pg_catalog.<>) ALL ('{corrected,erased}') " \
	"AND (c.changed_at OPERATOR(pg_catalog.<) $3 OR " IS_CREATED \
	" AND (c.changed_at OPERATOR(pg_catalog.>) $3 OR c.stage_id OPERATOR(pg_catalog.<>) $4 " \
	"OR c.stage_entered_at OPERATOR(pg_catalog.<>) $3))"

static bool
stands(const Replacement *replacement)
{
	uint64		nmoves = replacement->history->nvisits - 1;

	return run(replacement, psprintf("SELECT FROM %s c WHERE " OF_DEAL,
									 replacement->stage_changes), 2) == nmoves &&
		run_visits(replacement, psprintf(SAME_MOVES, replacement->stages,
										 replacement->stage_changes),
				   replacement->args[1]) == nmoves &&
		run_visits(replacement, psprintf(SAME_DEAL, replacement->stages, replacement->deals),
				   replacement->args[1]) == 1 &&
		run(replacement, psprintf(OTHER_EDITS, replacement->deal_changes), 4) == 0;
}

bool
crm_history_stands(const NewHistory *history)
{
	Replacement replacement;
	SavedUser	saved;
	bool		result;

	begin(&replacement, history, &saved);
	result = stands(&replacement);
	crm_restore_user(&saved);
	return result;
}

void
crm_replace_moves(const NewHistory *history, int32 version, const char *reason)
{
	Replacement replacement;
	SavedUser	saved;

	begin(&replacement, history, &saved);
	keep_superseded(&replacement, version, reason);
	replace_moves(&replacement);
	update_edits(&replacement);
	remove_gap(&replacement);
	crm_restore_user(&saved);
}
