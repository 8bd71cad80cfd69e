-- The changes that led from the open value at the start of a period to that at its end.
--
-- A deal has two independent histories: its stages (stage_changes, without the moves
-- that were taken back) and its values (deal_changes).  crm_waterfall() merges both, by
-- time and then by the number of the move, and adds up the difference in value of each
-- step, so that the sum of all steps is always right.

/* one plan */
WITH asked AS MATERIALIZED (
    SELECT p.tenant_id, p.currency, coalesce(pipeline_waterfall.to_at, 'infinity') AS to_at
    FROM @crm@.pipelines AS p
    WHERE p.id = pipeline_waterfall.pipeline_id
), sums AS MATERIALIZED (
    SELECT w.value_currency AS currency, w.bar, w.changes, w.deals, w.value, w.value_periods
    FROM asked AS a
        CROSS JOIN LATERAL @extension@.crm_waterfall(pipeline_waterfall.crm, a.tenant_id, pipeline_waterfall.pipeline_id,
            pipeline_waterfall.from_at, a.to_at, pipeline_waterfall.owner_id, a.currency) AS w
    WHERE pipeline_waterfall.currency IS NULL OR w.value_currency = pipeline_waterfall.currency
), conversions AS MATERIALIZED (
    -- one rate for all bars, as a change of rates would have to be a bar of its own
    SELECT e.currency, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg(a.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies,
                array_agg((least(a.to_at, now()) AT TIME ZONE 'UTC')::date) AS days
            FROM sums AS s CROSS JOIN asked AS a
            WHERE s.value <> 0) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(pipeline_waterfall.crm, pipeline_waterfall.in_currency, c.tenant_ids, c.currencies, c.days, pipeline_waterfall.max_rate_age) AS e
    WHERE pipeline_waterfall.in_currency IS NOT NULL
), converted AS MATERIALIZED (
    SELECT coalesce(pipeline_waterfall.in_currency, s.currency) AS currency, s.bar,
        sum(s.changes)::bigint AS changes, sum(s.deals)::bigint AS deals,
        @extension@.crm_converted_sum(s.value, c.multiply_by, c.divide_by) AS value
    FROM sums AS s
        LEFT JOIN conversions AS c ON c.currency = s.currency
    GROUP BY 1, 2
), periods AS MATERIALIZED (
    SELECT coalesce(pipeline_waterfall.in_currency, s.currency) AS currency,
        count(DISTINCT v.value_period) > 1 AS mixed_value_periods
    FROM sums AS s
        LEFT JOIN LATERAL unnest(s.value_periods) AS v (value_period) ON true
    GROUP BY 1
)
SELECT t.currency, b.no, b.bar,
    CASE b.bar WHEN 'closing' THEN t.deals ELSE coalesce(s.changes, 0) END,
    CASE b.bar WHEN 'closing' THEN t.deals ELSE coalesce(s.deals, 0) END,
    trim_scale(CASE b.bar WHEN 'closing' THEN t.value ELSE coalesce(s.value, 0) END),
    CASE WHEN pipeline_waterfall.in_currency IS NOT NULL THEN r.rates END, @extension@.crm_oldest_rate(r.rates),
    p.mixed_value_periods
FROM (SELECT @extension@.crm_rates_used(array_agg(c.rates)) AS rates FROM conversions AS c) AS r
    CROSS JOIN (SELECT u.currency, sum(u.deals)::bigint AS deals, sum(u.value) AS value FROM converted AS u GROUP BY u.currency) AS t
    CROSS JOIN (VALUES (1, 'opening'), (2, 'new'), (3, 'reopened'), (4, 'moved_in'), (5, 'reassigned_in'),
        (6, 'unarchived'), (7, 'amount_up'), (8, 'amount_down'), (9, 'currency_in'), (10, 'currency_out'),
        (11, 'won'), (12, 'lost'), (13, 'moved_out'), (14, 'reassigned_out'), (15, 'archived'), (16, 'deleted'),
        (17, 'closing')) AS b (no, bar)
    LEFT JOIN periods AS p ON p.currency = t.currency
    LEFT JOIN converted AS s ON s.currency = t.currency AND s.bar = b.bar
ORDER BY t.currency, b.no;
