/*
 * history/deal_changes.c
 *		Records the changes of deals, other than moves, in deal_changes.
 *
 * A row has the state of the watched columns before and after the change, and
 * where the deal stood before it.  Of each deal the rows are in the order of
 * changed_at and then version: changed_at never runs backwards, and there the
 * versions of a deal that was deleted and put back do not matter.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/context.h"
#include "base/query.h"
#include "base/session.h"
#include "base/shard.h"
#include "base/uuid.h"
#include "history/deal_changes.h"
#include "history/other_columns.h"
#include "history/past.h"
#include "table/owner_rights.h"
#include "table/restoring.h"
#include "table/trigger.h"
#include "table/writer.h"

typedef enum ChangeKind
{
	DEAL_CREATED,
	DEAL_UPDATED,
	DEAL_EDITED,				/* no watched column, but others */
	DEAL_ARCHIVED,
	DEAL_UNARCHIVED,
	DEAL_DELETED,
	DEAL_RESTORED,				/* put back as it was deleted */
	DEAL_RECREATED,				/* another one under an id that was used */
	NCHANGE_KINDS
} ChangeKind;

static const char *const kind_names[NCHANGE_KINDS] = {
	[DEAL_CREATED] = "created",
	[DEAL_UPDATED] = "updated",
	[DEAL_EDITED] = "edited",
	[DEAL_ARCHIVED] = "archived",
	[DEAL_UNARCHIVED] = "unarchived",
	[DEAL_DELETED] = "deleted",
	[DEAL_RESTORED] = "restored",
	[DEAL_RECREATED] = "recreated",
};

/* The columns that are watched, a pair of fields each. */
static const DealColumn watched[] = {
	DEAL_AMOUNT, DEAL_CURRENCY, DEAL_PROBABILITY, DEAL_VALUE_PERIOD,
	DEAL_EXPECTED_CLOSE_DATE, DEAL_OWNER_ID, DEAL_ARCHIVED_AT
};

/* What else is copied: of the row before the change, or of the only one. */
static const DealColumn copied[] = {
	DEAL_TENANT_ID, DEAL_ID, DEAL_PIPELINE_ID, DEAL_STAGE_ID, DEAL_STATUS,
	DEAL_MOVE_NO, DEAL_STAGE_ENTERED_AT
};

/* The fields: those copied, these, the watched columns before, and after. */
enum
{
	FIELD_CHANGE = lengthof(copied),
	FIELD_VERSION,
	FIELD_CHANGED_AT,
	FIELD_OLD,
	FIELD_NEW = FIELD_OLD + lengthof(watched),
	FIELD_CHANGED_BY = FIELD_NEW + lengthof(watched),
	FIELD_RECORDED_BY,
	FIELD_OTHER,
	FIELD_WITH_MOVE,
	NFIELDS
};

static const InsertField fields[NFIELDS] = {
	{"tenant_id", UUIDOID},
	{"deal_id", UUIDOID},
	{"pipeline_id", UUIDOID},
	{"stage_id", UUIDOID},
	{"status", TEXTOID},
	{"move_no", INT4OID},
	{"stage_entered_at", TIMESTAMPTZOID},
	[FIELD_CHANGE] = {"change", TEXTOID},
	[FIELD_VERSION] = {"version", INT4OID},
	[FIELD_CHANGED_AT] = {"changed_at", TIMESTAMPTZOID},
	[FIELD_OLD] = {"old_amount", NUMERICOID},
	{"old_currency", TEXTOID},
	{"old_probability", NUMERICOID},
	{"old_value_period", TEXTOID},
	{"old_expected_close_date", DATEOID},
	{"old_owner_id", UUIDOID},
	{"old_archived_at", TIMESTAMPTZOID},
	[FIELD_NEW] = {"new_amount", NUMERICOID},
	{"new_currency", TEXTOID},
	{"new_probability", NUMERICOID},
	{"new_value_period", TEXTOID},
	{"new_expected_close_date", DATEOID},
	{"new_owner_id", UUIDOID},
	{"new_archived_at", TIMESTAMPTZOID},
	[FIELD_CHANGED_BY] = {"changed_by", TEXTOID},
	[FIELD_RECORDED_BY] = {"recorded_by", TEXTOID},
	[FIELD_OTHER] = {"other", JSONBOID},
	[FIELD_WITH_MOVE] = {"with_move", INT4OID},
};

