-- How much the open deals bring in a day, at the pace of the closed ones.

WITH dated AS MATERIALIZED (
    SELECT sales_velocity.group_of.d AS keys, coalesce(d.currency, p.currency) AS currency,
        @part conversion_day of coalesce(d.currency, p.currency)@,
        count(*) FILTER (WHERE d.status = 'open') AS open_deals,
        count(*) FILTER (WHERE d.status = 'won') AS won,
        count(*) FILTER (WHERE d.status = 'lost') AS lost,
        count(d.amount) FILTER (WHERE d.status = 'won') AS won_amounts,
        sum(d.amount) FILTER (WHERE d.status = 'won') AS won_value,
        count(*) FILTER (WHERE isfinite(d.won_at) AND isfinite(d.created_at)) AS timed,
        sum(extract(epoch FROM d.won_at - d.created_at))
            FILTER (WHERE isfinite(d.won_at) AND isfinite(d.created_at)) AS seconds
    FROM @crm@.deals AS d
        LEFT JOIN @crm@.pipelines AS p ON p.id = d.pipeline_id
    WHERE d.archived_at IS NULL
        AND (sales_velocity.pipeline_id IS NULL OR d.pipeline_id = sales_velocity.pipeline_id)
        AND (d.status = 'open'
            OR (sales_velocity.closed_from IS NULL
                OR coalesce(d.won_at, d.lost_at) >= sales_velocity.closed_from)
            AND (sales_velocity.closed_before IS NULL
                OR coalesce(d.won_at, d.lost_at) < sales_velocity.closed_before))
        AND (sales_velocity.owner_id IS NULL OR d.owner_id = sales_velocity.owner_id)
        AND (sales_velocity.currency IS NULL OR coalesce(d.currency, p.currency) = sales_velocity.currency)
        AND (sales_velocity.value_period IS NULL OR d.value_period = sales_velocity.value_period)
    GROUP BY 1, 2, 3, 4
), conversions AS MATERIALIZED (
    @part conversions of dated AS s WHERE s.rate_day IS NOT NULL AND s.won_amounts > 0@
), counted AS (
    SELECT g.group_key, g.is_total, coalesce(sales_velocity.in_currency, d.currency) AS currency, sum(d.open_deals)::bigint AS open_deals,
        sum(d.won)::bigint AS won, sum(d.lost)::bigint AS lost,
        @extension@.crm_converted_sum(d.won_value, c.multiply_by, c.divide_by) / nullif(sum(d.won_amounts), 0) AS average_won_value,
        sum(d.seconds) / nullif(sum(d.timed), 0) / 86400 AS days,
        CASE WHEN sales_velocity.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(c.rates)) END AS rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day AND d.won_amounts > 0
        @part groups of d.keys@
    GROUP BY 1, 2, 3
)
SELECT c.group_key,
    @part group_name of c@,
    c.is_total, c.currency, c.open_deals, c.won, c.lost, round(c.average_won_value, 4),
    round(c.won::numeric / nullif(c.won + c.lost, 0), 6),
    round(c.days, 6),
    -- one division at the end, so that the result is rounded only once
    round(c.open_deals * c.average_won_value * c.won / nullif((c.won + c.lost) * c.days, 0), 4),
    c.rates, @extension@.crm_oldest_rate(c.rates)
FROM counted AS c
ORDER BY c.is_total DESC, c.group_key, c.currency;
