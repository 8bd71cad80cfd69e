CREATE FUNCTION @extschema@.crm_undo_move(crm regnamespace, deal_id uuid)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_undo_move';
COMMENT ON FUNCTION @extschema@.crm_undo_move(regnamespace, uuid) IS
'Take the last move of a deal back

The deal is put back as it was before, won_at, lost_at and lost_reason included. The history gets a row whose reverts_id and reverts_no name the move; analytics skip both.

Returns the deal. Errors: PT404 for an unknown deal, PT409 if there is no move to take back or its stage is gone.

@tool The deal is put back as it was before, closing dates included; the history keeps both. Returns the deal.
@mcp name=deals_undo_move additive';
