-- A pipeline and its stages.  If no currency is given, the column's default is used.

WITH in_currency AS (
    INSERT INTO @crm@.pipelines AS p (name, currency, description, external_id, metadata)
    SELECT create_pipeline.name, create_pipeline.currency, create_pipeline.description,
        create_pipeline.external_id, coalesce(create_pipeline.metadata, '{}')
    WHERE create_pipeline.currency IS NOT NULL
    RETURNING p.id
), in_default_currency AS (
    INSERT INTO @crm@.pipelines AS p (name, description, external_id, metadata)
    SELECT create_pipeline.name, create_pipeline.description,
        create_pipeline.external_id, coalesce(create_pipeline.metadata, '{}')
    WHERE create_pipeline.currency IS NULL
    RETURNING p.id
), created AS (
    SELECT c.id FROM in_currency AS c
    UNION ALL
    SELECT c.id FROM in_default_currency AS c
), staged AS (
    INSERT INTO @crm@.stages (pipeline_id, name, position, deal_status, probability, rotting_days, forecast_category,
        external_id, metadata)
    SELECT c.id, s.name, s.number, coalesce(s.deal_status, 'open'), s.probability, s.rotting_days,
        s.forecast_category, s.external_id, coalesce(s.metadata, '{}')
    FROM created AS c CROSS JOIN @extension@.crm_stages_from_json(create_pipeline.stages) AS s
    RETURNING id
)
SELECT CASE WHEN create_pipeline.is_default
    THEN @extension@.crm_set_default_pipeline(create_pipeline.crm, c.id)
    ELSE c.id END
FROM created AS c CROSS JOIN (SELECT count(*) FROM staged) AS all_of_them;
