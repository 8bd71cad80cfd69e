-- When deals that had been deleted were inserted again as new ones, not as they were: see
-- the view stage_visits.
FROM @crm@.deal_changes AS l
WHERE l.change = 'restored'
    AND NOT EXISTS (SELECT
        FROM (SELECT k.stage_id, k.stage_entered_at, k.move_no
            FROM @crm@.deal_changes AS k
            WHERE k.deal_id = l.deal_id AND k.tenant_id = l.tenant_id AND k.change = 'deleted' AND k.changed_at <= l.changed_at
            ORDER BY k.changed_at DESC, k.recorded_at DESC
            LIMIT 1) AS k
        WHERE k.stage_id = l.stage_id AND k.move_no = l.move_no
            AND date_trunc('milliseconds', k.stage_entered_at) = date_trunc('milliseconds', l.stage_entered_at))
