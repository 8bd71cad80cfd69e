CREATE FUNCTION @extschema@.crm_deal_history(crm regnamespace, deal_id uuid,
	changed_from timestamptz DEFAULT NULL, changed_before timestamptz DEFAULT NULL)
	RETURNS TABLE (changed_at timestamptz, change text, changed_by text, from_stage text,
		to_stage text, status text, changes jsonb, of_deal_id uuid, move_no integer)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_deal_history(regnamespace, uuid, timestamptz, timestamptz) IS
'The history of a deal: its moves and changed values, newest first

A row for each row of stage_changes, change moved or, if it took a move back, undone, with the names of the stages; and for each row of deal_changes, change as there, changes an object that has old and new of each value that changed. status is the one after a move, or at a change. Rows of deals that merge_deals merged into it are among them: of_deal_id is whose row it is.

changed_from (included) and changed_before (not included) choose rows by changed_at.

Errors: PT404 for an unknown deal.

@mcp report=flow';
