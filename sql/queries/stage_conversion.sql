-- How many deals get from stage to stage, and how much value.
--
-- Distinct deals are counted, not moves: a deal that goes back and forth is one
-- deal.  A deal that stood in a stage twice has stood there since the first time.

SELECT CASE
        WHEN stage_conversion.rule NOT IN ('direct', 'reached')
        THEN @extension@.crm_raise('22023', format('rule must not be "%s"', left(stage_conversion.rule, 40)), NULL, 'It is direct or reached.')
        WHEN stage_conversion.cohort NOT IN ('created', 'entered')
        THEN @extension@.crm_raise('22023', format('cohort must not be "%s"', left(stage_conversion.cohort, 40)), NULL, 'It is created or entered.')
    END;

WITH
@part stage_steps@,
pairs AS (
    -- The pairs that are asked for.  Next to an open stage is the following one
    -- that is in use; next to the last of them is winning.
    SELECT a.id AS from_id, a.name AS from_name, a.position AS from_position,
        b.id AS to_id, b.name AS to_name, b.deal_status AS to_status, b.position AS to_position,
        a.deal_status = 'open' AND CASE b.deal_status
            WHEN 'open' THEN b.position = (SELECT min(n.position) FROM @crm@.stages AS n
                WHERE n.pipeline_id = a.pipeline_id AND n.deal_status = 'open'
                    AND n.archived_at IS NULL AND n.position > a.position)
            WHEN 'won' THEN NOT EXISTS (SELECT FROM @crm@.stages AS n
                WHERE n.pipeline_id = a.pipeline_id AND n.deal_status = 'open'
                    AND n.archived_at IS NULL AND n.position > a.position)
            ELSE false
        END AS is_next
    FROM @crm@.stages AS a
        JOIN @crm@.stages AS b ON b.pipeline_id = a.pipeline_id AND b.id <> a.id
    WHERE a.pipeline_id = stage_conversion.pipeline_id
        AND (a.archived_at IS NULL OR a.id IN (SELECT t.stage_id FROM stood AS t))
        AND (b.archived_at IS NULL OR b.id IN (SELECT t.stage_id FROM stood AS t))
        AND (stage_conversion.rule = 'direct'
            OR b.deal_status <> 'open'
            OR a.deal_status = 'open' AND b.position > a.position)
)
SELECT g.group_key,
    @part group_name of g@,
    g.is_total, p.from_id, p.from_name, p.to_id, p.to_name, p.to_status, p.is_next,
    coalesce(t.deals, 0), coalesce(c.deals, 0),
    round(coalesce(c.deals, 0)::numeric / nullif(t.deals, 0), 6),
    CASE WHEN t.currencies = 1 THEN t.currency END,
    CASE WHEN coalesce(t.currencies, 0) <= 1 THEN trim_scale(coalesce(t.value, 0)) END,
    CASE WHEN coalesce(t.currencies, 0) <= 1 THEN trim_scale(coalesce(c.value, 0)) END,
    CASE WHEN t.currencies <= 1 THEN round(coalesce(c.value, 0) / nullif(t.value, 0), 6) END,
    t.rates, @extension@.crm_oldest_rate(t.rates)
FROM groups AS g
    CROSS JOIN pairs AS p
    LEFT JOIN stood AS t ON t.stage_id = p.from_id
        AND t.is_total = g.is_total AND t.match_key = g.match_key AND t.no_key = g.no_key
    LEFT JOIN came AS c ON c.from_stage_id = p.from_id AND c.to_stage_id = p.to_id
        AND c.is_total = g.is_total AND c.match_key = g.match_key AND c.no_key = g.no_key
ORDER BY g.is_total DESC, g.group_key, p.from_position, p.to_position;
