-- The sums of a pipeline in one currency.  A query of its own, so that summaries without
-- conversion are spared its planning.
--
-- Amounts are added up by the day of their rate, which is NULL if they need no
-- conversion.  A query for all deals is spared the conditions, which would also make the
-- planner expect few rows.
WITH dated AS (
    SELECT d.tenant_id, d.rate_day,
        @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary
    FROM (SELECT a.tenant_id, CASE WHEN pipeline_summary_converted.in_currency <> a.currency
                THEN @extension@.crm_conversion_day(a.won_at, a.lost_at) END AS rate_day,
            a.stage_id, a.amount, a.currency, a.probability, a.value_period
        FROM @crm@.deals AS a
        WHERE coalesce(pipeline_summary_converted.owner_id::text, pipeline_summary_converted.tag_id::text,
                pipeline_summary_converted.closing_from::text, pipeline_summary_converted.closing_to::text) IS NULL
            AND a.pipeline_id = pipeline_summary_converted.pipeline_id
            AND a.archived_at IS NULL
        -- else the planner expects a group for every won_at
        OFFSET 0) AS d
    GROUP BY d.tenant_id, d.rate_day
    UNION ALL
    SELECT d.tenant_id, CASE WHEN pipeline_summary_converted.in_currency <> d.currency
            THEN @extension@.crm_conversion_day(d.won_at, d.lost_at) END,
        @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
    FROM @crm@.deals AS d
    WHERE coalesce(pipeline_summary_converted.owner_id::text, pipeline_summary_converted.tag_id::text,
            pipeline_summary_converted.closing_from::text, pipeline_summary_converted.closing_to::text) IS NOT NULL
        AND d.pipeline_id = pipeline_summary_converted.pipeline_id
        AND d.archived_at IS NULL
        AND (pipeline_summary_converted.tag_id IS NULL OR EXISTS (
            SELECT FROM @crm@.deal_tags AS t WHERE t.deal_id = d.id AND t.tag_id = pipeline_summary_converted.tag_id))
        AND (pipeline_summary_converted.owner_id IS NULL OR d.owner_id = pipeline_summary_converted.owner_id)
        AND
        @part closing_day@
    GROUP BY 1, 2
), sums AS MATERIALIZED (
    SELECT d.tenant_id, d.rate_day, r.stage_id, CASE WHEN r.deals > r.deals_without_amount THEN r.currency END AS currency, r.value_period,
        r.deals, r.deals_without_amount, r.deals_without_probability, r.value, r.weighted_value
    FROM dated AS d
        CROSS JOIN LATERAL @extension@.crm_summary_rows(d.summary) AS r
), conversions AS MATERIALIZED (
    @part conversions of sums AS s WHERE s.rate_day IS NOT NULL AND s.currency IS NOT NULL@
)
SELECT s.stage_id, pipeline_summary_converted.in_currency, s.value_period, sum(s.deals)::bigint,
    sum(s.deals_without_amount)::bigint, sum(s.deals_without_probability)::bigint,
    coalesce(sum(s.value * coalesce(c.multiply_by, 1)), 0),
    coalesce(sum(s.weighted_value * coalesce(c.multiply_by, 1)), 0),
    coalesce(c.divide_by, 1), @extension@.crm_rates_used(array_agg(c.rates))
FROM sums AS s
    LEFT JOIN conversions AS c ON c.tenant_id = s.tenant_id AND c.currency = s.currency AND c.day = s.rate_day
GROUP BY s.stage_id, s.value_period, coalesce(c.divide_by, 1);
