-- The share of deals that were won.

SELECT CASE
        WHEN win_rate.cohort NOT IN ('closed', 'created')
        THEN @extension@.crm_raise('22023', format('cohort must not be "%s"', left(win_rate.cohort, 40)), NULL, 'It is closed or created.')
    END;

WITH dated AS MATERIALIZED (
    SELECT win_rate.group_of.d AS keys, coalesce(d.currency, p.currency) AS currency,
        @part conversion_day of coalesce(d.currency, p.currency)@,
        count(*) AS deals, count(d.amount) AS amounts,
        count(d.amount) FILTER (WHERE d.status <> 'open') AS closed_amounts,
        count(*) FILTER (WHERE d.status = 'won') AS won,
        count(*) FILTER (WHERE d.status = 'lost') AS lost,
        count(*) FILTER (WHERE d.status = 'open') AS still_open,
        coalesce(sum(d.amount) FILTER (WHERE d.status = 'won'), 0) AS won_value,
        coalesce(sum(d.amount) FILTER (WHERE d.status = 'lost'), 0) AS lost_value
    FROM @crm@.deals AS d
        LEFT JOIN @crm@.pipelines AS p ON p.id = d.pipeline_id
    WHERE d.archived_at IS NULL
        AND (win_rate.pipeline_id IS NULL OR d.pipeline_id = win_rate.pipeline_id)
        AND (win_rate.cohort = 'created' OR d.status <> 'open')
        AND (win_rate.period_from IS NULL OR win_rate.period_from <=
            CASE win_rate.cohort WHEN 'created' THEN d.created_at ELSE coalesce(d.won_at, d.lost_at) END)
        AND (win_rate.period_before IS NULL OR win_rate.period_before >
            CASE win_rate.cohort WHEN 'created' THEN d.created_at ELSE coalesce(d.won_at, d.lost_at) END)
        AND (win_rate.owner_id IS NULL OR d.owner_id = win_rate.owner_id)
        AND (win_rate.currency IS NULL OR coalesce(d.currency, p.currency) = win_rate.currency)
        AND (win_rate.value_period IS NULL OR d.value_period = win_rate.value_period)
    GROUP BY 1, 2, 3, 4
), conversions AS MATERIALIZED (
    @part conversions of dated AS s WHERE s.rate_day IS NOT NULL AND s.closed_amounts > 0@
), counted AS MATERIALIZED (
    SELECT g.group_key, g.is_total, coalesce(win_rate.in_currency, d.currency) AS currency,
        sum(d.deals)::bigint AS deals, sum(d.amounts)::bigint AS amounts,
        sum(d.won)::bigint AS won, sum(d.lost)::bigint AS lost, sum(d.still_open)::bigint AS still_open,
        @extension@.crm_converted_sum(d.won_value, c.multiply_by, c.divide_by) AS won_value,
        @extension@.crm_converted_sum(d.lost_value, c.multiply_by, c.divide_by) AS lost_value,
        @extension@.crm_rates_used(array_agg(c.rates)) AS rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day AND d.closed_amounts > 0
        @part groups of d.keys@
    GROUP BY g.group_key, g.is_total, coalesce(win_rate.in_currency, d.currency)
    UNION ALL
    -- there is always a total, even of no deals
    SELECT NULL, true, NULL, 0, 0, 0, 0, 0, 0, 0, NULL
), total AS (
    SELECT c.group_key, c.is_total, sum(c.deals)::bigint AS deals, sum(c.won)::bigint AS won,
        sum(c.lost)::bigint AS lost, sum(c.still_open)::bigint AS still_open,
        count(*) FILTER (WHERE c.amounts > 0) AS currencies,
        min(c.currency) FILTER (WHERE c.amounts > 0) AS currency,
        sum(c.won_value) AS won_value, sum(c.lost_value) AS lost_value,
        coalesce(jsonb_agg(jsonb_build_object(
                'currency', c.currency,
                'deals', c.deals,
                'won', c.won,
                'lost', c.lost,
                'still_open', c.still_open,
                'win_rate', round(c.won::numeric / nullif(c.won + c.lost, 0), 6),
                'won_share', round(c.won::numeric / nullif(c.deals, 0), 6),
                'won_value', trim_scale(c.won_value),
                'lost_value', trim_scale(c.lost_value),
                'win_rate_by_value', round(c.won_value / nullif(c.won_value + c.lost_value, 0), 6))
            ORDER BY c.currency) FILTER (WHERE c.deals > 0), '[]') AS by_currency,
        CASE WHEN win_rate.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(c.rates)) END AS rates
    FROM counted AS c
    GROUP BY c.group_key, c.is_total
)
SELECT t.group_key,
    @part group_name of t@,
    t.is_total, t.deals, t.won, t.lost, t.still_open,
    round(t.won::numeric / nullif(t.won + t.lost, 0), 6),
    round(t.won::numeric / nullif(t.deals, 0), 6),
    CASE WHEN t.currencies = 1 THEN t.currency END,
    CASE WHEN t.currencies <= 1 THEN trim_scale(t.won_value) END,
    CASE WHEN t.currencies <= 1 THEN trim_scale(t.lost_value) END,
    CASE WHEN t.currencies <= 1 THEN round(t.won_value / nullif(t.won_value + t.lost_value, 0), 6) END,
    t.by_currency, t.rates, @extension@.crm_oldest_rate(t.rates)
FROM total AS t
ORDER BY t.is_total DESC, t.group_key;
