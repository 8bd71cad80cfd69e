-- How many deals get from stage to stage.
--
-- Distinct deals are counted, not moves: a deal that goes back and forth is one
-- deal.  A deal that stood in a stage twice has stood there since the first time.

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
SELECT p.from_id, p.from_name, p.to_id, p.to_name, p.to_status, p.is_next,
    coalesce(t.deals, 0), coalesce(c.deals, 0),
    round(coalesce(c.deals, 0)::numeric / nullif(t.deals, 0), 6)
FROM pairs AS p
    LEFT JOIN stood AS t ON t.stage_id = p.from_id
    LEFT JOIN steps AS c ON c.from_stage_id = p.from_id AND c.to_stage_id = p.to_id
ORDER BY p.from_position, p.to_position;
