-- What is expected to be won, and when.

SELECT CASE
        WHEN NOT (forecast.target > 0 AND forecast.target < 'Infinity')
        THEN @extension@.crm_raise('22023', format('target must not be %s', forecast.target), NULL, 'It is a finite amount greater than 0.')
        WHEN forecast.target IS NOT NULL AND coalesce(forecast.in_currency, forecast.currency) IS NULL
        THEN @extension@.crm_raise('22023', 'a target needs a currency', NULL, 'Choose it by in_currency, or deals of one by currency.')
        -- an unknown period is an error even if there are no deals
        WHEN @extension@.crm_period_start(forecast.period, '2000-01-01') IS NULL
        THEN NULL
    END;

WITH deals_asked AS (
    SELECT forecast.group_of.d AS keys, d.status, d.amount, d.probability, coalesce(d.currency, p.currency) AS currency,
        CASE d.status WHEN 'won' THEN d.won_at::date ELSE d.expected_close_date END AS day,
        CASE d.status WHEN 'won' THEN c.forecast_category
            ELSE coalesce(d.forecast_category, c.forecast_category) END AS category,
        CASE WHEN d.amount IS NOT NULL THEN d.value_period COLLATE "C" END AS value_period,
        @part conversion_day of coalesce(d.currency, p.currency)@
    FROM @crm@.deals AS d
        LEFT JOIN @crm@.pipelines AS p ON p.id = d.pipeline_id
        LEFT JOIN @crm@.stage_forecast_categories AS c ON c.stage_id = d.stage_id
    WHERE d.status <> 'lost'
        AND d.archived_at IS NULL
        AND (forecast.pipeline_id IS NULL OR d.pipeline_id = forecast.pipeline_id)
        AND (forecast.owner_id IS NULL OR d.owner_id = forecast.owner_id)
        AND (forecast.currency IS NULL OR coalesce(d.currency, p.currency) = forecast.currency)
        AND (forecast.value_period IS NULL OR d.value_period = forecast.value_period)
), days AS (
    SELECT a.keys, a.status, a.currency, a.day, a.category, a.tenant_id, a.rate_day, count(*) AS deals,
        count(*) - count(a.amount) AS deals_without_amount,
        count(*) - count(a.probability) AS deals_without_probability,
        coalesce(sum(a.amount), 0) AS value,
        coalesce(sum(a.amount * a.probability), 0) AS weighted_value,
        min(a.value_period) AS first_period, max(a.value_period) AS last_period
    FROM deals_asked AS a
    GROUP BY a.keys, a.status, a.currency, a.day, a.category, a.tenant_id, a.rate_day
), placed AS MATERIALIZED (
    SELECT l.keys, l.status, l.currency, l.category, l.deals, l.deals_without_amount, l.deals_without_probability, l.value,
        l.weighted_value, l.first_period, l.last_period, l.bucket, l.start, l.tenant_id, l.rate_day
    FROM (SELECT y.keys, y.status, y.currency, y.category, y.deals, y.deals_without_amount, y.deals_without_probability, y.value, y.weighted_value,
            y.first_period, y.last_period,
            CASE
                WHEN y.status = 'open' AND y.day < coalesce(forecast.today, current_date) THEN 'overdue'
                WHEN y.day BETWEEN '0001-01-01' AND '9999-12-31' THEN 'period'
                ELSE 'no_date'
            END AS bucket,
            CASE WHEN y.day BETWEEN '0001-01-01' AND '9999-12-31' THEN @extension@.crm_period_start(forecast.period, y.day) END AS start,
            y.day, y.tenant_id, y.rate_day
        FROM days AS y) AS l
    WHERE l.bucket <> 'period'
        OR (forecast.period_from IS NULL OR l.day >= forecast.period_from)
            AND (forecast.period_before IS NULL OR l.day < forecast.period_before)
), conversions AS MATERIALIZED (
    @part conversions of placed AS s WHERE s.rate_day IS NOT NULL AND s.deals > s.deals_without_amount@
), converted AS (
    SELECT y.keys, y.status, coalesce(forecast.in_currency, y.currency) AS currency, y.category, y.deals, y.deals_without_amount,
        y.deals_without_probability,
        y.value, y.weighted_value, c.multiply_by, c.divide_by, y.first_period, y.last_period, y.bucket, y.start, c.rates
    FROM placed AS y
        LEFT JOIN conversions AS c ON c.tenant_id = y.tenant_id AND c.currency = y.currency AND c.day = y.rate_day
            AND y.deals > y.deals_without_amount
), targets AS (
    -- the periods that the target is for, of each group as of its deals alone
    SELECT r.group_key, r.is_total, p.day::date AS start
    FROM (SELECT d.group_key, d.is_total,
                coalesce(@extension@.crm_period_start(forecast.period, forecast.period_from), min(d.start)) AS first_start,
                coalesce(@extension@.crm_period_start(forecast.period, forecast.period_before),
                    greatest(@extension@.crm_period_start(forecast.period, forecast.period_from), max(d.start))) AS last_start
            FROM (SELECT g.group_key, g.is_total, CASE y.bucket WHEN 'period' THEN y.start END AS start
                    FROM placed AS y
                        @part groups of y.keys@
                    UNION ALL
                    SELECT NULL, true, NULL) AS d
            WHERE forecast.target IS NOT NULL
            GROUP BY d.group_key, d.is_total) AS r
        CROSS JOIN (SELECT CASE forecast.period WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
                    WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END AS length,
                CASE forecast.period WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 28 WHEN 'quarter' THEN 89 ELSE 365 END AS days) AS s
        CROSS JOIN LATERAL generate_series(r.first_start::timestamp, r.last_start::timestamp, s.length) AS p (day)
    WHERE forecast.target IS NOT NULL
        AND CASE
            WHEN r.last_start - r.first_start > 10000 * s.days
            THEN @extension@.crm_raise('22023', 'the target is for more than 10,000 periods', NULL, 'Choose a shorter range, or a longer period.')
            ELSE true
        END
        AND (forecast.period_before IS NULL OR p.day::date < forecast.period_before
            AND (forecast.period_from IS NULL OR forecast.period_from < forecast.period_before))
), grouped AS (
    SELECT g.group_key, g.is_total, l.bucket, CASE l.bucket WHEN 'period' THEN l.start END AS start, l.currency,
        l.status, l.category, l.deals, l.deals_without_amount, l.deals_without_probability, l.value, l.weighted_value,
        l.multiply_by, l.divide_by, l.rates, l.first_period, l.last_period
    FROM converted AS l
        @part groups of l.keys@
    UNION ALL
    -- nothing, in each of these periods
    SELECT t.group_key, t.is_total, 'period', t.start, coalesce(forecast.in_currency, forecast.currency),
        NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL
    FROM targets AS t
    WHERE forecast.target IS NOT NULL
), sums AS (
    SELECT l.group_key, l.is_total, l.bucket, l.start, l.currency,
        coalesce(sum(l.deals) FILTER (WHERE l.status = 'open'), 0)::bigint AS open_deals,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.status = 'open'), 0) AS open_value,
        coalesce(@extension@.crm_converted_sum(l.weighted_value, l.multiply_by, l.divide_by) FILTER (WHERE l.status = 'open'), 0) AS weighted_value,
        coalesce(sum(l.deals) FILTER (WHERE l.status = 'won'), 0)::bigint AS won_deals,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.status = 'won'), 0) AS won_value,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.category = 'pipeline'), 0) AS pipeline,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.category = 'best_case'), 0) AS best_case,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.category = 'commit'), 0) AS commit,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.category = 'closed'), 0) AS closed,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by) FILTER (WHERE l.category = 'omitted'), 0) AS omitted,
        -- sums of categories, each rounded once
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by)
            FILTER (WHERE l.category IN ('pipeline', 'best_case', 'commit')), 0) AS open_pipeline,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by)
            FILTER (WHERE l.category IN ('closed', 'commit', 'best_case')), 0) AS best_case_forecast,
        coalesce(@extension@.crm_converted_sum(l.value, l.multiply_by, l.divide_by)
            FILTER (WHERE l.category IN ('closed', 'commit')), 0) AS commit_forecast,
        sum(l.deals_without_amount)::bigint AS deals_without_amount,
        sum(l.deals_without_probability)::bigint AS deals_without_probability,
        CASE WHEN forecast.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(l.rates)) END AS rates,
        min(l.first_period) IS DISTINCT FROM max(l.last_period) AS mixed_value_periods
    FROM grouped AS l
    GROUP BY l.group_key, l.is_total, l.bucket, l.start, l.currency
)
SELECT s.group_key,
    @part group_name of s@,
    s.is_total, s.bucket, s.start, @extension@.crm_period_end(forecast.period, s.start),
    s.currency, s.open_deals, trim_scale(s.open_value), trim_scale(s.weighted_value), s.won_deals, trim_scale(s.won_value),
    trim_scale(s.pipeline), trim_scale(s.best_case), trim_scale(s.commit), trim_scale(s.closed), trim_scale(s.omitted),
    trim_scale(s.open_pipeline), trim_scale(s.best_case_forecast), trim_scale(s.commit_forecast), trim_scale(s.closed),
    s.deals_without_amount, s.deals_without_probability,
    -- only periods have a target, other buckets have none
    trim_scale(t.target), round(s.won_value / t.target, 6),
    round(s.open_value / nullif(greatest(t.target - s.won_value, 0), 0), 6),
    round(s.weighted_value / nullif(greatest(t.target - s.won_value, 0), 0), 6),
    s.rates, @extension@.crm_oldest_rate(s.rates), s.mixed_value_periods
FROM sums AS s
    CROSS JOIN LATERAL (SELECT CASE s.bucket WHEN 'period' THEN forecast.target END AS target) AS t
ORDER BY s.is_total DESC, s.group_key, array_position(ARRAY['overdue', 'period', 'no_date'], s.bucket), s.start, s.currency;
