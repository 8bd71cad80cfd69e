CREATE FUNCTION @extschema@.crm_rotting_deals(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
	RETURNS TABLE (deal_id uuid, title text, pipeline_id uuid, stage_id uuid, stage_name text,
		owner_id uuid, owner_name text,
		amount numeric, currency text, expected_close_date date, stage_entered_at timestamptz,
		rotting_days integer,
		days_in_stage numeric, days_over numeric)
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_rotting_deals(regnamespace, uuid, uuid, text) IS
'The deals that stand still, worst first

Open, unarchived deals that have stood in their stage for longer than its rotting_days. days_in_stage = now - stage_entered_at, in days of 24 hours; days_over = days_in_stage - rotting_days. Stages without rotting_days have none. As Pipedrive''s rotting, but counted from when the deal entered the stage, not from its last activity. pipeline_id (null: all), owner_id and currency choose deals. owner_name is what the owner is called, if owners are linked and the caller may read their table, else null.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency.

@mcp report=flow';
