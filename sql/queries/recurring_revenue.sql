-- What comes in every month and year.

SELECT CASE
        WHEN recurring_revenue.status NOT IN ('open', 'won', 'lost')
        THEN @extension@.crm_raise('22023', 'status must be open, won or lost')
    END;

WITH deals_asked AS (
    -- A year's worth is a whole multiple of every amount, so it is exact.
    SELECT d.status, d.currency, d.amount, d.probability,
        CASE d.value_period WHEN 'monthly' THEN 12 WHEN 'quarterly' THEN 4 WHEN 'annual' THEN 1 END AS times_a_year,
        -- what need not be converted has none of these
        CASE WHEN recurring_revenue.in_currency <> d.currency THEN d.tenant_id END AS tenant_id,
        CASE WHEN recurring_revenue.in_currency <> d.currency
            THEN @extension@.crm_conversion_day(d.won_at, d.lost_at) END AS rate_day
    FROM @crm@.deals AS d
    WHERE d.archived_at IS NULL
        AND d.amount IS NOT NULL
        AND (recurring_revenue.pipeline_id IS NULL OR d.pipeline_id = recurring_revenue.pipeline_id)
        AND (recurring_revenue.status IS NULL OR d.status = recurring_revenue.status)
        AND (d.status = 'open'
            OR (recurring_revenue.closed_from IS NULL
                OR coalesce(d.won_at, d.lost_at) >= recurring_revenue.closed_from)
            AND (recurring_revenue.closed_before IS NULL
                OR coalesce(d.won_at, d.lost_at) < recurring_revenue.closed_before))
        AND (recurring_revenue.owner_id IS NULL OR d.owner_id = recurring_revenue.owner_id)
        AND (recurring_revenue.currency IS NULL OR d.currency = recurring_revenue.currency)
), dated AS MATERIALIZED (
    SELECT a.status, a.currency, a.tenant_id, a.rate_day, count(a.times_a_year) AS recurring_deals,
        coalesce(sum(a.amount * a.times_a_year), 0) AS arr,
        coalesce(sum(a.amount * a.times_a_year * a.probability), 0) AS weighted_arr,
        count(*) FILTER (WHERE a.times_a_year IS NULL) AS one_time_deals,
        coalesce(sum(a.amount) FILTER (WHERE a.times_a_year IS NULL), 0) AS one_time_revenue
    FROM deals_asked AS a
    GROUP BY a.status, a.currency, a.tenant_id, a.rate_day
), conversions AS MATERIALIZED (
    SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
            FROM dated AS s
            WHERE s.rate_day IS NOT NULL) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(recurring_revenue.crm, recurring_revenue.in_currency, c.tenant_ids, c.currencies, c.days) AS e
    WHERE recurring_revenue.in_currency IS NOT NULL
), sums AS (
    SELECT d.status, coalesce(recurring_revenue.in_currency, d.currency) AS currency,
        sum(d.recurring_deals)::bigint AS recurring_deals, sum(d.one_time_deals)::bigint AS one_time_deals,
        sum(coalesce(@extension@.crm_convert(d.arr, c.multiply_by, c.divide_by), d.arr)) AS arr,
        sum(coalesce(@extension@.crm_convert(d.weighted_arr, c.multiply_by, c.divide_by), d.weighted_arr)) AS weighted_arr,
        sum(coalesce(@extension@.crm_convert(d.one_time_revenue, c.multiply_by, c.divide_by), d.one_time_revenue)) AS one_time_revenue,
        array_agg(c.rates) AS rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day
    GROUP BY 1, 2
)
SELECT s.status, s.currency, s.recurring_deals, round(s.arr / 12, 4), trim_scale(s.arr),
    round(s.weighted_arr / 12, 4), s.one_time_deals, trim_scale(s.one_time_revenue),
    CASE WHEN recurring_revenue.in_currency IS NOT NULL THEN @extension@.crm_rates_used(s.rates) END
FROM sums AS s
ORDER BY array_position(ARRAY['won', 'open', 'lost'], s.status), s.currency;
