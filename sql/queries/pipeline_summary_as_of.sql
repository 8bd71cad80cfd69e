-- The sums of a pipeline at a moment of the past.
--
-- A deal has two independent histories: its stages are in stage_changes, where a row is
-- a visit that ended, and its values in deal_changes, where a row has all values before
-- the change.  So if a deal has changed since the moment, the first rows after the
-- moment have its state at the moment; if not, its present state is the one asked for.
-- crm_summaries_as_of() reads both.

SELECT CASE
        WHEN pipeline_summary_as_of.at > clock_timestamp()
        THEN @extension@.crm_raise('22023', format('at is in the future: %s', pipeline_summary_as_of.at), NULL, 'Give a moment of the past; for now there is pipeline_summary.')
    END;

/* one plan */
WITH pipeline AS MATERIALIZED (
    SELECT p.id, p.name, p.currency, p.tenant_id
    FROM @crm@.pipelines AS p
    WHERE p.id = pipeline_summary_as_of.pipeline_id
), dated AS MATERIALIZED (
    SELECT s.rate_day, s.deal_status, s.stage_id, s.currency, s.value_period, s.deals, s.deals_without_amount,
        s.deals_without_probability, s.value, s.weighted_value
    FROM pipeline AS p
        CROSS JOIN LATERAL @extension@.crm_summaries_as_of(pipeline_summary_as_of.crm, p.tenant_id, p.id,
            ARRAY[pipeline_summary_as_of.at], pipeline_summary_as_of.in_currency) AS s
), conversions AS MATERIALIZED (
    SELECT e.currency, e.day, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg(p.tenant_id) AS tenant_ids, array_agg(d.currency) AS currencies, array_agg(d.rate_day) AS days
            FROM dated AS d CROSS JOIN pipeline AS p
            WHERE d.rate_day IS NOT NULL AND d.deals > d.deals_without_amount) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(pipeline_summary_as_of.crm, pipeline_summary_as_of.in_currency, c.tenant_ids, c.currencies, c.days, pipeline_summary_as_of.max_rate_age) AS e
    WHERE pipeline_summary_as_of.in_currency IS NOT NULL
), sums AS MATERIALIZED (
    SELECT d.stage_id, coalesce(pipeline_summary_as_of.in_currency, d.currency) AS currency, d.value_period,
        sum(d.deals) AS deals, sum(d.deals_without_amount) AS deals_without_amount,
        sum(d.deals_without_probability) AS deals_without_probability,
        sum(d.value * coalesce(c.multiply_by, 1)) AS value,
        sum(d.weighted_value * coalesce(c.multiply_by, 1)) AS weighted_value, coalesce(c.divide_by, 1) AS divide_by,
        -- for a deleted stage: the status that its deals had
        CASE WHEN NOT EXISTS (SELECT FROM @crm@.stages AS g WHERE g.id = d.stage_id)
            THEN min(min(d.deal_status)) OVER (PARTITION BY d.stage_id, coalesce(pipeline_summary_as_of.in_currency, d.currency), d.value_period)
        END AS deal_status
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.currency = d.currency AND c.day = d.rate_day
    GROUP BY d.stage_id, coalesce(pipeline_summary_as_of.in_currency, d.currency), d.value_period, coalesce(c.divide_by, 1)
)
SELECT jsonb_build_object('pipeline_id', p.id, 'name', p.name, 'as_of', pipeline_summary_as_of.at, 'source', 'history')
    || @extension@.crm_summary_report(coalesce(pipeline_summary_as_of.in_currency, p.currency),
        (SELECT jsonb_agg(g.stage)
            FROM (SELECT jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                        'deal_status', g.deal_status, 'archived', g.archived_at IS NOT NULL) AS stage
                    FROM @crm@.stages AS g WHERE g.pipeline_id = p.id
                    UNION ALL
                    SELECT DISTINCT jsonb_build_object('stage_id', s.stage_id, 'name', NULL, 'position', NULL,
                        'deal_status', s.deal_status, 'archived', true) AS stage
                    FROM sums AS s WHERE s.deal_status IS NOT NULL) AS g),
        (SELECT jsonb_agg(jsonb_build_object('stage_id', s.stage_id, 'deal_status', s.deal_status,
                'currency', s.currency, 'value_period', s.value_period, 'deals', s.deals,
                'deals_without_amount', s.deals_without_amount,
                'deals_without_probability', s.deals_without_probability, 'value', s.value, 'weighted_value', s.weighted_value,
                'divide_by', s.divide_by))
            FROM sums AS s))
    || CASE
        WHEN pipeline_summary_as_of.in_currency IS NULL THEN '{}'
        ELSE @extension@.crm_rates_told(ARRAY(SELECT c.rates FROM conversions AS c))
    END
FROM pipeline AS p;
