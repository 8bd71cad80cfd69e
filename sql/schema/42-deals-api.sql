-- The API of deals.

CREATE FUNCTION move_deal(deal_id uuid, stage_id uuid, effective_at timestamptz DEFAULT NULL,
        lost_reason text DEFAULT NULL, expected_stage_id uuid DEFAULT NULL)
    RETURNS deals
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT crm_current_row((SELECT t FROM deals AS t WHERE false),
        crm_move_deal('deals'::regclass, move_deal.deal_id, move_deal.stage_id, move_deal.effective_at,
            move_deal.lost_reason, move_deal.expected_stage_id));
END;
REVOKE EXECUTE ON FUNCTION move_deal(uuid, uuid, timestamptz, text, uuid) FROM PUBLIC;
COMMENT ON FUNCTION move_deal(uuid, uuid, timestamptz, text, uuid) IS
'Move a deal to a stage

effective_at is when it moved (default: now), not before it entered its present stage. lost_reason is for stages of lost deals. expected_stage_id is the stage from which the deal is to move: if it stands elsewhere, somebody was faster, and nothing changes. A deal that stands in the stage already stays as it is, so a request can be made again.

Returns the deal. Errors: PT404 for an unknown deal, 23503 for an unknown stage, PT409 if the deal is not in expected_stage_id, 23514 for a time or stage that the rules refuse, 22023 for a lost_reason where deals are not lost.

@mcp name=deals_move additive idempotent';

CREATE FUNCTION undo_move(deal_id uuid)
    RETURNS deals
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT CASE WHEN undo_move.deal_id IS NULL THEN crm_raise('22004', 'deal_id must not be null') END;
    SELECT crm_undo_move('deals'::regclass, undo_move.deal_id);
    SELECT crm_current_row((SELECT t FROM deals AS t WHERE false), undo_move.deal_id);
END;
REVOKE EXECUTE ON FUNCTION undo_move(uuid) FROM PUBLIC;
COMMENT ON FUNCTION undo_move(uuid) IS
'Take the last move of a deal back

The deal is put back as it was before, won_at, lost_at and lost_reason included. The history gets a row whose reverts_id and reverts_no name the move; analytics skip both.

Returns the deal. Errors: PT404 for an unknown deal, PT409 if there is no move to take back or its stage is gone.

@mcp name=deals_undo_move additive';
