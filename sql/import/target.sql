-- The rows of deals to write.

CREATE UNLOGGED TABLE @import@.work_target AS
SELECT y.no, y.deal_no, y.action, y.deal_id, y.external_id, y.fingerprint,
    g.pipeline_id, g.stage_id, g.deal_status AS status, t.at AS stage_entered_at, (t.n - 1) AS move_no,
    coalesce(e.version, t.n)::integer AS version,
    coalesce(s.title, s.external_id) AS title, s.description,
    CASE WHEN e.deal_no IS NULL THEN round(s.amount, 4) ELSE e.now_amount END AS amount,
    CASE WHEN e.deal_no IS NOT NULL THEN e.now_currency
        WHEN s.amount IS NOT NULL THEN coalesce(f.currency, p.currency) ELSE f.currency END AS currency,
    CASE g.deal_status WHEN 'won' THEN 1 WHEN 'lost' THEN 0
        ELSE CASE WHEN e.deal_no IS NULL THEN coalesce(s.probability_text::numeric, g.probability) ELSE e.now_probability END
    END AS probability,
    CASE WHEN e.deal_no IS NULL THEN coalesce(f.value_period, 'one_time') ELSE coalesce(e.now_period, 'one_time') END AS value_period,
    CASE WHEN e.deal_no IS NULL THEN f.owner_id ELSE e.now_owner END AS owner_id,
    f.organization_id,
    CASE WHEN e.deal_no IS NULL THEN s.expected_close_date ELSE e.now_expected END AS expected_close_date,
    CASE WHEN g.deal_status = 'won' THEN t.since END AS won_at,
    CASE WHEN g.deal_status = 'lost' THEN t.since END AS lost_at,
    CASE WHEN g.deal_status = 'lost' THEN s.lost_reason END AS lost_reason,
    CASE WHEN s.archived_at IS NOT NULL THEN e.at END AS archived_at,
    s.metadata || jsonb_strip_nulls(jsonb_build_object('owner', CASE WHEN NOT s.metadata ? 'owner' THEN s.owner END,
        'organization', CASE WHEN NOT s.metadata ? 'organization' THEN s.organization END,
        'lost_reason', CASE WHEN g.deal_status <> 'lost' AND NOT s.metadata ? 'lost_reason' THEN s.lost_reason END)) AS metadata,
    least(k.start_at, b.at) AS created_at, b.actor AS created_by
FROM @import@.work_ready AS y
    JOIN @import@.work_kept AS k ON k.deal_no = y.deal_no
    JOIN @import@.work_deals AS s ON s.deal_no = y.deal_no
    JOIN @import@.work_final AS f ON f.deal_no = y.deal_no
    JOIN @import@.work_visits AS b ON b.deal_no = y.deal_no AND b.n = 1
    JOIN @import@.work_visits AS t ON t.deal_no = y.deal_no AND t.is_last
    JOIN @import@.work_stages AS g ON g.stage_no = t.stage_no
    LEFT JOIN @import@.work_pipelines AS p ON p.pipeline_id = g.pipeline_id
    LEFT JOIN @import@.work_states AS e ON e.deal_no = y.deal_no AND e.is_end
WHERE y.action IN ('new', 'replace');

CREATE INDEX ON @import@.work_target (no);
ANALYZE @import@.work_target;
