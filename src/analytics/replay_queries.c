/*
 * analytics/replay_queries.c
 *		The queries of a replay.
 *
 * They run with the caller's rights and search path, so every operator and type
 * is named with its schema.  Custom plans: the planner sees the parameters as
 * constants, so it can estimate how many rows are later, and choose an index scan if
 * there are few.  Of a small pipeline, whose deals are known, rows are read by their ids:
 * the plan is the same for all, and is kept, as planning would take longer than reading.
 * So is the plan that finds these deals, by indexes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "storage/itemptr.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "analytics/block_range.h"
#include "analytics/lives.h"
#include "analytics/replay.h"
#include "analytics/replay_columns.h"
#include "base/query.h"
#include "base/report_shape.h"
#include "base/shard.h"
#include "base/uuid.h"
#include "history/erasure.h"
#include "table/columns.h"

/*
 * %1$s is the table, %2$s stage_changes, %3$s deal_changes and %2$s the select list, if
 * the table has one.  $1 tenant, $2 pipeline, $3 from_at, $4 to_at, $5 ids, $6 and $7 the
 * blocks from and before which to read, $8 how many ids.
 *
 * The moves are those that ended a visit which began by to_at: later visits do not
 * concern the period.
 *
 * All conditions but those on ids are checked for each row once more: where the planner
 * reads the whole table, or the rows of the period stand together, the query has none of
 * them, as PostgreSQL takes longer for them.
 */
static const char *const queries[] = {
	/*
	 * Of a deal that was here: it is, or it left, or was deleted; or that of
	 * a gap.
	 */
	[REPLAY_READ_IDS] =
	"SELECT d.id::pg_catalog.uuid, false FROM %1$s d "
	"WHERE d.tenant_id OPERATOR(pg_catalog.=) $1 AND d.pipeline_id OPERATOR(pg_catalog.=) $2 "
	"UNION ALL SELECT m.deal_id::pg_catalog.uuid, false FROM %2$s m WHERE m.from_pipeline_id OPERATOR(pg_catalog.=) $2 "
	"AND m.changed_at OPERATOR(pg_catalog.>) $3 AND m.tenant_id OPERATOR(pg_catalog.=) $1 "
	"UNION ALL SELECT c.deal_id::pg_catalog.uuid, c.change OPERATOR(pg_catalog.=) '" CRM_ERASED "' FROM %3$s c "
	"WHERE c.change OPERATOR(pg_catalog.=) ANY ('{deleted,restored,recreated," CRM_ERASED "}') "
	"AND c.pipeline_id OPERATOR(pg_catalog.=) ANY (ARRAY[$2, '" CRM_NO_ID "'::pg_catalog.uuid]) "
	"AND c.changed_at OPERATOR(pg_catalog.>) $3 AND c.tenant_id OPERATOR(pg_catalog.=) $1 "
	"LIMIT $8",
	[REPLAY_READ_UNDONE] =
	"SELECT c.deal_id::pg_catalog.uuid, c.reverts_no::pg_catalog.int4, c.move_no::pg_catalog.int4 "
	"FROM %1$s c WHERE c.reverts_no IS NOT NULL AND c.changed_at OPERATOR(pg_catalog.>) $3 "
	"AND c.tenant_id OPERATOR(pg_catalog.=) $1",
	[REPLAY_READ_EDITS] =
	"SELECT %2$s FROM %1$s c WHERE c.change OPERATOR(pg_catalog.<>) 'created' "
	"AND c.changed_at OPERATOR(pg_catalog.>) $3%3$s",
	[REPLAY_READ_MOVES] =
	"SELECT %2$s FROM %1$s c WHERE (c.from_pipeline_id OPERATOR(pg_catalog.=) $2 OR c.to_pipeline_id OPERATOR(pg_catalog.=) $2 "
	"AND c.from_pipeline_id OPERATOR(pg_catalog.<>) c.to_pipeline_id) "
	"AND c.reverts_no IS NULL%3$s",
	[REPLAY_READ_DEALS] =
	"SELECT %2$s FROM %1$s c WHERE c.pipeline_id OPERATOR(pg_catalog.=) $2%3$s",
	[REPLAY_READ_OTHER_DEALS] =
	"SELECT %2$s FROM %1$s c WHERE c.id OPERATOR(pg_catalog.=) ANY ($5)%3$s",
};

