-- The sums of every pipeline, a row for each stage, currency and value period.

CREATE VIEW pipeline_stage_summary WITH (security_invoker = true) AS
    SELECT p.id AS pipeline_id, p.name AS pipeline_name, s.id AS stage_id, s.name AS stage_name,
        s.position, s.deal_status, r.currency, r.value_period, r.deals, r.deals_without_amount,
        r.deals_without_probability, r.value, r.weighted_value
    FROM (SELECT d.pipeline_id,
                @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary
            FROM deals AS d
            WHERE d.archived_at IS NULL
            GROUP BY d.pipeline_id) AS t
        CROSS JOIN LATERAL @extension@.crm_summary_rows(t.summary) AS r
        JOIN stages AS s ON s.id = r.stage_id
        JOIN pipelines AS p ON p.id = t.pipeline_id;

COMMENT ON VIEW pipeline_stage_summary IS 'Number and value of the unarchived deals, a row per pipeline, stage, currency and value period that has any';
COMMENT ON COLUMN pipeline_stage_summary.pipeline_id IS 'The pipeline';
COMMENT ON COLUMN pipeline_stage_summary.pipeline_name IS 'Name of the pipeline';
COMMENT ON COLUMN pipeline_stage_summary.stage_id IS 'The stage';
COMMENT ON COLUMN pipeline_stage_summary.stage_name IS 'Name of the stage';
COMMENT ON COLUMN pipeline_stage_summary.position IS 'Place of the stage in the order of the pipeline';
COMMENT ON COLUMN pipeline_stage_summary.deal_status IS 'Status of the deals in the stage: open, won or lost';
COMMENT ON COLUMN pipeline_stage_summary.currency IS 'ISO 4217 code of the amounts; null for deals that have none';
COMMENT ON COLUMN pipeline_stage_summary.value_period IS 'What the amounts are per: one_time, monthly, quarterly or annual';
COMMENT ON COLUMN pipeline_stage_summary.deals IS 'Number of deals, those without an amount included';
COMMENT ON COLUMN pipeline_stage_summary.deals_without_amount IS 'Number of deals without an amount';
COMMENT ON COLUMN pipeline_stage_summary.deals_without_probability IS 'Number of deals without a probability: they add nothing to weighted_value';
COMMENT ON COLUMN pipeline_stage_summary.value IS 'Sum of the amounts';
COMMENT ON COLUMN pipeline_stage_summary.weighted_value IS 'Sum of amount times probability, exact';
