-- The history of a deal, and of those that were merged into it.

WITH theirs AS (
    SELECT d.id, d.tenant_id
    FROM @crm@.deals AS d
    WHERE d.id = deal_history.deal_id
    UNION ALL
    SELECT d.id, d.tenant_id
    FROM @crm@.deals AS d
    WHERE d.merged_into = deal_history.deal_id AND d.archived_at IS NOT NULL
), rows AS (
    SELECT c.changed_at, c.recorded_at, CASE WHEN c.reverts_no IS NULL THEN 'moved' ELSE 'undone' END AS change,
        c.changed_by, f.name AS from_stage, t.name AS to_stage, c.to_status AS status, NULL::jsonb AS changes,
        c.deal_id, c.move_no
    FROM theirs AS d
        JOIN @crm@.stage_changes AS c ON c.deal_id = d.id AND c.tenant_id = d.tenant_id
        LEFT JOIN @crm@.stages AS f ON f.id = c.from_stage_id
        LEFT JOIN @crm@.stages AS t ON t.id = c.to_stage_id
    UNION ALL
    SELECT c.changed_at, c.recorded_at,
        CASE WHEN c.other -> 'merged_into' ->> 'new' IS NOT NULL THEN 'merged' ELSE c.change END,
        c.changed_by, NULL, s.name, c.status,
        nullif(coalesce(c.other, '{}') || coalesce((
            SELECT jsonb_object_agg(v.name, jsonb_build_object('old', v.old_value, 'new', v.new_value))
            FROM (VALUES
                ('amount', to_jsonb(trim_scale(c.old_amount)), to_jsonb(trim_scale(c.new_amount))),
                ('currency', to_jsonb(c.old_currency), to_jsonb(c.new_currency)),
                ('probability', to_jsonb(trim_scale(c.old_probability)), to_jsonb(trim_scale(c.new_probability))),
                ('value_period', to_jsonb(c.old_value_period), to_jsonb(c.new_value_period)),
                ('expected_close_date', to_jsonb(c.old_expected_close_date), to_jsonb(c.new_expected_close_date)),
                ('owner_id', to_jsonb(c.old_owner_id), to_jsonb(c.new_owner_id))) AS v (name, old_value, new_value)
            WHERE v.old_value IS DISTINCT FROM v.new_value), '{}'), '{}'),
        c.deal_id, c.move_no
    FROM theirs AS d
        JOIN @crm@.deal_changes AS c ON c.deal_id = d.id AND c.tenant_id = d.tenant_id
        LEFT JOIN @crm@.stages AS s ON s.id = c.stage_id
)
SELECT r.changed_at, r.change, r.changed_by, r.from_stage, r.to_stage, r.status, r.changes, r.deal_id, r.move_no
FROM rows AS r
WHERE (deal_history.changed_from IS NULL OR r.changed_at >= deal_history.changed_from)
    AND (deal_history.changed_before IS NULL OR r.changed_at < deal_history.changed_before)
ORDER BY r.changed_at DESC, r.recorded_at DESC, r.move_no DESC;
