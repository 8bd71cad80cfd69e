/*
 * history/correction.c
 *		Writes corrected times to the history of a deal.
 *
 * First what they supersede is kept, in a row of deal_changes of the kind
 * 'corrected'.  The rows are then updated, and name that row in correction_id.  By this
 * the guard (history/guard.c) recognises the update, also in another backend.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/query.h"
#include "base/session.h"
#include "base/uuid.h"
#include "history/correction.h"
#include "history/timeline.h"
#include "table/columns.h"
#include "table/owner_rights.h"
#include "table/value_checks.h"

/* What a deal is worth: its amount, currency and value_period. */
#define NWORTH	3

static const Oid worth_types[NWORTH] = {NUMERICOID, TEXTOID, TEXTOID};

typedef struct Worth
{
	Datum		values[NWORTH];
	bool		nulls[NWORTH];
} Worth;

/*
 * A row of deal_changes of the present life, in their order.  Rows of corrections are
 * not corrected: each later correction would have to keep the rows that they hold.
 */
typedef struct Edit
{
	pg_uuid_t	id;
	int32		move_no;
	bool		is_created;
	bool		is_ordered;		/* its values are those before the next one */
	int32		with_move;		/* the move that it was written with; 0: none */
	TimestampTz entered_at,
				new_entered_at;
	TimestampTz changed_at,
				new_changed_at;
	Worth		before;			/* of one that is ordered and no creation */
} Edit;

/* ---- deal_changes ---- */

/* Of a row of the last query's result, from that column on; where it is. */
static Worth
get_worth(int row, int column)
{
	Worth		worth;

	for (int i = 0; i < NWORTH; i++)
		worth.values[i] = crm_result_value(row, column + i, worth_types[i], &worth.nulls[i]);
	return worth;
}

/* What the deal is worth now. */
static Worth
read_present(const Timeline *timeline)
{
	static const Oid types[] = {UUIDOID, UUIDOID};
	Datum		args[] = {
		UUIDPGetDatum(&timeline->deal.id), UUIDPGetDatum(&timeline->deal.tenant_id)
	};
	Worth		none = {{0}, {true, true, true}};

	(void) crm_run_once(psprintf("SELECT d.amount::pg_catalog.numeric, d.currency::pg_catalog.text, "
								 "d.value_period::pg_catalog.text FROM %s d "
								 "WHERE d.id OPERATOR(pg_catalog.=) $1 "
								 "AND d.tenant_id OPERATOR(pg_catalog.=) $2",
								 crm_relation_name(RelationGetRelid(timeline->deals))),
						lengthof(types), types, args, NULL);
	return SPI_processed > 0 ? get_worth(0, 1) : none;
}

static Edit *
read_edits(const Timeline *timeline, int *nedits)
{
	static const Oid types[] = {UUIDOID, UUIDOID, INT4OID};
	Datum		args[] = {
		UUIDPGetDatum(&timeline->deal.id), UUIDPGetDatum(&timeline->deal.tenant_id),
		Int32GetDatum(timeline->earlier_moves)
	};
	Edit	   *edits;

	(void) crm_run_once(psprintf("SELECT c.id::pg_catalog.uuid, c.move_no::pg_catalog.int4, c.change OPERATOR(pg_catalog.=) 'created', "
								 "c.stage_entered_at::pg_catalog.timestamptz, c.changed_at::pg_catalog.timestamptz, "
								 "COALESCE(c.with_move::pg_catalog.int4, 0), "
								 "c.change OPERATOR(pg_catalog.<>) 'edited', "
								 "c.old_amount::pg_catalog.numeric, c.old_currency::pg_catalog.text, "
								 "c.old_value_period::pg_catalog.text "
								 "FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 "
								 "AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND c.move_no OPERATOR(pg_catalog.>=) $3 "
								 "AND c.change OPERATOR(pg_catalog.<>) ALL ('{deleted,restored,recreated,corrected,erased}') "
								 "ORDER BY c.changed_at, c.version",
								 crm_trusted_sibling(timeline->deals, "deal_changes")),
						lengthof(types), types, args, NULL);
	*nedits = (int) SPI_processed;
	edits = palloc_array(Edit, *nedits + 1);
	for (int i = 0; i < *nedits; i++)
	{
		edits[i].id = *DatumGetUUIDP(crm_result_value(i, 1, UUIDOID, NULL));
		edits[i].move_no = DatumGetInt32(crm_result_value(i, 2, INT4OID, NULL));
		edits[i].is_created = DatumGetBool(crm_result_value(i, 3, BOOLOID, NULL));
		edits[i].entered_at = DatumGetTimestampTz(crm_result_value(i, 4, TIMESTAMPTZOID, NULL));
		edits[i].changed_at = DatumGetTimestampTz(crm_result_value(i, 5, TIMESTAMPTZOID, NULL));
		edits[i].with_move = DatumGetInt32(crm_result_value(i, 6, INT4OID, NULL));
		edits[i].is_ordered = DatumGetBool(crm_result_value(i, 7, BOOLOID, NULL));
		edits[i].before = get_worth(i, 8);
	}
	return edits;
}