static const InsertTarget deal_changes = {
	"deal_changes", fields, NFIELDS
};

typedef struct DealChanges
{
	TableWriter *writer;
	Datum		changed_by;
	Datum		recorded_by;
	DealPast	past;			/* opened when it is asked for */
	bool		has_past;
	TimestampTz clock;			/* when the statement ended */
	MemoryContext per_row;
	Datum		kinds[NCHANGE_KINDS];
} DealChanges;

void
crm_deal_change_audit_begin(DealChangeAudit *audit, Relation deals, const AttrNumber *columns)
{
	audit->deals = deals;
	audit->columns = columns;
	audit->changes = NULL;
	audit->others = crm_other_columns(deals);
	audit->last_watched = audit->others->last;
	for (int i = 0; i < lengthof(watched); i++)
		audit->last_watched = Max(audit->last_watched, columns[watched[i]]);
}

/* Whether the values are the same bytes: of these types, whether they are equal. */
static inline bool
is_same(DealColumn column, Datum a, Datum b)
{
	switch (column)
	{
		case DEAL_ARCHIVED_AT:
			return true;		/* only whether it is set counts */
		case DEAL_EXPECTED_CLOSE_DATE:
			return a == b;
		case DEAL_OWNER_ID:
			return memcmp(DatumGetPointer(a), DatumGetPointer(b), UUID_LEN) == 0;
		default:
			return VARSIZE_ANY(DatumGetPointer(a)) == VARSIZE_ANY(DatumGetPointer(b)) &&
				memcmp(DatumGetPointer(a), DatumGetPointer(b),
					   VARSIZE_ANY(DatumGetPointer(a))) == 0;
	}
}

/* Whether a watched column differs; the probability of a deal that moved is the move's. */
static bool
values_differ(const DealChangeAudit *audit, TupleTableSlot *old_deal, TupleTableSlot *new_deal,
			  bool moved)
{
	slot_getsomeattrs(old_deal, audit->last_watched);
	slot_getsomeattrs(new_deal, audit->last_watched);
	for (int i = 0; i < lengthof(watched); i++)
	{
		int			attno = audit->columns[watched[i]];

		if ((moved && watched[i] == DEAL_PROBABILITY) || attno == InvalidAttrNumber)
			continue;
		if (old_deal->tts_isnull[attno - 1] != new_deal->tts_isnull[attno - 1])
			return true;
		if (!old_deal->tts_isnull[attno - 1] &&
			!is_same(watched[i], old_deal->tts_values[attno - 1], new_deal->tts_values[attno - 1]))
			return true;
	}
	return false;
}

bool
crm_deal_is_changed(const DealChangeAudit *audit, TupleTableSlot *old_deal,
					TupleTableSlot *new_deal, bool moved)
{
	return values_differ(audit, old_deal, new_deal, moved) ||
		crm_others_differ(audit->others, old_deal, new_deal, moved);
}

static DealChanges *
get_changes(DealChangeAudit *audit)
{
	DealChanges *changes = audit->changes;

	if (changes != NULL)
		return changes;
	changes = palloc(sizeof(DealChanges));
	changes->writer = crm_writer_begin(audit->deals, &deal_changes);
	changes->changed_by = CStringGetTextDatum(crm_session_actor());
	changes->recorded_by = CStringGetTextDatum(crm_session_recorder());
	changes->has_past = false;
	changes->per_row = AllocSetContextCreate(CurrentMemoryContext, "crm deal change",
											 ALLOCSET_SMALL_SIZES);
	changes->clock = GetCurrentTimestamp();
	for (int i = 0; i < NCHANGE_KINDS; i++)
		changes->kinds[i] = CStringGetTextDatum(kind_names[i]);
	audit->changes = changes;
	return changes;
}

