/*
 * analytics/replay_rows.c
 *		The queries of a replay, and what their rows say.
 *
 * They run with the caller's rights and search path, so every operator and type
 * is named with its schema.  Custom plans: the planner sees the parameters as
 * constants, so it can estimate how many rows are later, and choose an index scan if
 * there are few; conditions on a parameter that is NULL or false are removed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/date.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "analytics/replay.h"
#include "base/errors.h"
#include "base/query.h"
#include "base/short_text.h"
#include "base/uuid.h"
#include "history/erasure.h"
#include "table/columns.h"

/*
 * %1$s is the table, %2$s stage_changes and %3$s deal_changes.  $1 tenant, $2
 * pipeline, $3 from_at, $4 to_at, $5 owner, $6 whether the times of closing are asked
 * for, $7 ids, $8 the ReplaySubject.
 *
 * The moves are those that ended a visit which began by to_at: later visits do not
 * concern the period.
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
	"SELECT r.deal_id::pg_catalog.uuid, r.reverts_no::pg_catalog.int4, r.move_no::pg_catalog.int4 "
	"FROM %1$s r WHERE r.reverts_no IS NOT NULL AND r.changed_at OPERATOR(pg_catalog.>) $3 "
	"AND r.tenant_id OPERATOR(pg_catalog.=) $1",
	[REPLAY_READ_EDITS] =
	"SELECT c.deal_id::pg_catalog.uuid, c.changed_at::pg_catalog.timestamptz, c.move_no::pg_catalog.int4, "
	"c.version::pg_catalog.int4, c.change::pg_catalog.text, c.stage_id::pg_catalog.uuid, "
	"c.stage_entered_at::pg_catalog.timestamptz, c.status::pg_catalog.text, "
	"c.pipeline_id::pg_catalog.uuid, c.old_probability::pg_catalog.numeric, "
	"c.old_amount::pg_catalog.numeric, c.old_currency::pg_catalog.text, c.old_value_period::pg_catalog.text, "
	"c.old_archived_at IS NOT NULL, $5 IS NULL OR COALESCE(c.old_owner_id OPERATOR(pg_catalog.=) $5, false), "
	"CASE WHEN $8 OPERATOR(pg_catalog.=) 1 THEN c.old_owner_id::pg_catalog.uuid END, "
	"CASE WHEN $8 OPERATOR(pg_catalog.=) 2 THEN c.old_expected_close_date::pg_catalog.date END "
	"FROM %1$s c WHERE c.change OPERATOR(pg_catalog.<>) 'created' "
	"AND c.changed_at OPERATOR(pg_catalog.>) $3 AND c.tenant_id OPERATOR(pg_catalog.=) $1 "
	"AND ($7 IS NULL OR c.deal_id OPERATOR(pg_catalog.=) ANY ($7))",
	[REPLAY_READ_MOVES] =
	"SELECT c.deal_id::pg_catalog.uuid, c.changed_at::pg_catalog.timestamptz, c.move_no::pg_catalog.int4, "
	"c.from_stage_id::pg_catalog.uuid, c.entered_at::pg_catalog.timestamptz, c.from_status::pg_catalog.text, "
	"c.from_pipeline_id::pg_catalog.uuid, c.from_probability::pg_catalog.numeric, "
	"CASE WHEN $6 AND c.from_status OPERATOR(pg_catalog.<>) 'open' THEN COALESCE("
	"pg_catalog.jsonb_object_field_text(c.closing, 'won_at')::pg_catalog.timestamptz, "
	"pg_catalog.jsonb_object_field_text(c.closing, 'lost_at')::pg_catalog.timestamptz, "
	"c.entered_at) END, c.to_status::pg_catalog.text, c.to_pipeline_id::pg_catalog.uuid "
	"FROM %1$s c WHERE c.changed_at OPERATOR(pg_catalog.>) $3 AND c.entered_at OPERATOR(pg_catalog.<=) $4 "
	"AND (c.from_pipeline_id OPERATOR(pg_catalog.=) $2 OR c.to_pipeline_id OPERATOR(pg_catalog.=) $2 "
	"AND c.from_pipeline_id OPERATOR(pg_catalog.<>) c.to_pipeline_id) "
	"AND c.reverts_no IS NULL AND c.tenant_id OPERATOR(pg_catalog.=) $1",
#define DEALS \
	"SELECT d.id::pg_catalog.uuid, d.stage_id::pg_catalog.uuid, d.stage_entered_at::pg_catalog.timestamptz, " \
	"d.status::pg_catalog.text, d.pipeline_id::pg_catalog.uuid, d.probability::pg_catalog.numeric, " \
	"d.amount::pg_catalog.numeric, d.currency::pg_catalog.text, d.value_period::pg_catalog.text, " \
	"d.archived_at IS NOT NULL, $5 IS NULL OR COALESCE(d.owner_id OPERATOR(pg_catalog.=) $5, false), " \
	"CASE WHEN $6 THEN COALESCE(d.won_at, d.lost_at)::pg_catalog.timestamptz END, " \
	"CASE WHEN $8 OPERATOR(pg_catalog.=) 1 THEN d.owner_id::pg_catalog.uuid END, " \
	"CASE WHEN $8 OPERATOR(pg_catalog.=) 2 THEN d.expected_close_date::pg_catalog.date END " \
	"FROM %1$s d WHERE d.tenant_id OPERATOR(pg_catalog.=) $1 "
	[REPLAY_READ_DEALS] = DEALS "AND d.pipeline_id OPERATOR(pg_catalog.=) $2",
	[REPLAY_READ_OTHER_DEALS] = DEALS "AND d.id OPERATOR(pg_catalog.=) ANY ($7)",
};

static const char *const tables[] = {
	[REPLAY_READ_IDS] = NULL,
	[REPLAY_READ_UNDONE] = "stage_changes",
	[REPLAY_READ_EDITS] = "deal_changes",
	[REPLAY_READ_MOVES] = "stage_changes",
	[REPLAY_READ_DEALS] = NULL,
	[REPLAY_READ_OTHER_DEALS] = NULL,
};

void
crm_replay_read(Replay *replay, ReplayRows rows, Datum ids, ReplayReceiver receive)
{
	static const Oid types[] = {
		UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, BOOLOID, UUIDARRAYOID, INT4OID
	};
	const ReplayQuery *query = &replay->query;
	const char *table = tables[rows] != NULL ? tables[rows] : RelationGetRelationName(query->deals);
	Datum		args[] = {
		UUIDPGetDatum(&query->tenant_id), UUIDPGetDatum(&query->pipeline_id),
		TimestampTzGetDatum(query->from_at), TimestampTzGetDatum(query->to_at),
		UUIDPGetDatum(query->owner_id), BoolGetDatum(query->want_closed_at), ids,
		Int32GetDatum(query->subject)
	};
	char		nulls[] = "        ";
	CrmStatement statement = {
		.text = psprintf(queries[rows], crm_sibling_name(query->deals, table),
						 crm_sibling_name(query->deals, "stage_changes"),
						 crm_sibling_name(query->deals, "deal_changes")),
		.nargs = lengthof(types),
		.argtypes = types,
		/* The best plan depends on the share of later rows. */
		.cursor_options = CURSOR_OPT_CUSTOM_PLAN,
	};

	if (query->owner_id == NULL)
		nulls[4] = 'n';
	if (ids == (Datum) 0)
		nulls[6] = 'n';
	crm_receive_rows(&statement, args, nulls, true, receive, replay);
}

