/*
 * analytics/log_moves.c
 *		The moves of a value that crm_stage_history() made.
 */
#include "postgres.h"

#include "analytics/deal_visits.h"

/* Reads the log twice: for the moves that were taken back, then for the others. */
void
crm_add_moves_of_log(DealVisits *visits, FunctionCallInfo fcinfo, int history_arg)
{
	VisitLogReader reader;
	VisitLogReader again;
	VisitRecord record;
	uint16	   *stage_of;

	if (PG_ARGISNULL(history_arg))
		return;
	crm_visit_log_read(&reader, PG_GETARG_DATUM(history_arg), VISIT_LOG_MOVES);
	again = reader;
	stage_of = crm_log_stage_numbers(visits, &reader);
	while (crm_visit_log_next(&reader, &record))
	{
		if (record.is_revert)
			crm_add_taken_back(visits, record.deal, record.reverts_no);
	}
	crm_add_moves(visits);
	while (crm_visit_log_next(&again, &record))
	{
		VisitMove  *move = crm_new_move(visits);

		if (record.is_revert)
			continue;
		move->deal = record.deal;
		move->stage = stage_of[record.stage];
		move->next = stage_of[record.next];
		move->move_no = record.move_no;
		move->has_entered_at = record.has_entered_at;
		move->entered_at = record.entered_at;
		move->has_duration = record.has_duration;
		move->duration = record.duration;
		crm_add_move(visits);
	}
	pfree(stage_of);
}
