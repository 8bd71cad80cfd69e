-- The sums of a pipeline at every step of a period.
--
-- crm_summary_changes() reads the history once and returns each sum with its changes:
-- crm_trend_rows() adds these up, point by point, for each line of the trend: a group, a
-- currency and, if asked for, a stage.
--
-- A deal is in the group of what it had at the moment, if the history has that in
-- columns of its own.  Of all else the present value counts, as in other reports: the
-- deals are gathered by it (cohorts), as for the funnel.

SELECT CASE
        WHEN pipeline_trend.step NOT IN ('day', 'week', 'month', 'quarter', 'year')
        THEN @extension@.crm_raise('22023', format('step must not be "%s"', left(pipeline_trend.step, 40)), NULL, 'It is day, week, month, quarter or year.')
        WHEN pipeline_trend.to_at > clock_timestamp()
        THEN @extension@.crm_raise('22023', format('to_at is in the future: %s', pipeline_trend.to_at), NULL, 'Give a moment of the past, or leave it out: the trend goes on until now.')
        WHEN pipeline_trend.from_at > clock_timestamp()
        THEN @extension@.crm_raise('22023', format('from_at is in the future: %s', pipeline_trend.from_at), NULL, 'Give a moment of the past.')
        WHEN NOT isfinite(pipeline_trend.from_at)
        THEN @extension@.crm_raise('22023', format('from_at must not be %s', pipeline_trend.from_at), NULL, 'A trend begins at a moment such as 2026-01-31.')
        -- a CASE of its own, as constants are evaluated ahead
        WHEN CASE
                WHEN isfinite(pipeline_trend.from_at) AND isfinite(coalesce(pipeline_trend.to_at, pipeline_trend.from_at))
                THEN extract(epoch FROM coalesce(pipeline_trend.to_at, now()) - pipeline_trend.from_at) / 86400
                    > 10000 * CASE pipeline_trend.step WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 28 WHEN 'quarter' THEN 89 ELSE 365 END
                ELSE true
            END
        THEN @extension@.crm_raise('22023', 'the period has more than 10,000 steps', NULL, 'Choose a shorter period, or a longer step.')
    END;