/* Whether the first columns of the row are all there. */
static inline bool
has_required(TupleTableSlot *row, int count)
{
	slot_getallattrs(row);
	for (int i = 0; i < count; i++)
	{
		if (unlikely(row->tts_isnull[i]))
			return false;
	}
	return true;
}

static inline bool
get_bool(TupleTableSlot *row, int column)
{
	return !row->tts_isnull[column] && DatumGetBool(row->tts_values[column]);
}

/* Whether the pipeline is the one that is asked about; NULL: no. */
static inline bool
is_here(const Replay *replay, TupleTableSlot *row, int column)
{
	return !row->tts_isnull[column] &&
		crm_uuid_equal(DatumGetUUIDP(row->tts_values[column]), &replay->query.pipeline_id);
}

static inline uint8
get_status(TupleTableSlot *row, int column)
{
	DealStatus	status;

	/* An invalid status counts as not open, as in the aggregates. */
	if (!crm_parse_deal_status(row->tts_values[column], &status))
		status = DEAL_LOST;
	return status;
}

static inline int32
get_probability(TupleTableSlot *row, int column)
{
	if (row->tts_isnull[column])
		return REPLAY_NO_PROBABILITY;
	return (int32) crm_probability_to_fixed(row->tts_values[column]);
}

static inline const struct varlena *
get_packed(TupleTableSlot *row, int column)
{
	return crm_short_text(row->tts_values[column]);
}

