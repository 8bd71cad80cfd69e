/*
 * analytics/replay_rows.c
 *		The queries of a replay, and what their rows say.
 *
 * They run with the caller's rights and search path, so every operator and type
 * is named with its schema.  Custom plans: the planner sees the parameters as
 * constants, so it can estimate how many rows are later, and choose an index scan if
 * there are few.  Of a small pipeline, whose deals are known, rows are read by their ids:
 * the plan is the same for all, and is kept, as planning would take longer than reading.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "analytics/replay.h"
#include "base/errors.h"
#include "base/query.h"
#include "base/shard.h"
#include "base/short_text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "history/erasure.h"
#include "table/columns.h"

/*
 * %1$s is the table, %2$s stage_changes, %3$s deal_changes and %2$s the select list, if
 * the table has one.  $1 tenant, $2 pipeline, $3 from_at, $4 to_at, $5 ids.
 *
 * The moves are those that ended a visit which began by to_at: later visits do not
 * concern the period.
 *
 * All conditions but those on ids are checked for each row once more: where the planner
 * reads the whole table, the query has none of them, as PostgreSQL takes longer for them.
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
	"WHERE c.change OPERATOR(pg_catalog.=) ANY ('{deleted,restored," CRM_ERASED "}') "
	"AND c.pipeline_id OPERATOR(pg_catalog.=) ANY (ARRAY[$2, '" CRM_NO_ID "'::pg_catalog.uuid]) "
	"AND c.changed_at OPERATOR(pg_catalog.>) $3 AND c.tenant_id OPERATOR(pg_catalog.=) $1 "
	"LIMIT " CppAsString2(REPLAY_SMALL) " OPERATOR(pg_catalog.+) 1",
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

/* The first column of each table here. */
#define ROW_TENANT_ID	0

/* Those of the columns that get_values() reads, in this order. */
enum
{
	VALUE_AMOUNT,
	VALUE_CURRENCY,
	VALUE_PERIOD,
	VALUE_ARCHIVED_AT,
	VALUE_PROBABILITY,
	VALUE_OWNER_ID,
	VALUE_CLOSE_DATE,
	NVALUES
};

/* The first EDIT_VALUES columns are not null. */
enum
{
	EDIT_DEAL_ID = ROW_TENANT_ID + 1,
	EDIT_CHANGED_AT,
	EDIT_MOVE_NO,
	EDIT_VERSION,
	EDIT_CHANGE,
	EDIT_STAGE_ID,
	EDIT_ENTERED_AT,
	EDIT_STATUS,
	EDIT_PIPELINE_ID,
	EDIT_VALUES,
	EDIT_NCOLUMNS = EDIT_VALUES + NVALUES
};

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
};

/* The first MOVE_PROBABILITY columns are not null. */
enum
{
	MOVE_DEAL_ID = ROW_TENANT_ID + 1,
	MOVE_CHANGED_AT,
	MOVE_MOVE_NO,
	MOVE_STAGE_ID,
	MOVE_ENTERED_AT,
	MOVE_STATUS,
	MOVE_PIPELINE_ID,
	MOVE_TO_STATUS,
	MOVE_TO_PIPELINE_ID,
	MOVE_PROBABILITY,
	MOVE_CLOSED_AT,
	MOVE_REVERTS_NO,
	MOVE_NCOLUMNS
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
		"CASE WHEN c.from_status OPERATOR(pg_catalog.<>) 'open' THEN COALESCE("
		"pg_catalog.jsonb_object_field_text(c.closing, 'won_at')::pg_catalog.timestamptz, "
		"pg_catalog.jsonb_object_field_text(c.closing, 'lost_at')::pg_catalog.timestamptz, "
		"c.entered_at) END"
	},
	[MOVE_REVERTS_NO] = {"reverts_no", INT4OID},
};

/* The first PRESENT_VALUES columns are not null. */
enum
{
	PRESENT_ID = ROW_TENANT_ID + 1,
	PRESENT_STAGE_ID,
	PRESENT_ENTERED_AT,
	PRESENT_STATUS,
	PRESENT_PIPELINE_ID,
	PRESENT_VALUES,
	PRESENT_WON_AT = PRESENT_VALUES + NVALUES,
	PRESENT_LOST_AT,
	PRESENT_NCOLUMNS
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
}			tables[] =