/* The index of the visit after that many moves. */
static int
find_visit(const Timeline *timeline, int32 move_no)
{
	int			low = 0;
	int			high = timeline->nmoves;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (timeline->moves[middle].move_no <= move_no)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The new times of an edit: that of its visit, and its own if it was written with
 * a move, or is that of the deal's beginning.
 */
static void
follow_move(const Timeline *timeline, Edit *edit)
{
	int			visit = find_visit(timeline, edit->move_no);
	const TimelineVisit *stood = &timeline->visits[visit];
	const TimelineMove *next = visit < timeline->nmoves ? &timeline->moves[visit] : NULL;

	edit->new_entered_at = edit->entered_at == stood->entered_at ? stood->new_entered_at :
		edit->entered_at;
	edit->new_changed_at = edit->changed_at;
	if (edit->is_created && edit->changed_at == timeline->visits[0].entered_at)
		edit->new_changed_at = timeline->visits[0].new_entered_at;
	else if (next != NULL && edit->with_move == next->move_no)
		edit->new_changed_at = next->new_changed_at;
}

/*
 * A change that was written at a time of its own keeps it, in whatever stage the deal is
 * then, but not before the deal began.  The order of the rows stays, as each row has the
 * values before it.
 */
static void
follow_moves(const Timeline *timeline, Edit *edits, int nedits)
{
	TimestampTz start = timeline->has_beginning ? timeline->visits[0].new_entered_at : DT_NOBEGIN;
	TimestampTz next = DT_NOEND;
	TimestampTz last = start;

	for (int i = 0; i < nedits; i++)
		follow_move(timeline, &edits[i]);
	for (int i = nedits - 1; i >= 0; i--)
	{
		if (!edits[i].is_ordered)
			continue;
		if (edits[i].with_move > 0)
			edits[i].new_changed_at = Min(edits[i].new_changed_at, next);
		next = edits[i].new_changed_at;
	}
	for (int i = 0; i < nedits; i++)
	{
		edits[i].new_changed_at = Max(edits[i].new_changed_at, edits[i].is_ordered ? last : start);
		if (edits[i].is_ordered)
			last = edits[i].new_changed_at;
	}
}

/* What the deal was worth then, by the first change after it; present: what it is now. */
static const Worth *
find_worth(const Edit *edits, int nedits, const Worth *present, TimestampTz at)
{
	for (int i = 0; i < nedits; i++)
	{
		if (edits[i].is_ordered && !edits[i].is_created && edits[i].new_changed_at > at)
			return &edits[i].before;
	}
	return present;
}

/* ---- what is superseded ---- */

/* The watched columns: the same before and after. */
static const char *const value_columns[] = {
	"amount", "currency", "probability", "value_period", "expected_close_date", "owner_id", "archived_at"
};

static char *
keep_query(const Superseded *superseded)
{
	Relation	deals = superseded->deals;
	const char *deal_changes = crm_trusted_sibling(deals, "deal_changes");
	StringInfoData columns,
				values;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < lengthof(value_columns); i++)
	{
		appendStringInfo(&columns, ", old_%1$s, new_%1$s", value_columns[i]);
		appendStringInfo(&values, ", d.%1$s, d.%1$s", value_columns[i]);
	}
	return psprintf("INSERT INTO %1$s (tenant_id, deal_id, pipeline_id, stage_id, status, move_no, "
					"stage_entered_at, changed_at, version, change, changed_by, recorded_by, reason, "
					"superseded%4$s) "
					"SELECT d.tenant_id, d.id, d.pipeline_id, d.stage_id, d.status, d.move_no, $5, "
					"$7, $6, 'corrected', $8, SESSION_USER, $9, pg_catalog.jsonb_build_object("
					"'deals', (SELECT pg_catalog.jsonb_build_object('created_at', t.created_at, "
					"'stage_entered_at', t.stage_entered_at, 'won_at', t.won_at, 'lost_at', t.lost_at) "
					"FROM %2$s t WHERE t.id OPERATOR(pg_catalog.=) $1), "
					"'stage_changes', COALESCE((SELECT pg_catalog.jsonb_agg("
					"pg_catalog.to_jsonb(c) ORDER BY c.move_no) FROM %3$s c "
					"WHERE c.id OPERATOR(pg_catalog.=) ANY ($3)), '[]'::pg_catalog.jsonb), "
					"'deal_changes', COALESCE((SELECT pg_catalog.jsonb_agg("
					"pg_catalog.to_jsonb(c) ORDER BY c.changed_at, c.version) "
					"FROM %1$s c WHERE c.id OPERATOR(pg_catalog.=) ANY ($4)), '[]'::pg_catalog.jsonb))%5$s "
					"FROM %2$s d WHERE d.id OPERATOR(pg_catalog.=) $1 AND d.tenant_id OPERATOR(pg_catalog.=) $2 "
					"RETURNING id::pg_catalog.uuid",
					deal_changes, crm_relation_name(RelationGetRelid(deals)),
					crm_trusted_sibling(deals, "stage_changes"), columns.data, values.data);
}

