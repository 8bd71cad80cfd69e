/*
 * analytics/replay_rows.c
 *		What the rows say that a replay reads.
 */
#include "postgres.h"

#include "utils/date.h"
#include "utils/timestamp.h"

#include "analytics/conversion_day.h"
#include "analytics/replay.h"
#include "analytics/replay_columns.h"
#include "base/errors.h"
#include "base/short_text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "history/erasure.h"

/* Decodes a row whose time is after from_at, and start by to_at, if it has these. */
static inline bool
read_row(Replay *replay, TupleTableSlot *row, int time, int start)
{
	RowFilter	filter = {
		&replay->query.tenant_id, time, replay->query.from_at, start, replay->query.to_at
	};

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
crm_replay_get_undone(TupleTableSlot *row, ReplayUndone *undone)
{
	if (!crm_row_has(row, 3))
		return false;
	undone->deal_id = crm_uuid_key(DatumGetUUIDP(row->tts_values[0]));
	undone->move_no = DatumGetInt32(row->tts_values[1]);
	undone->reverted_by = DatumGetInt32(row->tts_values[2]);
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
	else if (IS_CHANGE(text, "recreated"))
		*change = REPLAY_RECREATED;
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

/* The columns of where a deal stood. */
typedef struct PlaceColumns
{
	int			stage_id;
	int			status;
	int			entered_at;
	int			probability;
} PlaceColumns;

static const PlaceColumns edit_place = {
	EDIT_STAGE_ID, EDIT_STATUS, EDIT_ENTERED_AT, EDIT_VALUES + VALUE_PROBABILITY
};
static const PlaceColumns move_place = {
	MOVE_STAGE_ID, MOVE_STATUS, MOVE_ENTERED_AT, MOVE_PROBABILITY
};
static const PlaceColumns present_place = {
	PRESENT_STAGE_ID, PRESENT_STATUS, PRESENT_ENTERED_AT, PRESENT_VALUES + VALUE_PROBABILITY
};

/* closed_at: a column, too. */
static pg_attribute_always_inline void
get_place(Replay *replay, const PlaceColumns *at, bool stands_here, int closed_at,
		  ReplayPlace *place)
{
	const RowColumns *columns = &replay->columns;
	Place		found = {
		.stage = crm_uuid_key(DatumGetUUIDP(columns->values[at->stage_id])),
		.status = get_status(columns, at->status),.is_here = stands_here
	};

	if (!columns->nulls[closed_at])
	{
		found.has_closed_on = true;
		found.closed_on = crm_day_of(DatumGetTimestampTz(columns->values[closed_at]));
	}
	place->number = crm_place_number(replay->places, &found);
	place->entered_at = DatumGetTimestampTz(columns->values[at->entered_at]);
	place->probability = get_probability(columns, at->probability);
}

bool
crm_replay_get_edit(Replay *replay, TupleTableSlot *row, ReplayEdit *edit)
{
	const RowColumns *columns = &replay->columns;

	if (!read_row(replay, row, EDIT_CHANGED_AT, 0) ||
		!get_change(get_packed(columns, EDIT_CHANGE), &edit->change))
		return false;
	edit->order.at = DatumGetTimestampTz(columns->values[EDIT_CHANGED_AT]);
	if (edit->change == REPLAY_ERASED)
		refuse_erased(edit->order.at);
	edit->deal_id = crm_uuid_key(DatumGetUUIDP(columns->values[EDIT_DEAL_ID]));
	edit->order.move_no = DatumGetInt32(columns->values[EDIT_MOVE_NO]);
	edit->order.version = DatumGetInt32(columns->values[EDIT_VERSION]);
	get_place(replay, &edit_place, is_here(replay, EDIT_PIPELINE_ID), EDIT_CLOSED_AT,
			  &edit->place);
	get_values(replay, EDIT_VALUES, &edit->values);
	return true;
}

bool
crm_replay_get_move(Replay *replay, TupleTableSlot *row, UuidKey *deal_id, ReplayMove *move)
{
	const RowColumns *columns = &replay->columns;
	bool		from_here;

	if (!read_row(replay, row, MOVE_CHANGED_AT, MOVE_ENTERED_AT) ||
		!columns->nulls[MOVE_REVERTS_NO])
		return false;
	from_here = is_here(replay, MOVE_PIPELINE_ID);
	move->to_here = is_here(replay, MOVE_TO_PIPELINE_ID);
	if (!from_here && !move->to_here)
		return false;
	*deal_id = crm_uuid_key(DatumGetUUIDP(columns->values[MOVE_DEAL_ID]));
	move->order.at = DatumGetTimestampTz(columns->values[MOVE_CHANGED_AT]);
	move->order.move_no = DatumGetInt32(columns->values[MOVE_MOVE_NO]);
	move->order.version = REPLAY_OF_MOVE;
	get_place(replay, &move_place, from_here, MOVE_CLOSED_AT, &move->place);
	move->to_status = get_status(columns, MOVE_TO_STATUS);
	return true;
}

bool
crm_replay_get_deal(Replay *replay, TupleTableSlot *row, bool any_pipeline,
					ReplayPresent *present)
{
	const RowColumns *columns = &replay->columns;
	bool		stands_here;

	if (!read_row(replay, row, 0, 0))
		return false;
	stands_here = is_here(replay, PRESENT_PIPELINE_ID);
	if (!stands_here && !any_pipeline)
		return false;
	present->deal_id = crm_uuid_key(DatumGetUUIDP(columns->values[PRESENT_ID]));
	get_place(replay, &present_place, stands_here,
			  columns->nulls[PRESENT_WON_AT] ? PRESENT_LOST_AT : PRESENT_WON_AT, &present->place);
	get_values(replay, PRESENT_VALUES, &present->values);
	return true;
}