{
	[REPLAY_READ_IDS] = {NULL, NULL, ANY_DEALS},
	[REPLAY_READ_UNDONE] = {"stage_changes", OF_DEALS("deal_id"), ANY_DEALS},
	[REPLAY_READ_EDITS] = {
		"deal_changes", OF_DEALS("deal_id"), ANY_DEALS, edit_columns, EDIT_NCOLUMNS, EDIT_VALUES,
		COLUMN(EDIT_VALUES + VALUE_OWNER_ID), COLUMN(EDIT_VALUES + VALUE_CLOSE_DATE),
		COLUMN(EDIT_VALUES + VALUE_PROBABILITY)
	},
	[REPLAY_READ_MOVES] = {
		"stage_changes", OF_DEALS("deal_id"), OF_PERIOD, move_columns, MOVE_NCOLUMNS, MOVE_PROBABILITY,
		0, 0, COLUMN(MOVE_PROBABILITY), COLUMN(MOVE_CLOSED_AT)
	},
#define DEALS \
	present_columns, PRESENT_NCOLUMNS, PRESENT_VALUES, \
	COLUMN(PRESENT_VALUES + VALUE_OWNER_ID), COLUMN(PRESENT_VALUES + VALUE_CLOSE_DATE), \
	COLUMN(PRESENT_VALUES + VALUE_PROBABILITY), \
	COLUMN(PRESENT_WON_AT) | COLUMN(PRESENT_LOST_AT)
	[REPLAY_READ_DEALS] = {NULL, OF_DEALS("id"), ANY_DEALS, DEALS},
	[REPLAY_READ_OTHER_DEALS] = {NULL, NULL, ANY_DEALS, DEALS},
};