/* Without conditions: %s is the select list and the table. */
#define ALL_ROWS	"SELECT %s FROM %s c"

#define ROWS_OF_BLOCKS \
	ALL_ROWS " WHERE c.ctid OPERATOR(pg_catalog.>=) $6 AND c.ctid OPERATOR(pg_catalog.<) $7"

/*
 * When the deal of c, which was closed then, had been closed.  The move out of its status tells,
 * if the deal was reopened; else the move into it, that was not taken back by then.  A deal
 * that was inserted as closed has it in a later move out of that status, or still; of one that
 * was deleted it is not known, and the time when it was inserted counts.  All of it is of the
 * same life of the deal.  %1$s is stage_changes, %2$s deals, %3$s life: when the life of c began,
 * and ended if another one followed, by numbers of moves; $1 the tenant.
 */
#define OF_DEAL(id, of) \
	"WHERE " id " OPERATOR(pg_catalog.=) c.deal_id AND " of ".tenant_id OPERATOR(pg_catalog.=) $1"

/* before and after: conditions of the beginnings of other lives; %1$s is deal_changes. */
#define LIFE(before, after) \
	"(SELECT COALESCE(pg_catalog.max(l.move_no) FILTER (WHERE " before "), 0) AS begun, " \
	"pg_catalog.min(l.move_no) FILTER (WHERE " after ") AS ended " \
	"FROM %1$s l " OF_DEAL("l.deal_id", "l") " AND l.change OPERATOR(pg_catalog.=) 'recreated')"

#define LIFE_OF_EDIT \
	LIFE("l.version OPERATOR(pg_catalog.<) c.version", "l.version OPERATOR(pg_catalog.>) c.version")

#define LIFE_OF_MOVE \
	LIFE("l.move_no OPERATOR(pg_catalog.<) c.move_no", "l.move_no OPERATOR(pg_catalog.>=) c.move_no")

#define ONLY_LIFE	"(SELECT 0 AS begun, NULL::pg_catalog.int4 AS ended)"

#define CLEARED(move) \
	"COALESCE(pg_catalog.jsonb_object_field_text(" move ".closing, 'won_at')::pg_catalog.timestamptz, " \
	"pg_catalog.jsonb_object_field_text(" move ".closing, 'lost_at')::pg_catalog.timestamptz)"

#define CLOSED_BY(status, compare) \
	"(SELECT m.changed_at FROM %1$s m " OF_DEAL("m.deal_id", "m") \
	" AND m.move_no OPERATOR(pg_catalog." compare ") c.move_no " \
	"AND m.move_no OPERATOR(pg_catalog.>) life.begun " \
	"AND m.to_status OPERATOR(pg_catalog.=) " status " AND m.from_status OPERATOR(pg_catalog.<>) " status " " \
	"AND m.reverts_no IS NULL AND NOT EXISTS (SELECT FROM %1$s r " \
	OF_DEAL("r.deal_id", "r") " AND r.reverts_no OPERATOR(pg_catalog.=) m.move_no " \
	"AND r.move_no OPERATOR(pg_catalog." compare ") c.move_no) " \
	"ORDER BY m.move_no DESC LIMIT 1)"

#define CLOSED_UNTIL_LATER(status) \
	"(SELECT " CLEARED("m") " FROM %1$s m " OF_DEAL("m.deal_id", "m") \
	" AND m.move_no OPERATOR(pg_catalog.>) c.move_no " \
	"AND m.move_no OPERATOR(pg_catalog.<=) COALESCE(life.ended, m.move_no) " \
	"AND " CLEARED("m") " IS NOT NULL ORDER BY m.move_no LIMIT 1), " \
	"(SELECT pg_catalog.max(COALESCE(d.won_at, d.lost_at)) FROM %2$s d " OF_DEAL("d.id", "d") \
	" AND d.status OPERATOR(pg_catalog.=) " status " AND life.ended IS NULL)"

#define INSERTED(status) \
	"(SELECT CASE WHEN m.from_status OPERATOR(pg_catalog.=) " status " THEN m.entered_at END FROM %1$s m " \
	OF_DEAL("m.deal_id", "m") " AND m.move_no OPERATOR(pg_catalog.<=) c.move_no " \
	"AND m.move_no OPERATOR(pg_catalog.>) life.begun ORDER BY m.move_no LIMIT 1)"

