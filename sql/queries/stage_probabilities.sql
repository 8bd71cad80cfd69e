-- How likely deals were won, going by what became of those that were.

SELECT CASE
        WHEN stage_probabilities.minimum_deals < 1
        THEN @extension@.crm_raise('22023', 'minimum_deals must be at least 1')
    END;

WITH undone AS (
    -- The moves that were taken back, and those that took them back.
    SELECT r.id, r.deal_id, r.move_no
    FROM @crm@.stage_changes AS r
    WHERE r.reverts_id IS NOT NULL
    UNION ALL
    SELECT c.id, c.deal_id, c.move_no
    FROM @crm@.stage_changes AS r
        JOIN @crm@.stage_changes AS c ON c.id = r.reverts_id
    WHERE r.reverts_id IS NOT NULL
), history AS MATERIALIZED (
    -- Closed deals stand in no open stage, so only their moves tell.
    SELECT (SELECT @extension@.crm_stage_history(k.deals, c.deal_id, c.move_no, c.from_stage_id, NULL, c.entered_at, NULL)
        FROM @crm@.stage_changes AS c
        WHERE c.from_pipeline_id = stage_probabilities.pipeline_id
            AND c.from_status = 'open') AS figures
    FROM (SELECT
        (SELECT @extension@.crm_cohort(d.id, d.move_no, NULL, d.status, NULL,
                (SELECT array_agg(s.id ORDER BY s.position) FROM @crm@.stages AS s
                    WHERE s.pipeline_id = stage_probabilities.pipeline_id),
                (SELECT array_agg(s.deal_status ORDER BY s.position) FROM @crm@.stages AS s
                    WHERE s.pipeline_id = stage_probabilities.pipeline_id),
                (SELECT array_agg(u.deal_id ORDER BY u.id) FROM undone AS u),
                (SELECT array_agg(u.move_no ORDER BY u.id) FROM undone AS u),
                'reached', NULL, NULL)
            FROM @crm@.deals AS d
            WHERE d.tenant_id = (SELECT p.tenant_id FROM @crm@.pipelines AS p WHERE p.id = stage_probabilities.pipeline_id)
                AND d.archived_at IS NULL
                AND d.status <> 'open'
                AND (stage_probabilities.closed_from IS NULL
                    OR coalesce(d.won_at, d.lost_at) >= stage_probabilities.closed_from)
                AND (stage_probabilities.closed_before IS NULL
                    OR coalesce(d.won_at, d.lost_at) < stage_probabilities.closed_before)
                AND (stage_probabilities.owner_id IS NULL OR d.owner_id = stage_probabilities.owner_id)
                AND (stage_probabilities.currency IS NULL OR stage_probabilities.currency =
                    coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))) AS deals) AS k
), stood AS (
    SELECT t.stage_id, t.deals AS closed_deals, t.won
    FROM history AS h,
        jsonb_to_recordset(h.figures -> 'stages') AS t (stage_id uuid, deals bigint, won bigint)
)
SELECT s.id, s.name, s.position, s.probability, coalesce(t.closed_deals, 0), coalesce(t.won, 0),
    coalesce(t.closed_deals - t.won, 0),
    round(t.won::numeric / t.closed_deals, 4),
    coalesce(t.closed_deals, 0) < stage_probabilities.minimum_deals,
    CASE WHEN t.closed_deals >= stage_probabilities.minimum_deals
        THEN round(t.won::numeric / t.closed_deals, 4) END
FROM @crm@.stages AS s
    LEFT JOIN stood AS t ON t.stage_id = s.id
WHERE s.pipeline_id = stage_probabilities.pipeline_id
    AND s.deal_status = 'open'
    AND s.archived_at IS NULL
ORDER BY s.position;
