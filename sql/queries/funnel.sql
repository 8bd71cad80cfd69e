-- How many deals get from stage to stage, and how much value.
--
-- Distinct deals are counted, not moves: a deal that goes back and forth is one
-- deal.  A deal that stood in a stage twice has stood there since the first time.

SELECT CASE
        WHEN funnel.rule NOT IN ('direct', 'reached')
        THEN @extension@.crm_raise('22023', format('rule must not be "%s"', left(funnel.rule, 40)), NULL, 'It is direct or reached.')
        WHEN funnel.cohort NOT IN ('created', 'entered')
        THEN @extension@.crm_raise('22023', format('cohort must not be "%s"', left(funnel.cohort, 40)), NULL, 'It is created or entered.')
    END;

WITH
@part stage_steps@,
rows AS (
    -- Next to an open stage is the following one that is in use; next to the last
    -- of them is winning.
    SELECT g.group_key, g.is_total, s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0) AS deals,
        CASE WHEN s.deal_status = 'open' THEN
            coalesce(CASE WHEN n.id IS NULL THEN t.to_won ELSE c.deals END, 0) END AS converted,
        coalesce(t.won_deals, 0) AS won, coalesce(t.lost_deals, 0) AS lost, coalesce(t.open_deals, 0) AS still_open,
        CASE WHEN t.currencies = 1 THEN t.currency END AS currency,
        coalesce(t.currencies, 0) <= 1 AS has_value, coalesce(t.value, 0) AS value,
        CASE WHEN s.deal_status = 'open' THEN
            coalesce(CASE WHEN n.id IS NULL THEN t.to_won_value ELSE c.value END, 0) END AS converted_value,
        coalesce(t.won_value, 0) AS won_value, coalesce(t.lost_value, 0) AS lost_value, t.rates
    FROM groups AS g
        CROSS JOIN @crm@.stages AS s
        LEFT JOIN stood AS t ON t.stage_id = s.id
            AND t.is_total = g.is_total AND t.match_key = g.match_key AND t.no_key = g.no_key
        LEFT JOIN LATERAL (SELECT n.id FROM @crm@.stages AS n
            WHERE n.pipeline_id = s.pipeline_id AND n.deal_status = 'open'
                AND n.archived_at IS NULL AND n.position > s.position
            ORDER BY n.position
            LIMIT 1) AS n ON true
        LEFT JOIN came AS c ON c.from_stage_id = s.id AND c.to_stage_id = n.id
            AND c.is_total = g.is_total AND c.match_key = g.match_key AND c.no_key = g.no_key
    WHERE s.pipeline_id = funnel.pipeline_id
        AND (s.archived_at IS NULL OR s.id IN (SELECT t.stage_id FROM stood AS t))
)
SELECT r.group_key,
    @part group_name of r@,
    r.is_total, r.id, r.name, r.position, r.deal_status, r.deals, r.converted,
    round(r.converted::numeric / nullif(r.deals, 0), 6),
    r.won, r.lost, r.still_open,
    round(r.won::numeric / nullif(r.deals, 0), 6),
    round(r.lost::numeric / nullif(r.deals, 0), 6),
    r.currency,
    CASE WHEN r.has_value THEN trim_scale(r.value) END,
    CASE WHEN r.has_value THEN trim_scale(r.converted_value) END,
    CASE WHEN r.has_value THEN round(r.converted_value / nullif(r.value, 0), 6) END,
    CASE WHEN r.has_value THEN trim_scale(r.won_value) END,
    CASE WHEN r.has_value THEN trim_scale(r.lost_value) END,
    r.rates, @extension@.crm_oldest_rate(r.rates)
FROM rows AS r
ORDER BY r.is_total DESC, r.group_key, r.position;
