-- The stages of a pipeline with a bar each, for psql.

WITH rows AS (
    SELECT s.position, s.name, v.currency, v.value_period, coalesce(v.deals, 0) AS deals,
        CASE WHEN v.deals > v.deals_without_amount THEN to_char(v.value, f.integers || '.0099') END AS value,
        CASE WHEN v.deals > v.deals_without_amount THEN to_char(v.weighted_value, f.integers || '.00999999') END AS weighted_value
    FROM @crm@.stages AS s
        CROSS JOIN (SELECT 'FM' || repeat('999,', 16) || '990' AS integers) AS f
        LEFT JOIN @crm@.pipeline_stage_summary AS v ON v.stage_id = s.id AND v.pipeline_id = s.pipeline_id
    WHERE s.pipeline_id = pipeline_chart.pipeline_id
        AND (s.archived_at IS NULL OR v.deals > 0)
)
SELECT r.name, r.deals, r.currency, r.value_period,
    lpad(r.value, max(length(r.value)) OVER ()),
    lpad(r.weighted_value, max(length(r.weighted_value)) OVER ()),
    repeat('█', ceil(40.0 * r.deals / nullif(max(r.deals) OVER (), 0))::integer)
FROM rows AS r
ORDER BY r.position, r.currency, r.value_period;
