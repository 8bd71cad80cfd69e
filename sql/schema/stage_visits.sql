-- The visits of deals in stages, and how long they took.
--
-- A move tells when the deal had entered the stage that it left, so a row of the
-- history is a visit, and nothing needs to be sorted.  A row that takes a move
-- back has the number of that move in reverts_no; neither of the two is a visit,
-- as the deal never left.
--
-- A deal that was deleted and inserted again under its old id is a new one, whose moves
-- are numbered on: those up to then are of another life.  But if it was put back as it had
-- been deleted ('restored'), it goes on.

CREATE VIEW stage_visits WITH (security_invoker = true) AS
    SELECT c.tenant_id, c.deal_id, c.move_no AS visit_no, c.from_pipeline_id AS pipeline_id,
        c.from_stage_id AS stage_id, c.from_status AS status, c.entered_at, c.changed_at AS exited_at,
        c.changed_at - c.entered_at AS duration, c.to_pipeline_id AS next_pipeline_id,
        c.to_stage_id AS next_stage_id, c.to_status AS next_status
    FROM stage_changes AS c
    WHERE c.reverts_no IS NULL
        AND NOT EXISTS (SELECT FROM stage_changes AS r
            WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)
        AND NOT EXISTS (SELECT FROM deal_changes AS l
            WHERE l.deal_id = c.deal_id AND l.tenant_id = c.tenant_id AND l.change = 'recreated' AND l.move_no >= c.move_no)
    UNION ALL
    SELECT d.tenant_id, d.id, least(d.move_no, 2147483646) + 1, d.pipeline_id, d.stage_id, d.status, d.stage_entered_at,
        NULL, NULL, NULL, NULL, NULL
    FROM deals AS d;

COMMENT ON VIEW stage_visits IS 'A row for every visit of a deal in a stage, the present one included. Moves that were taken back count as if they had never been. Of deleted deals the visits that had ended are there, of archived deals all; of a deal that was deleted and inserted again under its old id those since then, and all if it was put back as it was, in the same stage and with the same stage_entered_at. As in HubSpot''s "date entered" and "date exited" of a stage, but for every visit rather than the latest one';
COMMENT ON COLUMN stage_visits.tenant_id IS 'The tenant of the deal';
COMMENT ON COLUMN stage_visits.deal_id IS 'The deal; it may have been deleted since';
COMMENT ON COLUMN stage_visits.visit_no IS 'Orders the visits of a deal, also those of the same time; not without gaps';
COMMENT ON COLUMN stage_visits.pipeline_id IS 'The pipeline the deal stood in';
COMMENT ON COLUMN stage_visits.stage_id IS 'The stage the deal stood in';
COMMENT ON COLUMN stage_visits.status IS 'The status of the deal in that time: open, won or lost';
COMMENT ON COLUMN stage_visits.entered_at IS 'When the deal entered the stage';
COMMENT ON COLUMN stage_visits.exited_at IS 'When it left the stage; null: it stands there now';
COMMENT ON COLUMN stage_visits.duration IS 'exited_at - entered_at; null while the deal stands there';
COMMENT ON COLUMN stage_visits.next_pipeline_id IS 'The pipeline it went to; null while the deal stands there';
COMMENT ON COLUMN stage_visits.next_stage_id IS 'The stage it went to; null while the deal stands there';
COMMENT ON COLUMN stage_visits.next_status IS 'Its status after that; null while the deal stands there';
