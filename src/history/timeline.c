/*
 * history/timeline.c
 *		The moves of one deal: reading them, and correcting when they happened.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/query.h"
#include "base/time.h"
#include "base/uuid.h"
#include "history/timeline.h"
#include "table/owner_rights.h"

static int
find_move(const Timeline *timeline, int32 move_no)
{
	int			low = 0;
	int			high = timeline->nmoves - 1;

	while (low <= high)
	{
		int			middle = low + (high - low) / 2;

		if (timeline->moves[middle].move_no == move_no)
			return middle;
		if (timeline->moves[middle].move_no < move_no)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return TIMELINE_NO_MOVE;
}

/* What the move does to the visit that it ends, which begins a new one. */
static void
end_visit(const TimelineVisit *before, TimelineMove *move)
{
	/* Of an earlier part that was cut off, or of a life that is not known. */
	bool		follows = move->entered_at == before->entered_at;
	bool		clears = move->has_closed_at && crm_timeline_has_closer(before) &&
	move->closed_at == before->closed_at;

	move->new_entered_at = follows ? before->new_entered_at : move->entered_at;
	move->new_closed_at = clears ? before->new_closed_at : move->closed_at;

	/*
	 * A move that was taken back does not count in reports: any time that is
	 * not before its visit will do.
	 */
	if (!move->stands && move->new_changed_at < move->new_entered_at)
		move->new_changed_at = move->new_entered_at;
}

static void
begin_visit(TimelineVisit *after, const TimelineVisit *before, int i, const TimelineMove *move)
{
	after->status = move->to_status;
	after->entered_at = move->changed_at;
	after->new_entered_at = move->new_changed_at;
	after->closer = TIMELINE_NO_MOVE;
	if (move->to_status == DEAL_OPEN)
		return;
	/* From won to won won_at stays, unless it was written. */
	if (before->status == move->to_status && !move->has_closed_at)
	{
		after->closer = before->closer;
		after->closed_at = before->closed_at;
		after->new_closed_at = before->new_closed_at;
		return;
	}
	after->closer = i;
	after->closed_at = move->changed_at;
	after->new_closed_at = move->new_changed_at;
}

/*
 * The visit after a move that took one back which is not here, as it was made before the deal
 * was put back, or was cut off: the next move tells of it, or the deal.
 */
static void
resume_visit(Timeline *timeline, int i)
{
	TimelineVisit *after = &timeline->visits[i + 1];
	const TimelineMove *next = i + 1 < timeline->nmoves ? &timeline->moves[i + 1] : NULL;

	after->status = timeline->moves[i].to_status;
	after->entered_at = next != NULL ? next->entered_at : timeline->deal.entered_at;
	after->closer = timeline->is_put_back && after->status != DEAL_OPEN ? TIMELINE_EARLIER_MOVE :
		TIMELINE_NO_MOVE;
	after->closed_at = next == NULL ? timeline->deal.closed_at :
		next->has_closed_at ? next->closed_at : after->entered_at;
	after->new_entered_at = after->entered_at;
	after->new_closed_at = after->closed_at;
}

/* Computes all that depends on the times of the moves. */
static void
follow(Timeline *timeline)
{
	for (int i = 0; i < timeline->nmoves; i++)
	{
		TimelineMove *move = &timeline->moves[i];
		int			reverted = move->reverts_no > 0 ? find_move(timeline, move->reverts_no) :
		TIMELINE_NO_MOVE;

		end_visit(&timeline->visits[i], move);
		if (reverted >= 0)
			timeline->visits[i + 1] = timeline->visits[reverted];
		else if (move->reverts_no > 0)
			resume_visit(timeline, i);
		else
			begin_visit(&timeline->visits[i + 1], &timeline->visits[i], i, move);
	}
}

/* ---- reading ---- */

static TimestampTz
time_value(uint64 row, int column, bool *isnull)
{
	Datum		result = crm_result_value(row, column, TIMESTAMPTZOID, isnull);

	return *isnull ? DT_NOBEGIN : DatumGetTimestampTz(result);
}

static DealStatus
status_value(uint64 row, int column)
{
	bool		isnull;
	Datum		result = crm_result_value(row, column, TEXTOID, &isnull);
	DealStatus	status;

	if (isnull || !crm_parse_deal_status(result, &status))
		return DEAL_OPEN;
	return status;
}

/* Runs a query whose parameters are the first nargs of the deal, its tenant and earlier_moves. */
static void
run(const char *query, int nargs, const Timeline *timeline)
{
	static const Oid argtypes[] = {UUIDOID, UUIDOID, INT4OID};
	CrmStatement statement = {.text = query,.nargs = nargs,.argtypes = argtypes};
	Datum		args[] = {
		UUIDPGetDatum(&timeline->deal.id), UUIDPGetDatum(&timeline->deal.tenant_id),
		Int32GetDatum(timeline->earlier_moves)
	};

	crm_select_kept(&statement, args, 0);
}

