-- The API of pipelines.
--
-- A function in SQL runs all its statements in the snapshot that it began
-- with.  What waits for others, and must then see what they did, is done by
-- functions of the extension, whose queries have each the newest snapshot.
--
-- crm_current_row learns the type of a row from a sub-select that has none: with
-- a null constant of that type the server would let no column be added to the
-- table.

CREATE FUNCTION create_pipeline(name text, stages jsonb DEFAULT '[]', is_default boolean DEFAULT false,
        currency text DEFAULT NULL, description text DEFAULT NULL, external_id text DEFAULT NULL,
        metadata jsonb DEFAULT NULL)
    RETURNS pipelines
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    WITH in_currency AS (
        INSERT INTO pipelines AS p (name, currency, description, external_id, metadata)
        SELECT create_pipeline.name, create_pipeline.currency, create_pipeline.description,
            create_pipeline.external_id, coalesce(create_pipeline.metadata, '{}')
        WHERE create_pipeline.currency IS NOT NULL
        RETURNING p AS pipeline, p.id
    ), in_default_currency AS (
        INSERT INTO pipelines AS p (name, description, external_id, metadata)
        SELECT create_pipeline.name, create_pipeline.description,
            create_pipeline.external_id, coalesce(create_pipeline.metadata, '{}')
        WHERE create_pipeline.currency IS NULL
        RETURNING p AS pipeline, p.id
    ), created AS (
        SELECT c.pipeline, c.id FROM in_currency AS c
        UNION ALL
        SELECT c.pipeline, c.id FROM in_default_currency AS c
    ), staged AS (
        INSERT INTO stages (pipeline_id, name, position, deal_status, probability, rotting_days, forecast_category,
            external_id, metadata)
        SELECT c.id, s.name, s.number, coalesce(s.deal_status, 'open'), s.probability, s.rotting_days,
            s.forecast_category, s.external_id, coalesce(s.metadata, '{}')
        FROM created AS c CROSS JOIN crm_stages_from_json(create_pipeline.stages) AS s
        RETURNING id
    )
    SELECT CASE
            WHEN create_pipeline.is_default
            THEN crm_current_row((SELECT t FROM pipelines AS t WHERE false), crm_set_default_pipeline('pipelines'::regclass, c.id))
            ELSE c.pipeline
        END
    FROM created AS c CROSS JOIN (SELECT count(*) FROM staged) AS all_of_them;
END;
REVOKE EXECUTE ON FUNCTION create_pipeline(text, jsonb, boolean, text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION create_pipeline(text, jsonb, boolean, text, text, text, jsonb) IS
'Create a pipeline with its stages

Only name is required. stages is an array, in the order of the pipeline, of names or of objects with the keys name, deal_status (open, won or lost; default open), probability (0 to 1), rotting_days, forecast_category (pipeline, best_case, commit or omitted), external_id and metadata. With is_default true it becomes the default pipeline instead of the one that was. currency is given to amounts of its deals that come without one.

Returns the pipeline. Errors: 22023 for stages that are not as described, 23505 for a name that is taken.

@mcp name=pipelines_create_with_stages additive';

CREATE FUNCTION set_default_pipeline(pipeline_id uuid)
    RETURNS pipelines
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT crm_current_row((SELECT t FROM pipelines AS t WHERE false),
        crm_set_default_pipeline('pipelines'::regclass, set_default_pipeline.pipeline_id));
END;
REVOKE EXECUTE ON FUNCTION set_default_pipeline(uuid) FROM PUBLIC;
COMMENT ON FUNCTION set_default_pipeline(uuid) IS
'Make a pipeline the default

Deals created without a pipeline go to the default one. The pipeline that was the default is none any more.

Returns the pipeline. Errors: PT404 for an unknown pipeline, 23514 for an archived one.

@mcp name=pipelines_set_default idempotent';
