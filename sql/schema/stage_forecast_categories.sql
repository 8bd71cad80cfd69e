-- What is expected to be won, and when.

CREATE VIEW stage_forecast_categories WITH (security_invoker = true) AS
    SELECT s.id AS stage_id, s.tenant_id, s.pipeline_id,
        coalesce(s.forecast_category, CASE s.deal_status
            WHEN 'won' THEN 'closed'
            WHEN 'lost' THEN 'omitted'
            ELSE CASE s.open_stages - s.place
                WHEN 0 THEN CASE WHEN s.open_stages > 2 THEN 'commit' WHEN s.open_stages = 2 THEN 'best_case' END
                WHEN 1 THEN CASE WHEN s.open_stages > 2 THEN 'best_case' END
            END
        END, 'pipeline') AS forecast_category,
        s.forecast_category IS NULL AS is_default
    FROM (SELECT g.id, g.tenant_id, g.pipeline_id, g.deal_status, g.forecast_category,
                row_number() OVER w AS place,
                count(*) OVER (PARTITION BY g.pipeline_id, g.deal_status, g.archived_at IS NULL) AS open_stages
            FROM stages AS g
            WINDOW w AS (PARTITION BY g.pipeline_id, g.deal_status, g.archived_at IS NULL ORDER BY g.position)) AS s;

COMMENT ON VIEW stage_forecast_categories IS 'The forecast category of each stage: its own, or else by its status and position: closed for won, omitted for lost; of three or more open stages the last is commit, the one before it best_case, the others pipeline; of two the last is best_case. Archived stages are counted among themselves';
COMMENT ON COLUMN stage_forecast_categories.stage_id IS 'The stage';
COMMENT ON COLUMN stage_forecast_categories.tenant_id IS 'The tenant of the stage';
COMMENT ON COLUMN stage_forecast_categories.pipeline_id IS 'The pipeline of the stage';
COMMENT ON COLUMN stage_forecast_categories.forecast_category IS 'pipeline, best_case, commit, closed or omitted';
COMMENT ON COLUMN stage_forecast_categories.is_default IS 'Whether it follows from status and position, as the stage has none of its own';

