INSERT INTO @crm@.stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id, entered_at, changed_at,
    move_no, from_status, to_status, amount, currency, value_period, probability, from_probability, changed_by, recorded_by, closing, correction_id)
SELECT r.tenant_id, t.deal_id, a.pipeline_id, a.stage_id, b.pipeline_id, b.stage_id, s.before_at, s.at,
    s.n - 1, a.deal_status, b.deal_status,
    CASE WHEN e.deal_no IS NULL THEN t.amount ELSE e.now_amount END,
    CASE WHEN e.deal_no IS NULL THEN t.currency ELSE e.now_currency END,
    CASE WHEN e.deal_no IS NULL THEN t.value_period ELSE coalesce(e.now_period, 'one_time') END,
    CASE WHEN e.deal_no IS NOT NULL THEN e.now_probability WHEN s.is_last THEN t.probability ELSE b.probability END,
    CASE WHEN e.deal_no IS NULL THEN a.probability ELSE e.left_probability END,
    s.actor, session_user,
    CASE WHEN a.deal_status <> 'open' AND a.deal_status <> b.deal_status THEN jsonb_build_object(a.deal_status || '_at', s.before_since) END,
    c.id
FROM @import@.work_target AS t
    JOIN @import@.work_visits AS s ON s.deal_no = t.deal_no AND s.n > 1
    JOIN @import@.work_stages AS a ON a.stage_no = s.before_no
    JOIN @import@.work_stages AS b ON b.stage_no = s.stage_no
    LEFT JOIN @import@.work_states AS e ON e.deal_no = t.deal_no AND e.n = s.n AND e.kind = 2
    LEFT JOIN @import@.work_superseded AS c ON c.deal_no = t.deal_no
    CROSS JOIN @import@.run AS r
WHERE t.no >= $1 AND t.no < $2
ORDER BY t.no, s.n