/* From five columns: amount, currency, value_period, archived, of the owner. */
static inline void
get_values(TupleTableSlot *row, int column, ReplayValues *values)
{
	const struct varlena *text;

	values->has_amount = !row->tts_isnull[column];
	values->amount = values->has_amount ? crm_amount_to_fixed(row->tts_values[column]) : 0;
	values->rest = CRM_ONE_TIME;
	if (!row->tts_isnull[column + 2])
	{
		text = get_packed(row, column + 2);

		values->rest = crm_summary_period_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
	if (row->tts_isnull[column + 1])
		values->rest |= SUMMARY_NO_CURRENCY;
	else
	{
		text = get_packed(row, column + 1);

		values->rest |= crm_summary_currency_key(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
	values->is_archived = get_bool(row, column + 3);
	values->is_owners = get_bool(row, column + 4);
}

/* From two columns, of which one is that of the subject, if there is one. */
static inline uint32
get_subject(const Replay *replay, TupleTableSlot *row, int column)
{
	UuidKey		key = {{0, 0}};
	bool		found;

	column += replay->query.subject == REPLAY_CLOSE_DATE;
	if (replay->query.subject == REPLAY_NO_SUBJECT || row->tts_isnull[column])
		return 0;
	if (replay->query.subject == REPLAY_OWNER)
		key = crm_uuid_key(DatumGetUUIDP(row->tts_values[column]));
	else
		key.word[0] = (uint32) DatumGetDateADT(row->tts_values[column]);
	return crm_deal_number(replay->subjects, key, crm_deal_hash(replay->subjects, key),
						   &found) + 1;
}

bool
crm_replay_get_id(TupleTableSlot *row, Datum *deal_id, bool *is_erased)
{
	if (!has_required(row, 2))
		return false;
	*deal_id = row->tts_values[0];
	*is_erased = DatumGetBool(row->tts_values[1]);
	return true;
}

bool
crm_replay_get_undone(TupleTableSlot *row, const pg_uuid_t **deal_id, int32 *move_no,
					  int32 *reverted_by)
{
	if (!has_required(row, 3))
		return false;
	*deal_id = DatumGetUUIDP(row->tts_values[0]);
	*move_no = DatumGetInt32(row->tts_values[1]);
	*reverted_by = DatumGetInt32(row->tts_values[2]);
	return true;
}

static inline ReplayChange
get_change(TupleTableSlot *row, int column)
{
	static const struct
	{
		const char *name;
		ReplayChange change;
	}			changes[] =
	{
		{"archived", REPLAY_ARCHIVED},
		{"unarchived", REPLAY_UNARCHIVED},
		{"deleted", REPLAY_DELETED},
		{"restored", REPLAY_RESTORED},
		{CRM_ERASED, REPLAY_ERASED},
	};
	const struct varlena *text = get_packed(row, column);
	Size		len = VARSIZE_ANY_EXHDR(text);

	for (int i = 0; i < lengthof(changes); i++)
	{
		if (len == strlen(changes[i].name) && memcmp(VARDATA_ANY(text), changes[i].name, len) == 0)
			return changes[i].change;
	}
	return REPLAY_UPDATED;
}

/* Whether the row tells of what a deal is worth, or of its life. */
static inline bool
tells_values(TupleTableSlot *row, int column)
{
	const struct varlena *text = get_packed(row, column);
	Size		len = VARSIZE_ANY_EXHDR(text);

	return !(len == strlen("edited") && memcmp(VARDATA_ANY(text), "edited", len) == 0) &&
		!(len == strlen("corrected") && memcmp(VARDATA_ANY(text), "corrected", len) == 0);
}

/* Without this error, the report would be wrong, and nobody would know. */
pg_noreturn static void
refuse_erased(TupleTableSlot *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_CRM_GONE),
			 errmsg("the history is incomplete until %s",
					pstrdup(timestamptz_to_str(DatumGetTimestampTz(row->tts_values[1])))),
			 errdetail("Rows of it were deleted."),
			 errhint("Ask for a moment, or a period, after that.")));
}