#define CLOSED_AT(status, compare) \
	"(SELECT COALESCE(" CLOSED_BY(status, compare) ", " CLOSED_UNTIL_LATER(status) ", " INSERTED(status) ") " \
	"FROM %3$s AS life)"

static const RowColumn edit_columns[] = {
	[ROW_TENANT_ID] = {"tenant_id", UUIDOID},
	[EDIT_DEAL_ID] = {"deal_id", UUIDOID},
	[EDIT_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID},
	[EDIT_MOVE_NO] = {"move_no", INT4OID},
	[EDIT_VERSION] = {"version", INT4OID},
	[EDIT_CHANGE] = {"change", TEXTOID},
	[EDIT_STAGE_ID] = {"stage_id", UUIDOID},
	[EDIT_ENTERED_AT] = {"stage_entered_at", TIMESTAMPTZOID},
	[EDIT_STATUS] = {"status", TEXTOID},
	[EDIT_PIPELINE_ID] = {"pipeline_id", UUIDOID},
	[EDIT_VALUES + VALUE_AMOUNT] = {"old_amount", NUMERICOID},
	[EDIT_VALUES + VALUE_CURRENCY] = {"old_currency", TEXTOID},
	[EDIT_VALUES + VALUE_PERIOD] = {"old_value_period", TEXTOID},
	[EDIT_VALUES + VALUE_ARCHIVED_AT] = {"old_archived_at", TIMESTAMPTZOID},
	[EDIT_VALUES + VALUE_PROBABILITY] = {"old_probability", NUMERICOID},
	[EDIT_VALUES + VALUE_OWNER_ID] = {"old_owner_id", UUIDOID},
	[EDIT_VALUES + VALUE_CLOSE_DATE] = {"old_expected_close_date", DATEOID},
	[EDIT_CLOSED_AT] = {
		"stage_entered_at", TIMESTAMPTZOID,
		"CASE WHEN c.status OPERATOR(pg_catalog.<>) 'open' AND c.change OPERATOR(pg_catalog.=) 'deleted' "
		"THEN COALESCE(" CLOSED_AT("c.status", "<=") ", c.stage_entered_at) END"
	},
};

static const RowColumn move_columns[] = {
	[ROW_TENANT_ID] = {"tenant_id", UUIDOID},
	[MOVE_DEAL_ID] = {"deal_id", UUIDOID},
	[MOVE_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID},
	[MOVE_MOVE_NO] = {"move_no", INT4OID},
	[MOVE_STAGE_ID] = {"from_stage_id", UUIDOID},
	[MOVE_ENTERED_AT] = {"entered_at", TIMESTAMPTZOID},
	[MOVE_STATUS] = {"from_status", TEXTOID},
	[MOVE_PIPELINE_ID] = {"from_pipeline_id", UUIDOID},
	[MOVE_TO_STATUS] = {"to_status", TEXTOID},
	[MOVE_TO_PIPELINE_ID] = {"to_pipeline_id", UUIDOID},
	[MOVE_PROBABILITY] = {"from_probability", NUMERICOID},
	[MOVE_CLOSED_AT] = {
		"closing", TIMESTAMPTZOID,
		"CASE WHEN c.from_status OPERATOR(pg_catalog.<>) 'open' THEN COALESCE(" CLEARED("c") ", "
		CLOSED_AT("c.from_status", "<") ", c.entered_at) END"
	},
	[MOVE_REVERTS_NO] = {"reverts_no", INT4OID},
};

