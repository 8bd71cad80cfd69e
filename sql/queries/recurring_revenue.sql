-- Revenue for each month and year.

SELECT CASE
        WHEN recurring_revenue.status NOT IN ('open', 'won', 'lost')
        THEN @extension@.crm_raise('22023', format('status must not be "%s"', left(recurring_revenue.status, 40)), NULL, 'It is open, won or lost.')
    END;

WITH deals_asked AS (
    -- The value for a year is a whole multiple of every amount, so it is exact.
    SELECT recurring_revenue.group_of.d AS keys, d.status, d.currency, d.amount, d.probability,
        CASE d.value_period WHEN 'monthly' THEN 12 WHEN 'quarterly' THEN 4 WHEN 'annual' THEN 1 END AS times_a_year,
        @part conversion_day of d.currency@
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
    SELECT a.keys, a.status, a.currency, a.tenant_id, a.rate_day, count(a.times_a_year) AS recurring_deals,
        coalesce(sum(a.amount * a.times_a_year), 0) AS arr,
        coalesce(sum(a.amount * a.times_a_year * a.probability), 0) AS weighted_arr,
        count(*) FILTER (WHERE a.times_a_year IS NULL) AS one_time_deals,
        coalesce(sum(a.amount) FILTER (WHERE a.times_a_year IS NULL), 0) AS one_time_revenue,
        count(a.times_a_year) FILTER (WHERE a.probability IS NULL) AS deals_without_probability
    FROM deals_asked AS a
    GROUP BY a.keys, a.status, a.currency, a.tenant_id, a.rate_day
), conversions AS MATERIALIZED (
    @part conversions of dated AS s WHERE s.rate_day IS NOT NULL@
), sums AS (
    SELECT g.group_key, g.is_total, d.status, coalesce(recurring_revenue.in_currency, d.currency) AS currency,
        sum(d.recurring_deals)::bigint AS recurring_deals, sum(d.one_time_deals)::bigint AS one_time_deals,
        sum(d.deals_without_probability)::bigint AS deals_without_probability,
        @extension@.crm_converted_sum(d.arr, c.multiply_by, c.divide_by) AS arr,
        @extension@.crm_converted_sum(d.weighted_arr, c.multiply_by, c.divide_by) AS weighted_arr,
        @extension@.crm_converted_sum(d.one_time_revenue, c.multiply_by, c.divide_by) AS one_time_revenue,
        CASE WHEN recurring_revenue.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(c.rates)) END AS rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day
        @part groups of d.keys@
    GROUP BY 1, 2, 3, 4
)
SELECT s.group_key,
    @part group_name of s@,
    s.is_total, s.status, s.currency, s.recurring_deals, round(s.arr / 12, 4), trim_scale(s.arr),
    round(s.weighted_arr / 12, 4), s.one_time_deals, trim_scale(s.one_time_revenue),
    s.deals_without_probability, s.rates, @extension@.crm_oldest_rate(s.rates)
FROM sums AS s
ORDER BY s.is_total DESC, s.group_key, array_position(ARRAY['won', 'open', 'lost'], s.status), s.currency;
