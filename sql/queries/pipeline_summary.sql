-- The sums of a pipeline.
--
-- The deals are read once, by the aggregate, or not at all if stage_totals can be used.
-- That gives a row for each stage, currency and value period, of which the rest is made.

-- The deals that are asked for.  A query for all of them is spared the conditions, whose
-- columns are far back in the row.
WITH totals AS MATERIALIZED (
    SELECT CASE
            WHEN coalesce(pipeline_summary.owner_id::text, pipeline_summary.tag_id::text,
                pipeline_summary.closing_from::text, pipeline_summary.closing_to::text,
                pipeline_summary.in_currency) IS NULL
            THEN @extension@.crm_pipeline_totals(pipeline_summary.crm, pipeline_summary.pipeline_id)
        END AS summary
), deals_asked AS MATERIALIZED (
    SELECT CASE
            WHEN t.summary IS NOT NULL THEN t.summary
            WHEN pipeline_summary.in_currency IS NOT NULL THEN NULL
            WHEN pipeline_summary.tag_id IS NOT NULL THEN (
                SELECT @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                FROM @crm@.deal_tags AS t JOIN @crm@.deals AS d ON d.id = t.deal_id
                WHERE t.tag_id = pipeline_summary.tag_id
                    AND d.pipeline_id = pipeline_summary.pipeline_id
                    AND d.archived_at IS NULL
                    AND (pipeline_summary.owner_id IS NULL OR d.owner_id = pipeline_summary.owner_id)
                    AND
                    @part closing_day@
                )
            WHEN coalesce(pipeline_summary.owner_id::text, pipeline_summary.closing_from::text,
                pipeline_summary.closing_to::text) IS NOT NULL THEN (
                SELECT @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                FROM @crm@.deals AS d
                WHERE d.pipeline_id = pipeline_summary.pipeline_id
                    AND d.archived_at IS NULL
                    AND (pipeline_summary.owner_id IS NULL OR d.owner_id = pipeline_summary.owner_id)
                    AND
                    @part closing_day@
                )
            ELSE (
                SELECT @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                FROM @crm@.deals AS d
                WHERE d.pipeline_id = pipeline_summary.pipeline_id
                    AND d.archived_at IS NULL)
        END AS summary
    FROM totals AS t
), converted AS MATERIALIZED (
    SELECT c.stage_id, c.value_currency, c.value_period, c.deals, c.deals_without_amount,
        c.deals_without_probability, c.value, c.weighted_value, c.divide_by, c.rates
    FROM @extension@.crm_pipeline_summary_converted(pipeline_summary.crm, pipeline_summary.pipeline_id, pipeline_summary.in_currency, pipeline_summary.owner_id,
            pipeline_summary.tag_id, pipeline_summary.closing_from, pipeline_summary.closing_to, pipeline_summary.max_rate_age) AS c
    WHERE pipeline_summary.in_currency IS NOT NULL
), sums AS (
    SELECT r.stage_id, r.currency, r.value_period, r.deals, r.deals_without_amount, r.deals_without_probability,
        r.value, r.weighted_value, 1 AS divide_by
    FROM deals_asked AS a
        CROSS JOIN LATERAL @extension@.crm_summary_rows(a.summary) AS r
    UNION ALL
    SELECT c.stage_id, c.value_currency, c.value_period, c.deals, c.deals_without_amount, c.deals_without_probability,
        c.value, c.weighted_value, c.divide_by
    FROM converted AS c
)
SELECT jsonb_build_object(
        'pipeline_id', p.id,
        'name', p.name,
        'as_of', statement_timestamp(),
        'source', CASE WHEN (SELECT t.summary IS NULL FROM totals AS t) THEN 'deals' ELSE 'totals' END)
    || @extension@.crm_summary_report(coalesce(pipeline_summary.in_currency, p.currency),
        (SELECT jsonb_agg(jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                'deal_status', g.deal_status, 'archived', g.archived_at IS NOT NULL))
            FROM @crm@.stages AS g WHERE g.pipeline_id = p.id),
        (SELECT jsonb_agg(jsonb_build_object('stage_id', s.stage_id, 'currency', s.currency, 'value_period', s.value_period,
                'deals', s.deals, 'deals_without_amount', s.deals_without_amount,
                'deals_without_probability', s.deals_without_probability,
                'value', s.value, 'weighted_value', s.weighted_value, 'divide_by', s.divide_by))
            FROM sums AS s))
    || CASE
        WHEN coalesce(pipeline_summary.closing_from, pipeline_summary.closing_to) IS NULL THEN '{}'
        ELSE jsonb_build_object('closing_date', jsonb_build_object(
            'from', pipeline_summary.closing_from, 'to', pipeline_summary.closing_to, 'time_zone', current_setting('TimeZone'),
            'open', 'expected_close_date', 'won', 'won_at', 'lost', 'lost_at'))
    END
    || CASE
        WHEN pipeline_summary.in_currency IS NULL THEN '{}'
        ELSE @extension@.crm_rates_told(ARRAY(SELECT c.rates FROM converted AS c))
    END
FROM @crm@.pipelines AS p
WHERE p.id = pipeline_summary.pipeline_id;