pg_uuid_t *
crm_keep_superseded(const Superseded *superseded, TimestampTz stage_entered_at, int32 version,
					TimestampTz at, const char *reason)
{
	static const Oid types[] = {
		UUIDOID, UUIDOID, UUIDARRAYOID, UUIDARRAYOID, TIMESTAMPTZOID, INT4OID, TIMESTAMPTZOID,
		TEXTOID, TEXTOID
	};
	Datum		args[] = {
		UUIDPGetDatum(superseded->deal_id), UUIDPGetDatum(superseded->tenant_id),
		superseded->moves, superseded->edits, TimestampTzGetDatum(stage_entered_at),
		Int32GetDatum(version), TimestampTzGetDatum(at),
		CStringGetTextDatum(crm_session_actor()), CStringGetTextDatum(reason != NULL ? reason : "")
	};
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	crm_check_remark(reason, "reason");
	if (crm_run_once(keep_query(superseded), lengthof(types), types, args,
					 reason != NULL ? NULL : "        n") != SPI_OK_INSERT_RETURNING)
		crm_refuse_rule("deal_changes", "INSERT");
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the correction of deal %s could not be recorded", crm_uuid_text(superseded->deal_id)),
				 errdetail("A trigger or a rule of table \"deal_changes\" suppressed its row."),
				 errhint("Drop it, or let it pass rows of the change \"corrected\".")));
	*id = *DatumGetUUIDP(crm_result_value(0, 1, UUIDOID, NULL));
	return id;
}

/* ---- writing ---- */

