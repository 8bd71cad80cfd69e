-- The pipelines and stages that the files name, and those of the CRM that they mean.

CREATE UNLOGGED TABLE @import@.work_names AS
SELECT n.pipeline, n.stage, min(n.line) AS line
FROM (SELECT d.pipeline, d.stage, d.line FROM @import@.work_deals AS d
    UNION ALL
    SELECT m.pipeline, m.from_stage, m.line FROM @import@.work_moves AS m WHERE m.deal_no IS NOT NULL
    UNION ALL
    SELECT m.pipeline, m.to_stage, m.line FROM @import@.work_moves AS m WHERE m.deal_no IS NOT NULL
    UNION ALL
    -- a status may be mapped to a stage
    SELECT DISTINCT d.pipeline, o.stage, NULL::bigint FROM @import@.work_deals AS d CROSS JOIN (VALUES ('won'), ('lost')) AS o (stage)) AS n
GROUP BY n.pipeline, n.stage;

CREATE UNLOGGED TABLE @import@.work_targets AS
SELECT n.pipeline, n.stage, n.line, coalesce(p.target, nullif(n.pipeline, '')) AS pipeline_name,
    -- the names won and lost alone mean the pipeline's stage for such deals
    coalesce(s.target, a.target, CASE WHEN n.stage <> ALL (ARRAY['', 'won', 'lost']) THEN n.stage END) AS stage_name,
    coalesce(s.deal_status, a.deal_status, CASE WHEN coalesce(s.target, a.target) IS NOT NULL AND n.stage IN ('won', 'lost') THEN n.stage END,
        'open') AS deal_status,
    coalesce(s.position, a.position) AS position, coalesce(s.probability, a.probability) AS probability
FROM @import@.work_names AS n
    LEFT JOIN @import@.mapping AS p ON p.kind = 'pipeline' AND p.value = n.pipeline
    LEFT JOIN @import@.mapping AS s ON s.kind = 'stage' AND s.pipeline <> '' AND s.pipeline = n.pipeline AND s.value = n.stage
    LEFT JOIN @import@.mapping AS a ON a.kind = 'stage' AND a.pipeline = '' AND a.value = n.stage;
