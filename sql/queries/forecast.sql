-- What is expected to be won, and when.

SELECT CASE
        WHEN forecast.period NOT IN ('month', 'quarter')
        THEN @extension@.crm_raise('22023', 'period must be month or quarter')
    END;

WITH deals_asked AS (
    SELECT d.status, d.amount, d.probability, coalesce(d.currency, p.currency) AS currency,
        CASE d.status WHEN 'won' THEN d.won_at::date ELSE d.expected_close_date END AS day,
        CASE d.status WHEN 'won' THEN c.forecast_category
            ELSE coalesce(d.forecast_category, c.forecast_category) END AS category,
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
    SELECT a.status, a.currency, a.day, a.category, a.tenant_id, a.rate_day, count(*) AS deals,
        count(*) - count(a.amount) AS deals_without_amount,
        count(*) - count(a.probability) AS deals_without_probability,
        coalesce(sum(a.amount), 0) AS value,
        coalesce(sum(a.amount * a.probability), 0) AS weighted_value
    FROM deals_asked AS a
    GROUP BY a.status, a.currency, a.day, a.category, a.tenant_id, a.rate_day
), placed AS MATERIALIZED (
    SELECT l.status, l.currency, l.category, l.deals, l.deals_without_amount, l.deals_without_probability, l.value, l.weighted_value,
        l.bucket, l.start, l.tenant_id, l.rate_day
    FROM (SELECT y.status, y.currency, y.category, y.deals, y.deals_without_amount, y.deals_without_probability, y.value, y.weighted_value,
            CASE
                WHEN y.status = 'open' AND y.day < coalesce(forecast.today, current_date) THEN 'overdue'
                WHEN y.day BETWEEN '0001-01-01' AND '9999-12-31' THEN 'period'
                ELSE 'no_date'
            END AS bucket,
            CASE WHEN y.day BETWEEN '0001-01-01' AND '9999-12-31' THEN date_trunc(forecast.period, y.day::timestamp) END AS start,
            y.day, y.tenant_id, y.rate_day
        FROM days AS y) AS l
    WHERE l.bucket <> 'period'
        OR (forecast.period_from IS NULL OR l.day >= forecast.period_from)
            AND (forecast.period_before IS NULL OR l.day < forecast.period_before)
), conversions AS MATERIALIZED (
    @part conversions of placed AS s WHERE s.rate_day IS NOT NULL AND s.deals > s.deals_without_amount@
), converted AS (
    SELECT y.status, coalesce(forecast.in_currency, y.currency) AS currency, y.category, y.deals, y.deals_without_amount,
        y.deals_without_probability,
        coalesce(@extension@.crm_convert(y.value, c.multiply_by, c.divide_by), y.value) AS value,
        coalesce(@extension@.crm_convert(y.weighted_value, c.multiply_by, c.divide_by), y.weighted_value) AS weighted_value,
        y.bucket, y.start, c.rates
    FROM placed AS y
        LEFT JOIN conversions AS c ON c.tenant_id = y.tenant_id AND c.currency = y.currency AND c.day = y.rate_day
), sums AS (
    SELECT l.bucket, CASE l.bucket WHEN 'period' THEN l.start END AS start, l.currency,
        coalesce(sum(l.deals) FILTER (WHERE l.status = 'open'), 0)::bigint AS open_deals,
        coalesce(sum(l.value) FILTER (WHERE l.status = 'open'), 0) AS open_value,
        coalesce(sum(l.weighted_value) FILTER (WHERE l.status = 'open'), 0) AS weighted_value,
        coalesce(sum(l.deals) FILTER (WHERE l.status = 'won'), 0)::bigint AS won_deals,
        coalesce(sum(l.value) FILTER (WHERE l.status = 'won'), 0) AS won_value,
        coalesce(sum(l.value) FILTER (WHERE l.category = 'pipeline'), 0) AS pipeline,
        coalesce(sum(l.value) FILTER (WHERE l.category = 'best_case'), 0) AS best_case,
        coalesce(sum(l.value) FILTER (WHERE l.category = 'commit'), 0) AS commit,
        coalesce(sum(l.value) FILTER (WHERE l.category = 'closed'), 0) AS closed,
        coalesce(sum(l.value) FILTER (WHERE l.category = 'omitted'), 0) AS omitted,
        sum(l.deals_without_amount)::bigint AS deals_without_amount,
        sum(l.deals_without_probability)::bigint AS deals_without_probability,
        array_agg(l.rates) AS rates
    FROM converted AS l
    GROUP BY l.bucket, CASE l.bucket WHEN 'period' THEN l.start END, l.currency
)
SELECT s.bucket, s.start::date,
    (s.start + CASE forecast.period WHEN 'month' THEN interval '1 month' ELSE interval '3 months' END - interval '1 day')::date,
    s.currency, s.open_deals, trim_scale(s.open_value), trim_scale(s.weighted_value), s.won_deals, trim_scale(s.won_value),
    trim_scale(s.pipeline), trim_scale(s.best_case), trim_scale(s.commit), trim_scale(s.closed), trim_scale(s.omitted),
    trim_scale(s.pipeline + s.best_case + s.commit),
    trim_scale(s.closed + s.commit + s.best_case), trim_scale(s.closed + s.commit), trim_scale(s.closed),
    s.deals_without_amount, s.deals_without_probability, CASE WHEN forecast.in_currency IS NOT NULL THEN @extension@.crm_rates_used(s.rates) END
FROM sums AS s
ORDER BY array_position(ARRAY['overdue', 'period', 'no_date'], s.bucket), s.start, s.currency;
