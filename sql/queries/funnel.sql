-- How many deals get from stage to stage.
--
-- Distinct deals are counted, not moves: a deal that goes back and forth is one
-- deal.  A deal that stood in a stage twice has stood there since the first time.

@part stage_steps@,
rows AS (
    -- Next to an open stage is the following one that is in use; next to the last
    -- of them is winning.
    SELECT s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0) AS deals,
        CASE WHEN s.deal_status = 'open' THEN
            coalesce(CASE WHEN n.id IS NULL THEN t.to_won ELSE c.deals END, 0) END AS converted,
        coalesce(t.won_deals, 0) AS won, coalesce(t.lost_deals, 0) AS lost, coalesce(t.open_deals, 0) AS still_open
    FROM @crm@.stages AS s
        LEFT JOIN stood AS t ON t.stage_id = s.id
        LEFT JOIN LATERAL (SELECT n.id FROM @crm@.stages AS n
            WHERE n.pipeline_id = s.pipeline_id AND n.deal_status = 'open'
                AND n.archived_at IS NULL AND n.position > s.position
            ORDER BY n.position
            LIMIT 1) AS n ON true
        LEFT JOIN steps AS c ON c.from_stage_id = s.id AND c.to_stage_id = n.id
    WHERE s.pipeline_id = funnel.pipeline_id
        AND (s.archived_at IS NULL OR t.stage_id IS NOT NULL)
)
SELECT r.id, r.name, r.position, r.deal_status, r.deals, r.converted,
    round(r.converted::numeric / nullif(r.deals, 0), 6),
    r.won, r.lost, r.still_open,
    round(r.won::numeric / nullif(r.deals, 0), 6),
    round(r.lost::numeric / nullif(r.deals, 0), 6)
FROM rows AS r
ORDER BY r.position;
