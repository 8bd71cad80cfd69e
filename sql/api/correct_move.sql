CREATE FUNCTION @extschema@.crm_correct_move(crm regnamespace, deal_id uuid, changed_at timestamptz,
	move_no integer DEFAULT NULL,
	reason text DEFAULT NULL)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_correct_move';
COMMENT ON FUNCTION @extschema@.crm_correct_move(regnamespace, uuid, timestamptz, integer, text) IS
'Correct when a move of a deal happened

changed_at is when it really moved: not before the move before, nor after the next one. move_no is the number of the move (default: the last one that was not taken back); 0 is when the deal came into being, created_at included. A time that is there already changes nothing. The times of the deal, of the history and of all reports follow. What they were is kept in deal_changes, with the reason, as a change ''corrected''.

Returns the deal. Errors: PT404 for an unknown deal or a number that it has not reached, PT409 for a move that was taken back, or was made before the deal was deleted and put back, 23514 for a time that is not between those of the neighbours, or in the future.';