/* The last change there is of the deal. */
static bool
find_last_change(DealChangeAudit *audit, TupleTableSlot *deal, LastChange *last)
{
	DealChanges *changes = get_changes(audit);
	const AttrNumber *columns = audit->columns;
	Datum		id = crm_required_slot_value(audit->deals, deal, columns[DEAL_ID]);
	Datum		tenant_id = crm_required_slot_value(audit->deals, deal, columns[DEAL_TENANT_ID]);

	if (!changes->has_past)
	{
		crm_deal_past_open(&changes->past, audit->deals);
		changes->has_past = true;
	}
	return crm_last_change(&changes->past, DatumGetUUIDP(id), DatumGetUUIDP(tenant_id), last);
}

/* A time of the deal; -infinity for null, which only the user can have allowed. */
static TimestampTz
get_time(const DealChangeAudit *audit, TupleTableSlot *deal, DealColumn column)
{
	bool		isnull;
	Datum		value = slot_getattr(deal, audit->columns[column], &isnull);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

static bool
is_null(const DealChangeAudit *audit, TupleTableSlot *deal, DealColumn column)
{
	return slot_attisnull(deal, audit->columns[column]);
}

static int32
get_version(const DealChangeAudit *audit, TupleTableSlot *deal)
{
	return DatumGetInt32(crm_required_slot_value(audit->deals, deal,
												 audit->columns[DEAL_VERSION]));
}

/* Writes the row; old_deal or new_deal may be NULL. */
static void
record(DealChangeAudit *audit, ChangeKind kind, TupleTableSlot *old_deal, TupleTableSlot *new_deal,
	   bool moved, int32 version, TimestampTz changed_at)
{
	DealChanges *changes = get_changes(audit);
	TupleTableSlot *before = old_deal != NULL ? old_deal : new_deal;
	Datum		values[NFIELDS];
	bool		nulls[NFIELDS];
	MemoryContext caller;

	for (int i = 0; i < lengthof(copied); i++)
	{
		/* When the deal entered its stage may just have been corrected. */
		bool		is_corrected = copied[i] == DEAL_STAGE_ENTERED_AT && new_deal != NULL && !moved;

		values[i] = crm_slot_value(is_corrected ? new_deal : before, audit->columns[copied[i]],
								   &nulls[i]);
	}
	values[FIELD_CHANGE] = changes->kinds[kind];
	values[FIELD_VERSION] = Int32GetDatum(version);
	values[FIELD_CHANGED_AT] = TimestampTzGetDatum(changed_at);
	values[FIELD_CHANGED_BY] = changes->changed_by;
	values[FIELD_RECORDED_BY] = changes->recorded_by;
	nulls[FIELD_CHANGE] = nulls[FIELD_VERSION] = nulls[FIELD_CHANGED_AT] = false;
	nulls[FIELD_CHANGED_BY] = nulls[FIELD_RECORDED_BY] = false;

	for (int i = 0; i < lengthof(watched); i++)
	{
		AttrNumber	attno = audit->columns[watched[i]];

		nulls[FIELD_OLD + i] = nulls[FIELD_NEW + i] = true;
		if (old_deal != NULL)
			values[FIELD_OLD + i] = crm_slot_value(old_deal, attno, &nulls[FIELD_OLD + i]);
		if (new_deal != NULL)
			values[FIELD_NEW + i] = crm_slot_value(new_deal, attno, &nulls[FIELD_NEW + i]);
	}
	nulls[FIELD_WITH_MOVE] = !moved;
	if (moved)
		values[FIELD_WITH_MOVE] = crm_slot_value(new_deal, audit->columns[DEAL_MOVE_NO],
												 &nulls[FIELD_WITH_MOVE]);
	caller = MemoryContextSwitchTo(changes->per_row);
	nulls[FIELD_OTHER] = old_deal == NULL || new_deal == NULL ||
		!crm_others_to_json(audit->others, old_deal, new_deal, moved, &values[FIELD_OTHER]);
	MemoryContextSwitchTo(caller);
	crm_writer_add(changes->writer, values, nulls);
	MemoryContextReset(changes->per_row);
}

/*
 * As of when the update took effect: when the deal moved, if it did; else when
 * it was archived, if it was and that is said; else the setting
 * crm.effective_at; else when it was made.  Never before the deal entered its
 * stage, nor before an earlier change.
 */
static TimestampTz
time_of_update(DealChangeAudit *audit, ChangeKind kind, TupleTableSlot *old_deal,
			   TupleTableSlot *new_deal, bool moved)
{
	TimestampTz entered = get_time(audit, moved ? old_deal : new_deal, DEAL_STAGE_ENTERED_AT);
	TimestampTz made = get_time(audit, new_deal, DEAL_UPDATED_AT);
	TimestampTz said = made;
	LastChange	last;

	if (TIMESTAMP_NOT_FINITE(made))
		made = said = get_changes(audit)->clock;
	if (moved)
	{
		/* A move that is taken back is so now. */
		if (get_time(audit, new_deal, DEAL_STAGE_ENTERED_AT) >= entered)
			said = get_time(audit, new_deal, DEAL_STAGE_ENTERED_AT);
	}
	else if (kind == DEAL_ARCHIVED)
		said = get_time(audit, new_deal, DEAL_ARCHIVED_AT);
	else
		(void) crm_session_effective_at(&said);
	if (said > made)
		said = made;

	/* The clock cannot be earlier than what was made before. */
	if (said < made && find_last_change(audit, old_deal, &last))
		said = Max(said, last.changed_at);
	return Max(said, entered);
}

void
crm_deal_was_updated(DealChangeAudit *audit, TupleTableSlot *old_deal,
					 TupleTableSlot *new_deal, bool moved)
{
	bool		was_archived = !is_null(audit, old_deal, DEAL_ARCHIVED_AT);
	bool		is_archived = !is_null(audit, new_deal, DEAL_ARCHIVED_AT);
	ChangeKind	kind = DEAL_UPDATED;

	if (was_archived != is_archived)
		kind = is_archived ? DEAL_ARCHIVED : DEAL_UNARCHIVED;
	else if (!values_differ(audit, old_deal, new_deal, moved))
		kind = DEAL_EDITED;
	record(audit, kind, old_deal, new_deal, moved, get_version(audit, new_deal),
		   time_of_update(audit, kind, old_deal, new_deal, moved));
}

static int32
get_move_no(const DealChangeAudit *audit, TupleTableSlot *deal)
{
	return DatumGetInt32(crm_required_slot_value(audit->deals, deal,
												 audit->columns[DEAL_MOVE_NO]));
}

/* Of a deal that was deleted: its next move would have a number that the history has. */
static void
check_not_behind(const DealChangeAudit *audit, TupleTableSlot *deal, const LastChange *deletion)
{
	Datum		id = crm_required_slot_value(audit->deals, deal, audit->columns[DEAL_ID]);
	int32		move_no = get_move_no(audit, deal);

	if (move_no < deletion->move_no)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s is older than its history", crm_uuid_text(DatumGetUUIDP(id))),
				 errdetail("It had made %d moves when it was deleted; the row has %d.",
						   deletion->move_no, move_no),
				 errhint("Restore a later copy, or insert it with crm.restoring off.")));
}

