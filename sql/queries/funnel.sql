-- How many deals get from stage to stage.
--
-- Distinct deals are counted, not moves: a deal that goes back and forth is one
-- deal.  A deal that stood in a stage twice has stood there since the first time.

SELECT CASE
        WHEN funnel.rule NOT IN ('direct', 'reached')
        THEN @extension@.crm_raise('22023', 'rule must be direct or reached')
        WHEN funnel.cohort NOT IN ('created', 'entered')
        THEN @extension@.crm_raise('22023', 'cohort must be created or entered')
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
    SELECT coalesce(
        (SELECT @extension@.crm_stage_history(k.deals, c.deal_id, c.move_no, c.from_stage_id, c.to_stage_id, c.entered_at, NULL)
            FROM @crm@.stage_changes AS c
            WHERE c.from_pipeline_id = funnel.pipeline_id),
        -- nobody moved, but deals stand there
        (SELECT @extension@.crm_stage_history(k.deals, NULL, n.visit_no, NULL, NULL, NULL, NULL)
            FROM (VALUES (NULL::integer)) AS n (visit_no))) AS figures
    FROM (SELECT
        (SELECT @extension@.crm_cohort(d.id, d.move_no, d.stage_id, d.status, d.stage_entered_at,
                (SELECT array_agg(s.id ORDER BY s.position) FROM @crm@.stages AS s
                    WHERE s.pipeline_id = funnel.pipeline_id),
                (SELECT array_agg(s.deal_status ORDER BY s.position) FROM @crm@.stages AS s
                    WHERE s.pipeline_id = funnel.pipeline_id),
                (SELECT array_agg(u.deal_id ORDER BY u.id) FROM undone AS u),
                (SELECT array_agg(u.move_no ORDER BY u.id) FROM undone AS u),
                funnel.rule,
                CASE funnel.cohort WHEN 'entered' THEN funnel.period_from END,
                CASE funnel.cohort WHEN 'entered' THEN funnel.period_before END)
            FROM @crm@.deals AS d
            WHERE d.tenant_id = (SELECT p.tenant_id FROM @crm@.pipelines AS p WHERE p.id = funnel.pipeline_id)
                AND d.archived_at IS NULL
                AND (funnel.cohort <> 'created'
                    OR (funnel.period_from IS NULL OR d.created_at >= funnel.period_from)
                    AND (funnel.period_before IS NULL OR d.created_at < funnel.period_before))
                AND (funnel.owner_id IS NULL OR d.owner_id = funnel.owner_id)
                AND (funnel.currency IS NULL OR funnel.currency =
                    coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))) AS deals) AS k
), stood AS (
    SELECT t.stage_id, t.deals, t.open, t.won, t.lost
    FROM history AS h,
        jsonb_to_recordset(h.figures -> 'stages') AS t (stage_id uuid, deals bigint, open bigint, won bigint, lost bigint)
), converted AS (
    SELECT t."from", t."to", t.deals
    FROM history AS h,
        jsonb_to_recordset(h.figures -> 'steps') AS t ("from" uuid, "to" uuid, deals bigint)
), rows AS (
    -- Next to an open stage is the following one that is in use; next to the last
    -- of them is winning, which the steps have as null.
    SELECT s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0) AS deals,
        CASE WHEN s.deal_status = 'open' THEN coalesce((SELECT c.deals FROM converted AS c
            WHERE c."from" = s.id AND c."to" IS NOT DISTINCT FROM (SELECT n.id FROM @crm@.stages AS n
                WHERE n.pipeline_id = s.pipeline_id AND n.deal_status = 'open'
                    AND n.archived_at IS NULL AND n.position > s.position
                ORDER BY n.position
                LIMIT 1)), 0) END AS converted,
        coalesce(t.won, 0) AS won, coalesce(t.lost, 0) AS lost, coalesce(t.open, 0) AS still_open
    FROM @crm@.stages AS s
        LEFT JOIN stood AS t ON t.stage_id = s.id
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