static const RowColumn present_columns[] = {
	[ROW_TENANT_ID] = {"tenant_id", UUIDOID},
	[PRESENT_ID] = {"id", UUIDOID},
	[PRESENT_STAGE_ID] = {"stage_id", UUIDOID},
	[PRESENT_ENTERED_AT] = {"stage_entered_at", TIMESTAMPTZOID},
	[PRESENT_STATUS] = {"status", TEXTOID},
	[PRESENT_PIPELINE_ID] = {"pipeline_id", UUIDOID},
	[PRESENT_VALUES + VALUE_AMOUNT] = {"amount", NUMERICOID},
	[PRESENT_VALUES + VALUE_CURRENCY] = {"currency", TEXTOID},
	[PRESENT_VALUES + VALUE_PERIOD] = {"value_period", TEXTOID},
	[PRESENT_VALUES + VALUE_ARCHIVED_AT] = {"archived_at", TIMESTAMPTZOID},
	[PRESENT_VALUES + VALUE_PROBABILITY] = {"probability", NUMERICOID},
	[PRESENT_VALUES + VALUE_OWNER_ID] = {"owner_id", UUIDOID},
	[PRESENT_VALUES + VALUE_CLOSE_DATE] = {"expected_close_date", DATEOID},
	[PRESENT_WON_AT] = {"won_at", TIMESTAMPTZOID},
	[PRESENT_LOST_AT] = {"lost_at", TIMESTAMPTZOID},
};

#define COLUMN(number)	(1U << (number))
#define OF_DEALS(id)	" AND c." id " OPERATOR(pg_catalog.=) ANY ($5)"
#define ANY_DEALS		""

/* Of a small pipeline all moves are read: the index by time would be read from end to end. */
#define OF_PERIOD \
	" AND c.changed_at OPERATOR(pg_catalog.>) $3 AND c.entered_at OPERATOR(pg_catalog.<=) $4"

/* The table of each query, and what is read of it. */
static const struct
{
	const char *table;			/* NULL: that of the deals */
	const char *of_small;		/* further condition, of a small pipeline */
	const char *of_large;		/* and of any other one */
	const RowColumn *columns;	/* NULL: those that the query names */
	int			ncolumns;
	int			nrequired;
	uint32		of_owner;		/* only if an owner is asked about, or all are */
	uint32		of_close_date;	/* only if deals are told apart by it */
	uint32		of_probability; /* only if these are wanted */
	uint32		of_closing;
	int			time;			/* a column; 0: there is none */
	int			start;
}			tables[] =

{
	[REPLAY_READ_IDS] = {NULL, NULL, ANY_DEALS},
	[REPLAY_READ_UNDONE] = {"stage_changes", OF_DEALS("deal_id"), ANY_DEALS},
	[REPLAY_READ_EDITS] = {
		"deal_changes", OF_DEALS("deal_id"), ANY_DEALS, edit_columns, EDIT_NCOLUMNS, EDIT_VALUES,
		COLUMN(EDIT_VALUES + VALUE_OWNER_ID), COLUMN(EDIT_VALUES + VALUE_CLOSE_DATE),
		COLUMN(EDIT_VALUES + VALUE_PROBABILITY), COLUMN(EDIT_CLOSED_AT)
	},
	[REPLAY_READ_MOVES] = {
		"stage_changes", OF_DEALS("deal_id"), OF_PERIOD, move_columns, MOVE_NCOLUMNS, MOVE_PROBABILITY,
		0, 0, COLUMN(MOVE_PROBABILITY), COLUMN(MOVE_CLOSED_AT), MOVE_CHANGED_AT, MOVE_ENTERED_AT
	},
#define DEALS \
	present_columns, PRESENT_NCOLUMNS, PRESENT_VALUES, \
	COLUMN(PRESENT_VALUES + VALUE_OWNER_ID), COLUMN(PRESENT_VALUES + VALUE_CLOSE_DATE), \
	COLUMN(PRESENT_VALUES + VALUE_PROBABILITY), \
	COLUMN(PRESENT_WON_AT) | COLUMN(PRESENT_LOST_AT)
	[REPLAY_READ_DEALS] = {NULL, OF_DEALS("id"), ANY_DEALS, DEALS},
	[REPLAY_READ_OTHER_DEALS] = {NULL, NULL, ANY_DEALS, DEALS},
};

static Oid
table_id(const Replay *replay, ReplayRows rows)
{
	Relation	deals = replay->query.deals;

	return tables[rows].table == NULL ? RelationGetRelid(deals) :
		get_relname_relid(tables[rows].table, RelationGetNamespace(deals));
}