/* one plan */
WITH pipeline AS MATERIALIZED (
    SELECT p.id, p.currency, p.tenant_id
    FROM @crm@.pipelines AS p
    WHERE p.id = pipeline_trend.pipeline_id
), points AS MATERIALIZED (
    -- not each from the one before: January 31, February 29, March 31; where a day was
    -- left out, that day and the next one are the same moment
    SELECT ARRAY(
            SELECT DISTINCT a.at
            FROM (SELECT CASE
                        WHEN pipeline_trend.calendar AND g.n > 0
                        THEN @extension@.crm_day_start(@extension@.crm_period_start(pipeline_trend.step, (pipeline_trend.from_at::date + g.n * s.step)::date))
                        ELSE pipeline_trend.from_at + g.n * s.step
                    END AS at
                FROM (SELECT CASE pipeline_trend.step WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
                            WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END AS step,
                        CASE pipeline_trend.step WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 28 WHEN 'quarter' THEN 89 ELSE 365 END AS days) AS s
                    CROSS JOIN LATERAL generate_series(0, 2
                        + (extract(epoch FROM coalesce(pipeline_trend.to_at, now()) - pipeline_trend.from_at) / 86400)::integer / s.days) AS g (n)) AS a
            WHERE a.at >= pipeline_trend.from_at AND a.at <= coalesce(pipeline_trend.to_at, now())
            ORDER BY a.at) AS at
), cohorts AS MATERIALIZED (
    SELECT k.keys, k.deals, row_number() OVER () AS no
    FROM (SELECT d.keys, @extension@.crm_deal_cohort(d.id, d.status, NULL, NULL) AS deals
        FROM (SELECT to_jsonb(pipeline_trend.group_of.d) AS keys, d.id, d.status
                FROM @crm@.deals AS d
                WHERE d.pipeline_id = pipeline_trend.pipeline_id
                UNION ALL
                SELECT to_jsonb(pipeline_trend.group_of.d), d.id, d.status
                FROM @crm@.deals AS d
                WHERE d.pipeline_id <> pipeline_trend.pipeline_id
                    AND (d.id, d.tenant_id) IN (SELECT c.deal_id, c.tenant_id FROM @crm@.stage_changes AS c
                        WHERE c.from_pipeline_id = pipeline_trend.pipeline_id
                            AND (c.to_pipeline_id < pipeline_trend.pipeline_id OR c.to_pipeline_id > pipeline_trend.pipeline_id))) AS d
        WHERE pipeline_trend.group_by IS NOT NULL
            AND pipeline_trend.group_by NOT IN ('pipeline_id', 'stage_id', 'status', 'currency', 'value_period')
            AND split_part(pipeline_trend.group_by, '.', 1) NOT IN ('owner_id', 'expected_close_date')
        GROUP BY 1) AS k
), sums AS MATERIALIZED (
    SELECT s.rate_day, s.rate_points, s.deal_status, s.stage_id, s.currency, s.value_period, s.subject_no, s.subject, s.changes
    FROM points AS t
        CROSS JOIN LATERAL @extension@.crm_summary_changes(pipeline_trend.crm, (SELECT p.tenant_id FROM pipeline AS p), pipeline_trend.pipeline_id,
            t.at, pipeline_trend.in_currency,
            CASE WHEN split_part(pipeline_trend.group_by, '.', 1) IN ('owner_id', 'expected_close_date') THEN split_part(pipeline_trend.group_by, '.', 1) END,
            CASE WHEN pipeline_trend.group_by IS NOT NULL THEN (SELECT array_agg(c.deals) FROM cohorts AS c) END) AS s
), conversions AS MATERIALIZED (
    SELECT row_number() OVER () AS no, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg((SELECT p.tenant_id FROM pipeline AS p)) AS tenant_ids, array_agg(d.currency) AS currencies, array_agg(d.day) AS days
            FROM (SELECT s.currency, s.rate_day AS day FROM sums AS s WHERE s.rate_day IS NOT NULL
                    UNION
                    SELECT s.currency, (t.at[r.point] AT TIME ZONE 'UTC')::date
                    FROM points AS t CROSS JOIN sums AS s CROSS JOIN LATERAL unnest(s.rate_points) AS r (point)) AS d) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(pipeline_trend.crm, pipeline_trend.in_currency, c.tenant_ids, c.currencies, c.days,
            pipeline_trend.max_rate_age) AS e
    WHERE pipeline_trend.in_currency IS NOT NULL
), marked AS MATERIALIZED (
    -- a deleted stage has the status of its deals
    SELECT row_number() OVER () AS no, coalesce(g.deal_status, s.deal_status) AS deal_status, CASE WHEN g.id IS NULL THEN s.stage_id END AS gone_stage,
        coalesce(pipeline_trend.in_currency, s.currency, (SELECT p.currency FROM pipeline AS p)) AS value_currency,
        CASE WHEN pipeline_trend.by_stage THEN s.stage_id END AS stage_id,
        s.value_period, s.currency, s.rate_day, s.rate_points IS NOT NULL AS of_points, s.changes,
        CASE
            WHEN pipeline_trend.group_by = 'pipeline_id' THEN to_jsonb(pipeline_trend.pipeline_id)
            WHEN pipeline_trend.group_by = 'stage_id' THEN to_jsonb(s.stage_id)
            WHEN pipeline_trend.group_by = 'status' THEN to_jsonb(coalesce(g.deal_status, s.deal_status))
            WHEN pipeline_trend.group_by = 'currency' THEN to_jsonb(coalesce(s.currency, (SELECT p.currency FROM pipeline AS p)))
            WHEN pipeline_trend.group_by = 'value_period' THEN to_jsonb(s.value_period)
            WHEN pipeline_trend.group_by IN ('owner_id', 'expected_close_date') THEN to_jsonb(s.subject)
            WHEN pipeline_trend.group_by LIKE 'expected\_close\_date.%'
            THEN to_jsonb(@extension@.crm_period_start(split_part(pipeline_trend.group_by, '.', 2), s.subject::date))
            WHEN pipeline_trend.group_by IS NOT NULL THEN c.keys
        END AS keys
    FROM sums AS s
        LEFT JOIN @crm@.stages AS g ON g.id = s.stage_id
        LEFT JOIN cohorts AS c ON c.no = s.subject_no
), members AS MATERIALIZED (
    SELECT m.no, g.group_key, g.is_total, m.value_currency, m.stage_id
    FROM marked AS m
        @part groups of m.keys@
    WHERE pipeline_trend.group_by IS NOT NULL
    UNION ALL
    SELECT m.no, NULL, true, m.value_currency, m.stage_id
    FROM marked AS m
    WHERE pipeline_trend.group_by IS NULL
), lines AS MATERIALIZED (
    SELECT m.group_key, m.is_total, m.value_currency, m.stage_id, m.no::integer AS sum_no
    FROM members AS m
    UNION ALL
    -- there is always a total, and all stages that are in use
    SELECT NULL, true, coalesce(pipeline_trend.in_currency, p.currency), NULL, NULL
    FROM pipeline AS p
    WHERE NOT pipeline_trend.by_stage AND NOT EXISTS (SELECT FROM members)
    UNION ALL
    SELECT c.group_key, c.is_total, c.value_currency, g.id, NULL
    FROM (SELECT m.group_key, m.is_total, m.value_currency FROM members AS m
            UNION
            SELECT NULL, true, coalesce(pipeline_trend.in_currency, p.currency) FROM pipeline AS p WHERE NOT EXISTS (SELECT FROM members)) AS c
        JOIN @crm@.stages AS g ON g.pipeline_id = pipeline_trend.pipeline_id AND g.archived_at IS NULL
    WHERE pipeline_trend.by_stage
), rows AS MATERIALIZED (
    SELECT r.group_key, r.is_total, r.value_currency, r.stage_id,
        r.at, r.open_deals, r.open_value, r.open_weighted_value, r.won_deals, r.won_value, r.won_weighted_value,
        r.lost_deals, r.lost_value, r.lost_weighted_value, r.deals_without_amount, r.deals_without_probability, r.value_period,
        CASE WHEN pipeline_trend.in_currency IS NOT NULL
            THEN @extension@.crm_rates_used(ARRAY(SELECT c.rates FROM conversions AS c WHERE c.no = ANY (r.conversions))) END AS rates,
        r.oldest_rate
    FROM (SELECT array_agg(l.group_key) AS group_keys, array_agg(l.is_total) AS totals, array_agg(l.value_currency) AS value_currencies,
                array_agg(l.stage_id) AS stages, array_agg(l.sum_no) AS sums
            FROM lines AS l) AS l
        CROSS JOIN (SELECT array_agg(m.deal_status) AS statuses, array_agg(m.gone_stage) AS gone_stages, array_agg(m.value_period) AS value_periods,
                array_agg(m.currency) AS currencies, array_agg(m.rate_day) AS rate_days, array_agg(m.of_points) AS of_points, array_agg(m.changes) AS changes
            FROM marked AS m) AS s
        CROSS JOIN (SELECT array_agg(c.currency) AS currencies, array_agg(c.day) AS days, array_agg(c.multiply_by) AS multiply_by,
                array_agg(c.divide_by) AS divide_by, array_agg(@extension@.crm_oldest_rate(c.rates)) AS oldest_rates
            FROM conversions AS c) AS c
        CROSS JOIN LATERAL @extension@.crm_trend_rows((SELECT t.at FROM points AS t), l.group_keys, l.totals, l.value_currencies, l.stages, l.sums,
            s.statuses, s.gone_stages, s.value_periods, s.currencies, s.rate_days, s.of_points, s.changes,
            c.currencies, c.days, c.multiply_by, c.divide_by, c.oldest_rates) AS r
)
SELECT r.group_key,
    @part group_name of r@,
    r.is_total, r.at, r.value_currency, r.stage_id, g.name,
    r.open_deals, r.open_value, r.open_weighted_value, r.won_deals, r.won_value, r.won_weighted_value,
    r.lost_deals, r.lost_value, r.lost_weighted_value, r.deals_without_amount, r.deals_without_probability,
    r.rates, r.oldest_rate, r.value_period IS NULL
FROM rows AS r
    LEFT JOIN @crm@.stages AS g ON pipeline_trend.by_stage AND g.id = r.stage_id
ORDER BY r.is_total DESC, r.group_key, r.at, r.value_currency, g.position, coalesce(g.archived_at IS NOT NULL, true), r.stage_id;
