-- Numbers the stages of the CRM, and finds the one that each name in the files means.

CREATE UNLOGGED TABLE @import@.work_pipelines AS
SELECT p.id AS pipeline_id, p.name, p.currency, p.is_default, @extension@.crm_name_key(p.name) AS name_key,
    count(*) OVER () AS pipelines
FROM @crm@.pipelines AS p
WHERE p.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r) AND p.archived_at IS NULL;

CREATE UNLOGGED TABLE @import@.work_stages AS
SELECT row_number() OVER (ORDER BY s.pipeline_id, s.archived_at NULLS FIRST, s.position)::integer AS stage_no, s.id AS stage_id,
    s.pipeline_id, s.name, s.position, s.deal_status, s.archived_at,
    CASE s.deal_status WHEN 'won' THEN 1 WHEN 'lost' THEN 0 ELSE s.probability END AS probability,
    @extension@.crm_name_key(s.name) AS name_key
FROM @crm@.stages AS s
WHERE s.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r);

-- The first open stage of each pipeline, and its won and its lost stage if there is one only.
CREATE UNLOGGED TABLE @import@.work_endings AS
SELECT s.pipeline_id,
    (array_agg(s.stage_no ORDER BY s.position) FILTER (WHERE s.deal_status = 'open'))[1] AS first_open,
    CASE WHEN count(*) FILTER (WHERE s.deal_status = 'won') = 1 THEN min(s.stage_no) FILTER (WHERE s.deal_status = 'won') END AS won,
    CASE WHEN count(*) FILTER (WHERE s.deal_status = 'lost') = 1 THEN min(s.stage_no) FILTER (WHERE s.deal_status = 'lost') END AS lost
FROM @import@.work_stages AS s
WHERE s.archived_at IS NULL
GROUP BY s.pipeline_id;

-- Stages that are not archived are preferred.
CREATE UNLOGGED TABLE @import@.work_places AS
SELECT DISTINCT ON (t.pipeline, t.stage) t.pipeline, t.stage, t.stage_name, p.pipeline_id,
    coalesce(s.stage_no, e.stage_no) AS stage_no, coalesce(s.deal_status, e.deal_status) AS deal_status
FROM @import@.work_targets AS t
    LEFT JOIN @import@.work_pipelines AS p ON CASE WHEN t.pipeline_name IS NULL THEN p.is_default OR p.pipelines = 1
        ELSE p.name_key = @extension@.crm_name_key(t.pipeline_name) END
    LEFT JOIN @import@.work_stages AS s ON s.pipeline_id = p.pipeline_id AND s.name_key = @extension@.crm_name_key(t.stage_name)
    LEFT JOIN (SELECT g.pipeline_id, o.deal_status, o.stage_no
        FROM @import@.work_endings AS g CROSS JOIN LATERAL (VALUES ('won', g.won), ('lost', g.lost)) AS o (deal_status, stage_no)) AS e
        ON t.stage_name IS NULL AND e.pipeline_id = p.pipeline_id AND e.deal_status = t.stage
ORDER BY t.pipeline, t.stage, s.archived_at DESC NULLS FIRST;