/* The columns, with what is read in place of some. */
static const RowColumn *
named_columns(const Replay *replay, ReplayRows rows)
{
	Size		size = tables[rows].ncolumns * sizeof(RowColumn);
	RowColumn  *columns = memcpy(palloc(size), tables[rows].columns, size);
	Relation	deals = replay->query.deals;
	const char *life = ONLY_LIFE;

	if (replay->has_lives)
		life = psprintf(rows == REPLAY_READ_EDITS ? LIFE_OF_EDIT : LIFE_OF_MOVE,
						crm_sibling_name(deals, "deal_changes"));
	for (int i = 0; i < tables[rows].ncolumns; i++)
	{
		if (columns[i].expression != NULL)
			columns[i].expression = psprintf(columns[i].expression,
											 crm_sibling_name(deals, "stage_changes"),
											 crm_relation_name(RelationGetRelid(deals)), life);
	}
	return columns;
}

/* The select list of the query; sets replay->columns. */
static char *
select_list(Replay *replay, ReplayRows rows)
{
	const ReplayQuery *query = &replay->query;
	const RowColumn *columns = tables[rows].columns;
	uint32		asked = COLUMN(tables[rows].ncolumns) - 1;

	if (query->owner_id == NULL && query->subject != REPLAY_OWNER)
		asked &= ~tables[rows].of_owner;
	if (query->subject != REPLAY_CLOSE_DATE)
		asked &= ~tables[rows].of_close_date;
	if (!query->want_probability)
		asked &= ~tables[rows].of_probability;
	if (!query->want_closed_at)
		asked &= ~tables[rows].of_closing;
	/* Only what is read of closings needs names. */
	if (query->want_closed_at && tables[rows].table != NULL)
		columns = named_columns(replay, rows);
	return crm_select_list(table_id(replay, rows), "c", columns, tables[rows].ncolumns,
						   tables[rows].nrequired, asked, &replay->columns);
}

/* The tenant of stored rows is at hand: crm_read_row() compares it for less than a query. */
static const char *
tenant_condition(const Replay *replay)
{
	return replay->columns.stored ? "" : " AND c.tenant_id OPERATOR(pg_catalog.=) $1";
}

static const char *
table_name(const Replay *replay, ReplayRows rows)
{
	Relation	deals = replay->query.deals;

	return tables[rows].table != NULL ? crm_sibling_name(deals, tables[rows].table) :
		crm_relation_name(RelationGetRelid(deals));
}

/* list: the select list, if the table has one. */
static char *
query_text(const Replay *replay, ReplayRows rows, const char *list)
{
	Relation	deals = replay->query.deals;

	if (list == NULL)
		return psprintf(queries[rows], table_name(replay, rows),
						crm_sibling_name(deals, "stage_changes"),
						crm_sibling_name(deals, "deal_changes"));
	return psprintf(queries[rows], table_name(replay, rows), list, tenant_condition(replay));
}

typedef struct QueryArguments
{
	Datum		values[8];
	char		nulls[9];
	ItemPointerData blocks[2];
} QueryArguments;

/* ids: or 0, if there are none. */
static void
set_arguments(const Replay *replay, ReplayRows rows, Datum ids, QueryArguments *args)
{
	const ReplayQuery *query = &replay->query;
	Datum		values[] = {
		UUIDPGetDatum(&query->tenant_id), UUIDPGetDatum(&query->pipeline_id),
		TimestampTzGetDatum(query->from_at), TimestampTzGetDatum(query->to_at), ids
	};

	memset(args, 0, sizeof(QueryArguments));
	memcpy(args->values, values, sizeof(values));
	strcpy(args->nulls, ids == (Datum) 0 ? "    nnnn" : "     nnn");
	if (rows == REPLAY_READ_IDS)
	{
		args->values[7] = Int64GetDatum((int64) replay->most_ids + 1);
		args->nulls[7] = ' ';
	}
}

/* Sets the blocks that have the rows of the period; false if these are not known. */
static bool
set_blocks(const Replay *replay, ReplayRows rows, QueryArguments *args)
{
	const RowColumn *columns = tables[rows].columns;
	BlockRange	range;

	if (tables[rows].time == 0 ||
		!crm_block_range(table_id(replay, rows),
						 columns[tables[rows].time].name, replay->query.from_at,
						 columns[tables[rows].start].name, replay->query.to_at, &range))
		return false;
	ItemPointerSet(&args->blocks[0], range.first, 0);
	ItemPointerSet(&args->blocks[1], range.end, 0);
	for (int i = 0; i < 2; i++)
	{
		args->values[5 + i] = PointerGetDatum(&args->blocks[i]);
		args->nulls[5 + i] = ' ';
	}
	return true;
}

