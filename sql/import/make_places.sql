-- With the policy unknown_stages = create: creates the missing pipelines and stages, as
-- the mapping describes them, else in the order in which the files name them.

CREATE UNLOGGED TABLE @import@.work_before AS
SELECT p.id FROM @crm@.pipelines AS p UNION ALL SELECT s.id FROM @crm@.stages AS s;

INSERT INTO @crm@.pipelines (name, currency, metadata)
SELECT min(t.pipeline_name), coalesce((SELECT r.currency FROM @import@.run AS r), 'USD'), '{}'
FROM @import@.work_targets AS t
WHERE t.pipeline_name IS NOT NULL
    AND NOT EXISTS (SELECT FROM @crm@.pipelines AS p
        WHERE p.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r) AND p.archived_at IS NULL
            AND @extension@.crm_name_key(p.name) = @extension@.crm_name_key(t.pipeline_name))
GROUP BY @extension@.crm_name_key(t.pipeline_name);

-- Stages for won and lost deals, in pipelines that have none.
CREATE UNLOGGED TABLE @import@.work_wanted AS
SELECT p.id AS pipeline_id, t.stage_name, t.deal_status, t.position, t.probability, t.line
FROM @import@.work_targets AS t
    JOIN @crm@.pipelines AS p ON p.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r) AND p.archived_at IS NULL
        AND CASE WHEN t.pipeline_name IS NULL THEN p.is_default
            ELSE @extension@.crm_name_key(p.name) = @extension@.crm_name_key(t.pipeline_name) END
WHERE t.stage_name IS NOT NULL;

INSERT INTO @import@.work_wanted
SELECT DISTINCT p.id, initcap(d.status_text), d.status_text, NULL::integer, NULL::numeric, NULL::bigint
FROM (SELECT DISTINCT s.pipeline, lower(coalesce(c.target, s.status_text)) AS status_text
        FROM @import@.work_deals AS s LEFT JOIN @import@.mapping AS c ON c.kind = 'status' AND c.value = s.status_text
        UNION SELECT m.pipeline, m.to_stage FROM @import@.work_moves AS m WHERE m.to_stage IN ('won', 'lost')) AS d
    LEFT JOIN @import@.mapping AS m ON m.kind = 'pipeline' AND m.value = d.pipeline
    JOIN @crm@.pipelines AS p ON p.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r) AND p.archived_at IS NULL
        AND CASE WHEN d.pipeline = '' THEN p.is_default
            ELSE @extension@.crm_name_key(p.name) = @extension@.crm_name_key(coalesce(m.target, d.pipeline)) END
WHERE d.status_text IN ('won', 'lost')
    AND NOT EXISTS (SELECT FROM @import@.work_wanted AS w WHERE w.pipeline_id = p.id AND w.deal_status = d.status_text)
    AND NOT EXISTS (SELECT FROM @crm@.stages AS s
        WHERE s.pipeline_id = p.id AND s.archived_at IS NULL AND s.deal_status = d.status_text);

INSERT INTO @crm@.stages (pipeline_id, name, deal_status, probability)
SELECT w.pipeline_id, w.stage_name, w.deal_status, w.probability
FROM (SELECT DISTINCT ON (g.pipeline_id, @extension@.crm_name_key(g.stage_name)) g.*
    FROM @import@.work_wanted AS g
    ORDER BY g.pipeline_id, @extension@.crm_name_key(g.stage_name), g.position, g.line) AS w
WHERE NOT EXISTS (SELECT FROM @crm@.stages AS s WHERE s.pipeline_id = w.pipeline_id
    AND @extension@.crm_name_key(s.name) = @extension@.crm_name_key(w.stage_name))
ORDER BY w.pipeline_id, CASE w.deal_status WHEN 'open' THEN 1 WHEN 'won' THEN 2 ELSE 3 END, w.position, w.line;