/* What deal_changes says of the lives of the deal. */
static void
read_lives(Timeline *timeline, const char *deal_changes)
{
	bool		isnull;
	Datum		is_put_back;

	run(psprintf("SELECT pg_catalog.max(c.move_no::pg_catalog.int4) FILTER (WHERE c.change OPERATOR(pg_catalog.=) 'deleted'), "
				 "pg_catalog.max(c.changed_at::pg_catalog.timestamptz) FILTER (WHERE c.change OPERATOR(pg_catalog.=) 'created'), "
				 "(SELECT l.change OPERATOR(pg_catalog.=) 'restored' FROM %1$s l WHERE l.deal_id OPERATOR(pg_catalog.=) $1 "
				 "AND l.tenant_id OPERATOR(pg_catalog.=) $2 AND l.change OPERATOR(pg_catalog.=) ANY ('{restored,recreated}') "
				 "ORDER BY l.changed_at DESC, l.recorded_at DESC LIMIT 1) "
				 "FROM %1$s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
				 "AND c.change OPERATOR(pg_catalog.=) ANY ('{created,deleted}')",
				 deal_changes), 2, timeline);
	timeline->earlier_moves = DatumGetInt32(crm_result_value(0, 1, INT4OID, &isnull));
	timeline->has_earlier_life = !isnull;
	if (isnull)
		timeline->earlier_moves = 0;
	timeline->created_at = time_value(0, 2, &isnull);
	is_put_back = crm_result_value(0, 3, BOOLOID, &isnull);
	timeline->is_put_back = !isnull && DatumGetBool(is_put_back);
}

static void
read_move(TimelineMove *move, uint64 row)
{
	bool		isnull;
	Datum		reverts;

	move->id = *DatumGetUUIDP(crm_result_value(row, 1, UUIDOID, NULL));
	move->to_stage_id = *DatumGetUUIDP(crm_result_value(row, 2, UUIDOID, NULL));
	move->move_no = DatumGetInt32(crm_result_value(row, 3, INT4OID, NULL));
	reverts = crm_result_value(row, 4, INT4OID, &isnull);
	move->reverts_no = isnull ? 0 : DatumGetInt32(reverts);
	move->stands = isnull;
	move->from_status = status_value(row, 5);
	move->to_status = status_value(row, 6);
	move->entered_at = time_value(row, 7, &isnull);
	move->changed_at = move->new_changed_at = time_value(row, 8, &isnull);
	move->closed_at = time_value(row, 9, &isnull);
	move->has_closed_at = !isnull;
}

static void
read_moves(Timeline *timeline, const char *stage_changes, MemoryContext context)
{
	run(psprintf("SELECT c.id::pg_catalog.uuid, c.to_stage_id::pg_catalog.uuid, c.move_no::pg_catalog.int4, "
				 "c.reverts_no::pg_catalog.int4, c.from_status::pg_catalog.text, c.to_status::pg_catalog.text, "
				 "c.entered_at::pg_catalog.timestamptz, c.changed_at::pg_catalog.timestamptz, "
				 "COALESCE(pg_catalog.jsonb_object_field_text(c.closing, 'won_at'), "
				 "pg_catalog.jsonb_object_field_text(c.closing, 'lost_at'))::pg_catalog.timestamptz "
				 "FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
				 "AND c.move_no OPERATOR(pg_catalog.>) $3 ORDER BY c.move_no", stage_changes), 3, timeline);
	timeline->nmoves = (int) SPI_processed;
	timeline->moves = MemoryContextAllocHuge(context,
											 (timeline->nmoves + 1) * sizeof(TimelineMove));
	timeline->visits = MemoryContextAllocHuge(context,
											  (timeline->nmoves + 1) * sizeof(TimelineVisit));
	for (int i = 0; i < timeline->nmoves; i++)
		read_move(&timeline->moves[i], i);
	for (int i = 0; i < timeline->nmoves; i++)
	{
		int			reverted = timeline->moves[i].reverts_no > 0 ?
		find_move(timeline, timeline->moves[i].reverts_no) : TIMELINE_NO_MOVE;

		if (reverted >= 0)
			timeline->moves[reverted].stands = false;
	}
}

/* The visit before the first move. */
static void
set_beginning(Timeline *timeline)
{
	TimelineVisit *visit = &timeline->visits[0];
	const TimelineMove *first = timeline->nmoves > 0 ? &timeline->moves[0] : NULL;

	timeline->has_beginning = !timeline->has_earlier_life &&
		(first != NULL ? first->move_no == 1 : timeline->deal.move_no == 0);
	visit->status = first != NULL ? first->from_status : timeline->deal.status;
	visit->entered_at = visit->new_entered_at = first != NULL ? first->entered_at :
		timeline->deal.entered_at;
	visit->closer = TIMELINE_NO_MOVE;
	visit->closed_at = visit->new_closed_at = DT_NOBEGIN;
	if (visit->status == DEAL_OPEN)
		return;
	visit->closed_at = first == NULL ? timeline->deal.closed_at :
		first->has_closed_at ? first->closed_at : visit->entered_at;
	visit->new_closed_at = visit->closed_at;
	if (timeline->is_put_back)
		visit->closer = TIMELINE_EARLIER_MOVE;
	else if (visit->closed_at == visit->entered_at)
		visit->closer = TIMELINE_BEGINNING;
}