/* Drops the conditions of the statement, if that is cheaper. */
static void
maybe_drop_conditions(const Replay *replay, ReplayRows rows, const char *list,
					  CrmStatement *statement, QueryArguments *args)
{
	CrmPlanned	planned = crm_look_at_plan(statement, args->values, args->nulls);
	const char *table = table_name(replay, rows);
	CrmStatement of_blocks = *statement;

	of_blocks.text = psprintf(ROWS_OF_BLOCKS, list, table);
	if (set_blocks(replay, rows, args) &&
		crm_look_at_plan(&of_blocks, args->values, args->nulls).cost <= planned.cost)
		*statement = of_blocks;
	else if (planned.reads_all && replay->columns.stored)
		statement->text = psprintf(ALL_ROWS, list, table);
}

/*
 * For planning what reads the ids, until AtEOXact_GUC(true, level) with the level returned.
 * It reads few rows, or stops after a few, while the planner of a plan that is kept
 * expects the share of a common pipeline, for which it would read the tables whole.
 */
static int
pin_index_scans(ReplayRows rows)
{
	static const char *const settings[] = {"enable_seqscan", "enable_bitmapscan"};
	int			level = NewGUCNestLevel();

	for (int i = 0; rows == REPLAY_READ_IDS && i < lengthof(settings); i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return level;
}

static const Oid types[] = {
	UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDARRAYOID, TIDOID, TIDOID, INT8OID
};

/* list: the select list, if the table has one. */
static CrmStatement
make_statement(const Replay *replay, ReplayRows rows, bool is_small, const char *list)
{
	return (CrmStatement)
	{
		.text = psprintf("%s%s", query_text(replay, rows, list),
						 is_small ? tables[rows].of_small : tables[rows].of_large),
			.nargs = lengthof(types),
			.argtypes = types,
		/* Else the best plan depends on the share of later rows. */
			.cursor_options = is_small || rows == REPLAY_READ_IDS ?
			crm_generic_plan(replay->query.deals) : CURSOR_OPT_CUSTOM_PLAN,
	};
}

void
crm_replay_read(Replay *replay, ReplayRows rows, Datum ids, ReplayReceiver receive)
{
	bool		is_small = ids != (Datum) 0 && tables[rows].of_small != NULL;
	const char *list = tables[rows].columns != NULL ? select_list(replay, rows) : NULL;
	CrmStatement statement = make_statement(replay, rows, is_small, list);
	QueryArguments args;
	int			level;

	set_arguments(replay, rows, ids, &args);
	if (list != NULL && ids == (Datum) 0)
		maybe_drop_conditions(replay, rows, list, &statement, &args);
	level = pin_index_scans(rows);
	crm_receive_rows(&statement, args.values, args.nulls, true, receive, replay);
	AtEOXact_GUC(true, level);
}

static void
note_life(TupleTableSlot *row, void *replay)
{
	((Replay *) replay)->has_lives = true;
}

void
crm_replay_prepare(Replay *replay)
{
	const ReplayQuery *query = &replay->query;

	replay->most_ids = crm_few_deals(query->deals, &query->pipeline_id);
	/* Mostly no deal has several, and planning for them would be for nothing. */
	replay->has_lives = false;
	if (query->want_closed_at)
		crm_receive_recreated(query->deals, &query->pipeline_id, false, note_life, replay);
}

/* To look a deal up in all tables takes as long as to read so many edits. */
#define EDITS_OF_LOOK_UP	32

bool
crm_replay_prefers_ids(Replay *replay, uint32 ndeals)
{
	CrmStatement statement;
	QueryArguments args;

	if (ndeals <= REPLAY_SMALL)
		return true;
	statement = make_statement(replay, REPLAY_READ_EDITS, false,
							   select_list(replay, REPLAY_READ_EDITS));
	set_arguments(replay, REPLAY_READ_EDITS, (Datum) 0, &args);
	return crm_look_at_plan(&statement, args.values, args.nulls).rows >
		(double) ndeals * EDITS_OF_LOOK_UP;
}
