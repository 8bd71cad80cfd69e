CREATE FUNCTION @extschema@.crm_move_deal(crm regnamespace, deal_id uuid, stage_id uuid,
	effective_at timestamptz DEFAULT NULL,
	lost_reason text DEFAULT NULL, expected_stage_id uuid DEFAULT NULL)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_move_deal';
COMMENT ON FUNCTION @extschema@.crm_move_deal(regnamespace, uuid, uuid, timestamptz, text, uuid) IS
'Move a deal to a stage

effective_at is when it moved (default: now), not before it entered its present stage. lost_reason is for stages of lost deals. expected_stage_id is the stage from which the deal is to move: if it stands elsewhere, somebody was faster, and nothing changes. A deal that stands in the stage already stays as it is, so a request can be made again.

Returns the deal. Errors: PT404 for an unknown deal, 23503 for an unknown stage, PT409 if the deal is not in expected_stage_id, 23514 for a time or stage that the rules refuse, 22023 for a lost_reason where deals are not lost.

@param effective_at When it moved; default: now
@param lost_reason Why it was lost, for a stage of lost deals
@param expected_stage_id The stage that it is to leave; if it is elsewhere, nothing changes (PT409)
@tool The status (open, won, lost) follows from the stage. A deal that is in the stage already stays, so a call can be repeated. Returns the deal.
@mcp name=deals_move additive idempotent';