typedef struct Corrected
{
	ArrayBuildState *ids;
	ArrayBuildState *entered_at;
	ArrayBuildState *changed_at;
	/* Of moves: */
	ArrayBuildState *closed_at; /* as JSON: null if that stays */
	ArrayBuildState *worth[NWORTH]; /* at changed_at */
} Corrected;

static void
corrected_init(Corrected *corrected)
{
	corrected->ids = initArrayResult(UUIDOID, CurrentMemoryContext, false);
	corrected->entered_at = initArrayResult(TIMESTAMPTZOID, CurrentMemoryContext, false);
	corrected->changed_at = initArrayResult(TIMESTAMPTZOID, CurrentMemoryContext, false);
	corrected->closed_at = initArrayResult(JSONBOID, CurrentMemoryContext, false);
	for (int i = 0; i < NWORTH; i++)
		corrected->worth[i] = initArrayResult(worth_types[i], CurrentMemoryContext, false);
}

static void
add(ArrayBuildState *array, Datum value, bool isnull)
{
	(void) accumArrayResult(array, value, isnull, array->element_type, CurrentMemoryContext);
}

static Datum
make_array(ArrayBuildState *array)
{
	return makeArrayResult(array, CurrentMemoryContext);
}

/*
 * As jsonb_build_object() writes it.  That function is stable, and Citus refuses an UPDATE
 * that calls stable functions.
 */
static Datum
json_time(TimestampTz time)
{
	char		buffer[MAXDATELEN + 1];

	JsonEncodeDateTime(buffer, TimestampTzGetDatum(time), TIMESTAMPTZOID, NULL);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(psprintf("\"%s\"", buffer)));
}

static void
add_edit(Corrected *corrected, Edit *edit)
{
	add(corrected->ids, UUIDPGetDatum(&edit->id), false);
	add(corrected->entered_at, TimestampTzGetDatum(edit->new_entered_at), false);
	add(corrected->changed_at, TimestampTzGetDatum(edit->new_changed_at), false);
}

static void
add_move(Corrected *corrected, TimelineMove *move, const Worth *worth)
{
	bool		closed_anew = move->has_closed_at && move->new_closed_at != move->closed_at;

	if (move->new_entered_at == move->entered_at && move->new_changed_at == move->changed_at &&
		!closed_anew)
		return;
	add(corrected->ids, UUIDPGetDatum(&move->id), false);
	add(corrected->entered_at, TimestampTzGetDatum(move->new_entered_at), false);
	add(corrected->changed_at, TimestampTzGetDatum(move->new_changed_at), false);
	add(corrected->closed_at, closed_anew ? json_time(move->new_closed_at) : (Datum) 0,
		!closed_anew);
	for (int i = 0; i < NWORTH; i++)
		add(corrected->worth[i], worth->values[i], worth->nulls[i]);
}

void
crm_refuse_suppressed(const pg_uuid_t *deal_id, const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the history of deal %s could not be corrected", crm_uuid_text(deal_id)),
			 errdetail("A trigger or a rule of table \"%s\" suppressed some of its rows.", table),
			 errhint("Drop it, or let it pass rows that set correction_id.")));
}

static void
update(Corrected *corrected, const char *table, const char *query, const pg_uuid_t *correction,
	   const Timeline *timeline)
{
	static const Oid types[] = {
		UUIDOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, UUIDOID, JSONBARRAYOID,
		NUMERICARRAYOID, TEXTARRAYOID, TEXTARRAYOID
	};
	Datum		args[] = {
		UUIDPGetDatum(correction), make_array(corrected->ids), make_array(corrected->entered_at),
		make_array(corrected->changed_at), UUIDPGetDatum(&timeline->deal.id),
		make_array(corrected->closed_at), make_array(corrected->worth[0]),
		make_array(corrected->worth[1]), make_array(corrected->worth[2])
	};

	if (corrected->ids->nelems == 0)
		return;
	if (crm_run_once(query, lengthof(types), types, args, NULL) != SPI_OK_UPDATE)
		crm_refuse_rule(table, "UPDATE");
	if (SPI_processed != corrected->ids->nelems)
		crm_refuse_suppressed(&timeline->deal.id, table);
}

