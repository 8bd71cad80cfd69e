-- The stages of a pipeline with a bar each, for psql.

WITH rows AS (
    SELECT s.position, s.name, v.currency, v.value_period, coalesce(v.deals, 0) AS deals, v.value, v.weighted_value
    FROM @crm@.stages AS s
        LEFT JOIN @crm@.pipeline_stage_summary AS v ON v.stage_id = s.id AND v.pipeline_id = s.pipeline_id
    WHERE s.pipeline_id = pipeline_chart.pipeline_id
        AND (s.archived_at IS NULL OR v.deals > 0)
)
SELECT r.name, r.deals, r.currency, r.value_period,
    to_char(r.value, 'FM999,999,999,999,999,999,999,999,999,999,999,999,990.00##'),
    to_char(r.weighted_value, 'FM999,999,999,999,999,999,999,999,999,999,999,999,990.00######'),
    repeat('█', ceil(40.0 * r.deals / nullif(max(r.deals) OVER (), 0))::integer)
FROM rows AS r
ORDER BY r.position, r.currency, r.value_period;