Timeline *
crm_timeline_read(Relation deals, const TimelineDeal *deal)
{
	Timeline   *timeline = palloc0(sizeof(Timeline));
	MemoryContext context = CurrentMemoryContext;
	const char *stage_changes = crm_trusted_sibling(deals, "stage_changes");
	const char *deal_changes = crm_trusted_sibling(deals, "deal_changes");
	SavedUser	saved;

	timeline->deals = deals;
	timeline->deal = *deal;
	SPI_connect();
	crm_become_owner(deals, &saved);
	read_lives(timeline, deal_changes);
	read_moves(timeline, stage_changes, context);
	crm_restore_user(&saved);
	SPI_finish();
	set_beginning(timeline);
	follow(timeline);
	return timeline;
}

/* ---- correcting ---- */

/* PT409: there is such a move, but it cannot be corrected.  detail is translated. */
pg_noreturn static void
refuse(const Timeline *timeline, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_CRM_STALE),
			 errmsg("that move of deal %s cannot be corrected", crm_uuid_text(&timeline->deal.id)),
			 errdetail_internal("%s", detail),
			 errhint("Correct a move that its history shows as standing.")));
}

void
crm_timeline_refuse_earlier(const Timeline *timeline)
{
	refuse(timeline, _("It was made before the deal was deleted and put back."));
}

int
crm_timeline_find(const Timeline *timeline, int32 move_no)
{
	int			found = find_move(timeline, move_no);

	if (move_no < 0 || move_no > timeline->deal.move_no)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("deal %s has no move %d", crm_uuid_text(&timeline->deal.id), move_no),
				 errdetail("It has made %d moves.", timeline->deal.move_no),
				 errhint("Give the number of one of them, or 0 for when the deal came into being.")));
	if (timeline->has_earlier_life && move_no <= timeline->earlier_moves)
		crm_timeline_refuse_earlier(timeline);
	if (move_no == 0 && timeline->has_beginning)
		return TIMELINE_BEGINNING;
	if (found < 0)
		refuse(timeline, _("The history does not have it."));
	if (!timeline->moves[found].stands)
		refuse(timeline, timeline->moves[found].reverts_no > 0 ?
			   _("It took another move back: it is no move of its own.") :
			   _("It was taken back, and counts as if it had never been."));
	return found;
}

int
crm_timeline_last(const Timeline *timeline)
{
	for (int i = timeline->nmoves - 1; i >= 0; i--)
	{
		if (timeline->moves[i].stands)
			return i;
	}
	return crm_timeline_find(timeline, 0);
}

TimestampTz
crm_timeline_time(const Timeline *timeline, int move)
{
	return move == TIMELINE_BEGINNING ? timeline->visits[0].entered_at :
		timeline->moves[move].changed_at;
}

TimestampTz
crm_timeline_earliest(const Timeline *timeline, int move)
{
	return move == TIMELINE_BEGINNING ? DT_NOBEGIN : timeline->moves[move].entered_at;
}

/* The next move that stands; TIMELINE_NO_MOVE if there is none. */
static int
next_move(const Timeline *timeline, int move)
{
	for (int i = Max(move + 1, 0); i < timeline->nmoves; i++)
	{
		if (timeline->moves[i].stands)
			return i;
	}
	return TIMELINE_NO_MOVE;
}

/* For ereport(): the message that the move cannot have been at that time. */
static int
errmsg_time(const Timeline *timeline, int move, TimestampTz at)
{
	const char *deal = crm_uuid_text(&timeline->deal.id);

	return move == TIMELINE_BEGINNING ?
		errmsg("the beginning of deal %s cannot have been at %s", deal, crm_time_text(at)) :
		errmsg("move %d of deal %s cannot have been at %s", timeline->moves[move].move_no, deal,
			   crm_time_text(at));
}

static void
check_between_neighbours(const Timeline *timeline, int move, TimestampTz at)
{
	TimestampTz earliest = crm_timeline_earliest(timeline, move);
	int			next = next_move(timeline, move);

	if (at < earliest)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg_time(timeline, move, at),
				 errdetail("The deal entered the stage that it left at %s.", crm_time_text(earliest)),
				 errhint("Correct the move before that one first.")));
	if (next != TIMELINE_NO_MOVE && at > timeline->moves[next].changed_at)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg_time(timeline, move, at),
				 errdetail("Move %d was at %s.", timeline->moves[next].move_no,
						   crm_time_text(timeline->moves[next].changed_at)),
				 errhint("Correct that move first.")));
}

void
crm_timeline_correct(Timeline *timeline, int move, TimestampTz at)
{
	TimelineVisit *beginning = &timeline->visits[0];

	check_between_neighbours(timeline, move, at);
	if (move >= 0)
		timeline->moves[move].new_changed_at = at;
	else
	{
		beginning->new_entered_at = at;
		if (beginning->closer == TIMELINE_BEGINNING)
			beginning->new_closed_at = at;
	}
	follow(timeline);
}