#define FROM_ARRAYS(more, names) \
	"FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)" more ") " \
	"AS n (id, entered_at, changed_at" names ") " \
	"WHERE c.id OPERATOR(pg_catalog.=) n.id AND c.deal_id OPERATOR(pg_catalog.=) $5"

/* What the deal was worth at the time of the move follows the time. */
#define AT_ITS_TIME(column) \
	column " = CASE WHEN c.changed_at OPERATOR(pg_catalog.=) n.changed_at " \
	"THEN c." column " ELSE n." column " END"

static void
update_moves(Corrected *moves, const pg_uuid_t *correction, const Timeline *timeline)
{
	update(moves, "stage_changes",
		   psprintf("UPDATE %s c SET entered_at = n.entered_at, changed_at = n.changed_at, correction_id = $1, "
					AT_ITS_TIME("amount") ", " AT_ITS_TIME("currency") ", "
					AT_ITS_TIME("value_period") ", "
					"closing = COALESCE(pg_catalog.jsonb_set(c.closing, "
					"CASE WHEN pg_catalog.jsonb_exists(c.closing, 'won_at') "
					"THEN '{won_at}'::pg_catalog.text[] ELSE '{lost_at}'::pg_catalog.text[] END, "
					"n.closed_at), c.closing) "
					FROM_ARRAYS(", pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), "
								"pg_catalog.unnest($9)",
								", closed_at, amount, currency, value_period"),
					crm_trusted_sibling(timeline->deals, "stage_changes")),
		   correction, timeline);
}

static void
update_edits(Corrected *edits, const pg_uuid_t *correction, const Timeline *timeline)
{
	update(edits, "deal_changes",
		   psprintf("UPDATE %s c SET stage_entered_at = n.entered_at, changed_at = n.changed_at, "
					"correction_id = $1 " FROM_ARRAYS("", ""),
					crm_trusted_sibling(timeline->deals, "deal_changes")),
		   correction, timeline);
}

/* The rows whose times are to be others. */
static void
collect(const Timeline *timeline, Corrected *moves, Corrected *changed_edits)
{
	Worth		present = read_present(timeline);
	int			nedits;
	Edit	   *edits = read_edits(timeline, &nedits);

	follow_moves(timeline, edits, nedits);
	corrected_init(moves);
	for (int i = 0; i < timeline->nmoves; i++)
		add_move(moves, &timeline->moves[i],
				 find_worth(edits, nedits, &present, timeline->moves[i].new_changed_at));
	corrected_init(changed_edits);
	for (int i = 0; i < nedits; i++)
	{
		if (edits[i].new_entered_at != edits[i].entered_at ||
			edits[i].new_changed_at != edits[i].changed_at)
			add_edit(changed_edits, &edits[i]);
	}
}

void
crm_timeline_write(const Timeline *timeline, int32 version, TimestampTz at, const char *reason)
{
	SavedUser	saved;
	Corrected	moves,
				edits;
	Superseded	superseded = {
		.deals = timeline->deals,
		.deal_id = &timeline->deal.id,
		.tenant_id = &timeline->deal.tenant_id,
	};
	pg_uuid_t  *correction;

	SPI_connect();
	crm_become_owner(timeline->deals, &saved);
	collect(timeline, &moves, &edits);
	superseded.moves = make_array(moves.ids);
	superseded.edits = make_array(edits.ids);
	correction = crm_keep_superseded(&superseded, crm_timeline_present(timeline)->new_entered_at,
									 version, at, reason);
	update_moves(&moves, correction, timeline);
	update_edits(&edits, correction, timeline);
	crm_restore_user(&saved);
	SPI_finish();
}