static bool
is_same_millisecond(TimestampTz a, TimestampTz b)
{
	Datum		unit = CStringGetTextDatum("milliseconds");

	return DirectFunctionCall2(timestamptz_trunc, unit, TimestampTzGetDatum(a)) ==
		DirectFunctionCall2(timestamptz_trunc, unit, TimestampTzGetDatum(b));
}

/*
 * Whether the deal was put back as it had been deleted, so that it goes on: after as many
 * moves, in its stage, since the same time; some clients have no microseconds.
 */
static bool
goes_on(const DealChangeAudit *audit, TupleTableSlot *deal, const LastChange *last)
{
	AttrNumber	stage = audit->columns[DEAL_STAGE_ID];
	Datum		stage_id = crm_required_slot_value(audit->deals, deal, stage);

	return last->deleted && get_move_no(audit, deal) == last->move_no &&
		crm_uuid_equal(DatumGetUUIDP(stage_id), &last->stage_id) &&
		is_same_millisecond(get_time(audit, deal, DEAL_STAGE_ENTERED_AT), last->stage_entered_at);
}

/*
 * A deal of a dump says nothing that the dump's history does not say, except
 * that one which was deleted here is back.
 */
void
crm_deal_was_inserted(DealChangeAudit *audit, TupleTableSlot *new_deal)
{
	bool		is_dumped = crm_is_restoring(audit->deals);
	int32		version = get_version(audit, new_deal);
	LastChange	last;

	if (find_last_change(audit, new_deal, &last))
	{
		if (last.deleted && is_dumped)
			check_not_behind(audit, new_deal, &last);
		if (last.deleted || !is_dumped)
			record(audit, goes_on(audit, new_deal, &last) ? DEAL_RESTORED : DEAL_RECREATED,
				   NULL, new_deal, false, version, Max(get_changes(audit)->clock, last.changed_at));
	}
	else if (!is_dumped)
		record(audit, DEAL_CREATED, NULL, new_deal, false, version,
			   get_time(audit, new_deal, DEAL_STAGE_ENTERED_AT));
}