/* The select list of the query; sets replay->columns. */
static char *
select_list(Replay *replay, ReplayRows rows)
{
	const ReplayQuery *query = &replay->query;
	uint32		asked = COLUMN(tables[rows].ncolumns) - 1;
	Oid			relid = RelationGetRelid(query->deals);

	if (query->owner_id == NULL && query->subject != REPLAY_OWNER)
		asked &= ~tables[rows].of_owner;
	if (query->subject != REPLAY_CLOSE_DATE)
		asked &= ~tables[rows].of_close_date;
	if (!query->want_probability)
		asked &= ~tables[rows].of_probability;
	if (!query->want_closed_at)
		asked &= ~tables[rows].of_closing;
	if (tables[rows].table != NULL)
		relid = get_relname_relid(tables[rows].table, RelationGetNamespace(query->deals));
	return crm_select_list(relid, "c", tables[rows].columns, tables[rows].ncolumns,
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

void
crm_replay_read(Replay *replay, ReplayRows rows, Datum ids, ReplayReceiver receive)
{
	static const Oid types[] = {
		UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDARRAYOID
	};
	const ReplayQuery *query = &replay->query;
	Datum		args[] = {
		UUIDPGetDatum(&query->tenant_id), UUIDPGetDatum(&query->pipeline_id),
		TimestampTzGetDatum(query->from_at), TimestampTzGetDatum(query->to_at), ids
	};
	char		nulls[] = "     ";
	bool		is_small = ids != (Datum) 0 && tables[rows].of_small != NULL;
	const char *list = tables[rows].columns != NULL ? select_list(replay, rows) : NULL;
	const char *text = query_text(replay, rows, list);
	CrmStatement statement = {
		.text = psprintf("%s%s", text, is_small ? tables[rows].of_small : tables[rows].of_large),
		.nargs = lengthof(types),
		.argtypes = types,
		/* Else the best plan depends on the share of later rows. */
		.cursor_options = is_small ? crm_generic_plan(query->deals) : CURSOR_OPT_CUSTOM_PLAN,
	};

	if (ids == (Datum) 0)
		nulls[4] = 'n';
	if (list != NULL && replay->columns.stored && ids == (Datum) 0 &&
		crm_reads_all(&statement, args, nulls))
		statement.text = psprintf("SELECT %s FROM %s c", list, table_name(replay, rows));
	crm_receive_rows(&statement, args, nulls, true, receive, replay);
}

/* Decodes a row whose time, if it has one, is after from_at; false for any other. */
static inline bool
read_row(Replay *replay, TupleTableSlot *row, int time)
{
	RowFilter	filter = {&replay->query.tenant_id, time, replay->query.from_at};

	return crm_read_row(&replay->columns, row, &filter);
}

/* Whether the pipeline is the one that is asked about. */
static inline bool
is_here(const Replay *replay, int column)
{
	return crm_uuid_equal(DatumGetUUIDP(replay->columns.values[column]),
						  &replay->query.pipeline_id);
}

static inline uint8
get_status(const RowColumns *columns, int column)
{
	DealStatus	status;

	/* An invalid status counts as not open, as in the aggregates. */
	if (!crm_parse_deal_status(columns->values[column], &status))
		status = DEAL_LOST;
	return status;
}

static inline int32
get_probability(const RowColumns *columns, int column)
{
	if (columns->nulls[column])
		return REPLAY_NO_PROBABILITY;
	return (int32) crm_probability_to_fixed(columns->values[column]);
}

static inline const struct varlena *
get_packed(const RowColumns *columns, int column)
{
	return crm_short_text(columns->values[column]);
}

/* The currency and the period, as in SummaryKey. */
static pg_attribute_always_inline uint64
get_rest(const RowColumns *columns, int column)
{
	uint64		rest = CRM_ONE_TIME;
	const struct varlena *text;

	if (!columns->nulls[column + VALUE_PERIOD])
	{
		text = get_packed(columns, column + VALUE_PERIOD);

		rest = crm_summary_period_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
	if (columns->nulls[column + VALUE_CURRENCY])
		return rest | SUMMARY_NO_CURRENCY;
	text = get_packed(columns, column + VALUE_CURRENCY);

	return rest | crm_summary_currency_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
}

/* The number of the value in the column that deals are told apart by; 0: none. */
static inline uint32
get_subject(const Replay *replay, int column)
{
	const RowColumns *columns = &replay->columns;
	UuidKey		key = {{0, 0}};
	bool		found;

	if (replay->query.subject == REPLAY_NO_SUBJECT)
		return 0;
	column += replay->query.subject == REPLAY_OWNER ? VALUE_OWNER_ID : VALUE_CLOSE_DATE;
	if (columns->nulls[column])
		return 0;
	if (replay->query.subject == REPLAY_OWNER)
		key = crm_uuid_key(DatumGetUUIDP(columns->values[column]));
	else
		key.word[0] = (uint32) DatumGetDateADT(columns->values[column]);
	return crm_deal_number(replay->subjects, key, crm_deal_hash(replay->subjects, key),
						   &found) + 1;
}

static inline void
get_values(const Replay *replay, int column, ReplayValues *values)
{
	const RowColumns *columns = &replay->columns;
	const pg_uuid_t *owner_id = replay->query.owner_id;

	values->has_amount = !columns->nulls[column + VALUE_AMOUNT];
	values->amount = values->has_amount ?
		crm_amount_to_fixed(columns->values[column + VALUE_AMOUNT]) : 0;
	values->rest = get_rest(columns, column);
	values->is_archived = !columns->nulls[column + VALUE_ARCHIVED_AT];
	values->is_owners = owner_id == NULL ||
		(!columns->nulls[column + VALUE_OWNER_ID] &&
		 crm_uuid_equal(DatumGetUUIDP(columns->values[column + VALUE_OWNER_ID]),
						owner_id));
	values->subject = get_subject(replay, column);
}

bool
crm_replay_get_id(TupleTableSlot *row, Datum *deal_id, bool *is_erased)
{
	if (!crm_row_has(row, 2))
		return false;
	*deal_id = row->tts_values[0];
	*is_erased = DatumGetBool(row->tts_values[1]);
	return true;
}

bool
crm_replay_get_undone(TupleTableSlot *row, const pg_uuid_t **deal_id, int32 *move_no,
					  int32 *reverted_by)
{
	if (!crm_row_has(row, 3))
		return false;
	*deal_id = DatumGetUUIDP(row->tts_values[0]);
	*move_no = DatumGetInt32(row->tts_values[1]);
	*reverted_by = DatumGetInt32(row->tts_values[2]);
	return true;
}

static inline bool
is_change(const struct varlena *text, const char *name, Size len)
{
	return VARSIZE_ANY_EXHDR(text) == len && memcmp(VARDATA_ANY(text), name, len) == 0;
}

#define IS_CHANGE(text, name)	is_change(text, name, sizeof(name) - 1)

/* False for what tells neither what a deal was worth before, nor of its life. */
static inline bool
get_change(const struct varlena *text, ReplayChange *change)
{
	*change = REPLAY_UPDATED;
	if (likely(IS_CHANGE(text, "updated")))
		return true;
	if (IS_CHANGE(text, "created") || IS_CHANGE(text, "edited") || IS_CHANGE(text, "corrected"))
		return false;
	if (IS_CHANGE(text, "archived"))
		*change = REPLAY_ARCHIVED;
	else if (IS_CHANGE(text, "unarchived"))
		*change = REPLAY_UNARCHIVED;
	else if (IS_CHANGE(text, "deleted"))
		*change = REPLAY_DELETED;
	else if (IS_CHANGE(text, "restored"))
		*change = REPLAY_RESTORED;
	else if (IS_CHANGE(text, CRM_ERASED))
		*change = REPLAY_ERASED;
	return true;
}

/* Without this error, the report would be wrong, and nobody would know. */
pg_noreturn static void
refuse_erased(TimestampTz until)
{
	ereport(ERROR,
			(errcode(ERRCODE_CRM_GONE),
			 errmsg("the history is incomplete until %s", crm_time_text(until)),
			 errdetail("Rows of it were deleted."),
			 errhint("Ask for a moment, or a period, after that.")));
}

bool
crm_replay_get_edit(Replay *replay, TupleTableSlot *row, const pg_uuid_t **deal_id,
					ReplayEdit *edit)
{
	const RowColumns *columns = &replay->columns;

	if (!read_row(replay, row, EDIT_CHANGED_AT) ||
		!get_change(get_packed(columns, EDIT_CHANGE), &edit->change))
		return false;
	edit->order.at = DatumGetTimestampTz(columns->values[EDIT_CHANGED_AT]);
	if (edit->change == REPLAY_ERASED)
		refuse_erased(edit->order.at);
	*deal_id = DatumGetUUIDP(columns->values[EDIT_DEAL_ID]);
	edit->order.move_no = DatumGetInt32(columns->values[EDIT_MOVE_NO]);
	edit->order.version = DatumGetInt32(columns->values[EDIT_VERSION]);
	edit->place.stage_id = *DatumGetUUIDP(columns->values[EDIT_STAGE_ID]);
	edit->place.entered_at = DatumGetTimestampTz(columns->values[EDIT_ENTERED_AT]);
	edit->place.status = get_status(columns, EDIT_STATUS);
	edit->place.is_here = is_here(replay, EDIT_PIPELINE_ID);
	edit->place.probability = get_probability(columns, EDIT_VALUES + VALUE_PROBABILITY);
	edit->place.has_closed_at = edit->place.status != DEAL_OPEN;
	edit->place.closed_at = edit->place.entered_at;
	get_values(replay, EDIT_VALUES, &edit->values);
	return true;
}

bool
crm_replay_get_move(Replay *replay, TupleTableSlot *row, const pg_uuid_t **deal_id,
					ReplayMove *move)
{
	const RowColumns *columns = &replay->columns;
	ReplayPlace *place = &move->place;

	if (!read_row(replay, row, MOVE_CHANGED_AT) || !columns->nulls[MOVE_REVERTS_NO])
		return false;
	place->entered_at = DatumGetTimestampTz(columns->values[MOVE_ENTERED_AT]);
	place->is_here = is_here(replay, MOVE_PIPELINE_ID);
	move->to_here = is_here(replay, MOVE_TO_PIPELINE_ID);
	if (place->entered_at > replay->query.to_at || !(place->is_here || move->to_here))
		return false;
	*deal_id = DatumGetUUIDP(columns->values[MOVE_DEAL_ID]);
	move->order.at = DatumGetTimestampTz(columns->values[MOVE_CHANGED_AT]);
	move->order.move_no = DatumGetInt32(columns->values[MOVE_MOVE_NO]);
	move->order.version = REPLAY_OF_MOVE;
	place->stage_id = *DatumGetUUIDP(columns->values[MOVE_STAGE_ID]);
	place->status = get_status(columns, MOVE_STATUS);
	place->probability = get_probability(columns, MOVE_PROBABILITY);
	place->has_closed_at = !columns->nulls[MOVE_CLOSED_AT];
	place->closed_at = place->has_closed_at ?
		DatumGetTimestampTz(columns->values[MOVE_CLOSED_AT]) : 0;
	move->to_status = get_status(columns, MOVE_TO_STATUS);
	return true;
}

/* When the deal was won or lost; false if it was not, or if that is not asked for. */
static inline bool
get_closed_at(const Replay *replay, TimestampTz *closed_at)
{
	const RowColumns *columns = &replay->columns;
	int			column = PRESENT_WON_AT;

	if (columns->nulls[column])
		column = PRESENT_LOST_AT;
	if (columns->nulls[column])
		return false;
	*closed_at = DatumGetTimestampTz(columns->values[column]);
	return true;
}

bool
crm_replay_get_deal(Replay *replay, TupleTableSlot *row, bool any_pipeline,
					const pg_uuid_t **deal_id, ReplayPresent *present)
{
	const RowColumns *columns = &replay->columns;
	ReplayPlace *place = &present->place;

	if (!read_row(replay, row, 0))
		return false;
	place->is_here = is_here(replay, PRESENT_PIPELINE_ID);
	if (!place->is_here && !any_pipeline)
		return false;
	*deal_id = DatumGetUUIDP(columns->values[PRESENT_ID]);
	place->stage_id = *DatumGetUUIDP(columns->values[PRESENT_STAGE_ID]);
	place->entered_at = DatumGetTimestampTz(columns->values[PRESENT_ENTERED_AT]);
	place->status = get_status(columns, PRESENT_STATUS);
	place->probability = get_probability(columns, PRESENT_VALUES + VALUE_PROBABILITY);
	place->closed_at = 0;
	place->has_closed_at = get_closed_at(replay, &place->closed_at);
	get_values(replay, PRESENT_VALUES, &present->values);
	present->id = crm_uuid_key(*deal_id);
	return true;
}