bool
crm_replay_get_edit(const Replay *replay, TupleTableSlot *row, const pg_uuid_t **deal_id,
					ReplayEdit *edit)
{
	if (!has_required(row, 9) || !tells_values(row, 4))
		return false;
	edit->change = get_change(row, 4);
	if (edit->change == REPLAY_ERASED)
		refuse_erased(row);
	*deal_id = DatumGetUUIDP(row->tts_values[0]);
	edit->order.at = DatumGetTimestampTz(row->tts_values[1]);
	edit->order.move_no = DatumGetInt32(row->tts_values[2]);
	edit->order.version = DatumGetInt32(row->tts_values[3]);
	edit->order.is_edit = true;
	edit->place.stage_id = *DatumGetUUIDP(row->tts_values[5]);
	edit->place.entered_at = DatumGetTimestampTz(row->tts_values[6]);
	edit->place.status = get_status(row, 7);
	edit->place.is_here = is_here(replay, row, 8);
	edit->place.probability = get_probability(row, 9);
	edit->place.has_closed_at = edit->place.status != DEAL_OPEN;
	edit->place.closed_at = edit->place.entered_at;
	get_values(row, 10, &edit->values);
	edit->values.subject = get_subject(replay, row, 15);
	return true;
}

bool
crm_replay_get_move(const Replay *replay, TupleTableSlot *row, const pg_uuid_t **deal_id,
					ReplayMove *move)
{
	if (!has_required(row, 7) || row->tts_isnull[9])
		return false;
	*deal_id = DatumGetUUIDP(row->tts_values[0]);
	move->order.at = DatumGetTimestampTz(row->tts_values[1]);
	move->order.move_no = DatumGetInt32(row->tts_values[2]);
	move->order.version = 0;
	move->order.is_edit = false;
	move->place.stage_id = *DatumGetUUIDP(row->tts_values[3]);
	move->place.entered_at = DatumGetTimestampTz(row->tts_values[4]);
	move->place.status = get_status(row, 5);
	move->place.is_here = is_here(replay, row, 6);
	move->place.probability = get_probability(row, 7);
	move->place.has_closed_at = !row->tts_isnull[8];
	move->place.closed_at = move->place.has_closed_at ? DatumGetTimestampTz(row->tts_values[8]) : 0;
	move->to_status = get_status(row, 9);
	move->to_here = is_here(replay, row, 10);
	return true;
}

bool
crm_replay_get_deal(const Replay *replay, TupleTableSlot *row, const pg_uuid_t **deal_id,
					ReplayPresent *present)
{
	ReplayPlace *place = &present->place;

	if (!has_required(row, 5))
		return false;
	*deal_id = DatumGetUUIDP(row->tts_values[0]);
	place->stage_id = *DatumGetUUIDP(row->tts_values[1]);
	place->entered_at = DatumGetTimestampTz(row->tts_values[2]);
	place->status = get_status(row, 3);
	place->is_here = is_here(replay, row, 4);
	place->probability = get_probability(row, 5);
	get_values(row, 6, &present->values);
	present->values.subject = get_subject(replay, row, 12);
	present->id = crm_uuid_key(*deal_id);
	place->has_closed_at = !row->tts_isnull[11];
	place->closed_at = place->has_closed_at ? DatumGetTimestampTz(row->tts_values[11]) : 0;
	return true;
}