void
crm_deal_was_deleted(DealChangeAudit *audit, TupleTableSlot *old_deal)
{
	int32		version = get_version(audit, old_deal);

	record(audit, DEAL_DELETED, old_deal, NULL, false, Min(version, PG_INT32_MAX - 1) + 1,
		   Max(get_changes(audit)->clock, get_time(audit, old_deal, DEAL_UPDATED_AT)));
}

/* INSERT INTO ... SELECT of all deals, as deleted; $1 is who did it. */
static char *
delete_all_query(Relation deals)
{
	const AttrNumber *attnos = crm_columns(deals, &crm_deal_kind);
	uint64		lacking = crm_lacking_fields_beside(deals, &deal_changes);
	StringInfoData columns,
				values;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < FIELD_NEW; i++)
	{
		if (lacking & CRM_FIELD_BIT(i))
			continue;
		appendStringInfo(&columns, "%s, ", fields[i].column);
		if (i == FIELD_CHANGE)
			appendStringInfo(&values, "'%s', ", kind_names[DEAL_DELETED]);
		else if (i == FIELD_VERSION)
			appendStringInfo(&values, "CASE WHEN d.version OPERATOR(pg_catalog.=) %d THEN d.version "
							 "ELSE d.version OPERATOR(pg_catalog.+) 1 END, ", PG_INT32_MAX);
		else if (i == FIELD_CHANGED_AT)
			appendStringInfoString(&values, "GREATEST(pg_catalog.clock_timestamp(), d.updated_at), ");
		else
		{
			DealColumn	column = i < FIELD_CHANGE ? copied[i] : watched[i - FIELD_OLD];

			if (attnos[column] == InvalidAttrNumber)
				appendStringInfoString(&values, "NULL, ");
			else
				appendStringInfo(&values, "d.%s, ", crm_deal_kind.columns[column].name);
		}
	}
	return psprintf("INSERT INTO %s (%schanged_by, recorded_by) SELECT %s$1, SESSION_USER FROM %s d",
					crm_trusted_sibling(deals, deal_changes.table), columns.data, values.data,
					crm_relation_name(RelationGetRelid(deals)));
}

/*
 * crm_deal_truncate(version): BEFORE TRUNCATE trigger FOR EACH STATEMENT of
 * deals
 *		Records in deal_changes that each of them is deleted, while they are
 *		still there.
 */
PG_FUNCTION_INFO_V1(crm_deal_truncate);
Datum
crm_deal_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_deal_truncate", TRIGGER_EVENT_BEFORE,
											 CRM_ON(TRIGGER_EVENT_TRUNCATE));
	Relation	deals = trigdata->tg_relation;
	static const Oid argtypes[] = {TEXTOID};
	CrmStatement statement = {.nargs = lengthof(argtypes),.argtypes = argtypes};
	Datum		values[1];
	SavedUser	saved;

	if (crm_is_distributed(RelationGetRelid(deals)))
	{
		/* It has no rows; the trigger of its shard is fired, too. */
		crm_context_before_write(RelationGetRelid(deals));
		return PointerGetDatum(NULL);
	}
	SPI_connect();
	values[0] = CStringGetTextDatum(crm_session_actor());
	crm_become_owner(deals, &saved);
	statement.text = delete_all_query(deals);
	/* TRUNCATE removes the rows of all transactions, whatever this one sees. */
	(void) crm_run_snapshot(&statement, values, GetLatestSnapshot());
	crm_restore_user(&saved);
	SPI_finish();
	return PointerGetDatum(NULL);
}

void
crm_deal_change_audit_end(DealChangeAudit *audit)
{
	if (audit->changes != NULL)
		crm_writer_end(audit->changes->writer);
}
