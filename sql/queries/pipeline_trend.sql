-- The sums of a pipeline at every step of a period.
--
-- crm_summaries_as_of() reads the history once, and returns each sum with the range of
-- points for which it holds.  A range is converted once, as in pipeline_summary_as_of,
-- then added at its first point and subtracted after its last one; the running total
-- at a point is the sum there.

SELECT CASE
        WHEN pipeline_trend.step NOT IN ('day', 'week', 'month', 'quarter')
        THEN @extension@.crm_raise('22023', 'step must be day, week, month or quarter')
        WHEN coalesce(pipeline_trend.to_at, pipeline_trend.from_at) > clock_timestamp()
        THEN @extension@.crm_raise('22023', format('%s is in the future', coalesce(pipeline_trend.to_at, pipeline_trend.from_at)))
        -- a CASE of its own, as constants are evaluated ahead
        WHEN CASE
                WHEN isfinite(pipeline_trend.from_at) AND isfinite(coalesce(pipeline_trend.to_at, pipeline_trend.from_at))
                THEN extract(epoch FROM coalesce(pipeline_trend.to_at, now()) - pipeline_trend.from_at) / 86400
                    > 10000 * CASE pipeline_trend.step WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 28 ELSE 89 END
                ELSE true
            END
        THEN @extension@.crm_raise('22023', 'the period has more than 10,000 steps', NULL, 'Choose a shorter period, or a longer step.')
    END;

WITH pipeline AS MATERIALIZED (
    SELECT p.id, coalesce(pipeline_trend.in_currency, p.currency) AS currency, p.tenant_id
    FROM @crm@.pipelines AS p
    WHERE p.id = pipeline_trend.pipeline_id
), points AS MATERIALIZED (
    -- not each from the one before: January 31, February 29, March 31; where a day was
    -- left out, that day and the next one are the same moment
    SELECT row_number() OVER (ORDER BY a.at) AS n, a.at
    FROM (SELECT DISTINCT pipeline_trend.from_at + g.n * CASE pipeline_trend.step
                WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
                WHEN 'month' THEN interval '1 month' ELSE interval '3 months' END AS at
            FROM generate_series(0, 2 + (extract(epoch FROM coalesce(pipeline_trend.to_at, now()) - pipeline_trend.from_at) / 86400)::integer
                / CASE pipeline_trend.step WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 28 ELSE 89 END) AS g (n)) AS a
    WHERE a.at <= coalesce(pipeline_trend.to_at, now())
), runs AS MATERIALIZED (
    SELECT s.first_point, s.last_point, s.rate_day, s.deal_status, s.stage_id, s.currency, s.value_period, s.deals,
        s.deals_without_amount, s.deals_without_probability, s.value, s.weighted_value
    FROM pipeline AS p
        CROSS JOIN LATERAL @extension@.crm_summaries_as_of(pipeline_trend.crm, p.tenant_id, p.id,
            ARRAY(SELECT t.at FROM points AS t ORDER BY t.n), pipeline_trend.in_currency) AS s
), conversions AS MATERIALIZED (
    SELECT e.currency, e.day, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg(p.tenant_id) AS tenant_ids, array_agg(d.currency) AS currencies, array_agg(d.rate_day) AS days
            FROM (SELECT DISTINCT r.currency, r.rate_day FROM runs AS r
                    WHERE r.rate_day IS NOT NULL AND r.deals > r.deals_without_amount) AS d
                CROSS JOIN pipeline AS p) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(pipeline_trend.crm, pipeline_trend.in_currency, c.tenant_ids, c.currencies, c.days) AS e
    WHERE pipeline_trend.in_currency IS NOT NULL
), converted AS MATERIALIZED (
    -- a deleted stage has the status of its deals; its sums are kept apart by more columns
    SELECT r.first_point, r.last_point, g.id IS NULL AS gone, coalesce(g.deal_status, r.deal_status) AS deal_status,
        CASE WHEN pipeline_trend.by_stage OR g.id IS NULL THEN r.stage_id END AS stage_id,
        CASE WHEN g.id IS NULL THEN r.value_period END AS value_period,
        coalesce(pipeline_trend.in_currency, r.currency, CASE WHEN g.id IS NOT NULL THEN p.currency END) AS currency,
        r.deals, r.deals_without_amount, r.deals_without_probability,
        coalesce(@extension@.crm_convert(r.value, c.multiply_by, c.divide_by), r.value) AS value,
        coalesce(@extension@.crm_convert(r.weighted_value, c.multiply_by, c.divide_by), r.weighted_value) AS weighted_value,
        c.rates
    FROM runs AS r
        CROSS JOIN pipeline AS p
        LEFT JOIN conversions AS c ON c.currency = r.currency AND c.day = r.rate_day
        LEFT JOIN @crm@.stages AS g ON g.id = r.stage_id
), changes AS (
    SELECT c.first_point AS n, c.gone, c.deal_status, c.stage_id, c.value_period, c.currency, c.deals, c.deals_without_amount,
        c.deals_without_probability, c.value, c.weighted_value
    FROM converted AS c
    UNION ALL
    SELECT c.last_point + 1, c.gone, c.deal_status, c.stage_id, c.value_period, c.currency, -c.deals, -c.deals_without_amount,
        -c.deals_without_probability, -c.value, -c.weighted_value
    FROM converted AS c
), changed AS MATERIALIZED (
    SELECT c.n, c.gone, c.deal_status, c.stage_id, c.value_period, c.currency, sum(c.deals) AS deals,
        sum(c.deals_without_amount) AS deals_without_amount, sum(c.deals_without_probability) AS deals_without_probability,
        sum(c.value) AS value, sum(c.weighted_value) AS weighted_value
    FROM changes AS c
    GROUP BY c.n, c.gone, c.deal_status, c.stage_id, c.value_period, c.currency
), kinds AS MATERIALIZED (
    SELECT row_number() OVER () AS kind, c.gone, c.deal_status, c.stage_id, c.value_period, c.currency
    FROM (SELECT DISTINCT d.gone, d.deal_status, d.stage_id, d.value_period, d.currency FROM changed AS d) AS c
), sums AS (
    SELECT t.n, k.gone, k.deal_status, k.stage_id, k.value_period, k.currency, sum(c.deals) OVER w AS deals,
        sum(c.deals_without_amount) OVER w AS deals_without_amount, sum(c.deals_without_probability) OVER w AS deals_without_probability,
        sum(c.value) OVER w AS value, sum(c.weighted_value) OVER w AS weighted_value
    FROM kinds AS k
        CROSS JOIN points AS t
        LEFT JOIN changed AS c ON c.n = t.n AND c.deal_status = k.deal_status AND c.gone = k.gone
            AND c.stage_id IS NOT DISTINCT FROM k.stage_id AND c.value_period IS NOT DISTINCT FROM k.value_period
            AND c.currency IS NOT DISTINCT FROM k.currency
    WINDOW w AS (PARTITION BY k.kind ORDER BY t.n)
), stages AS MATERIALIZED (
    SELECT g.id, g.name, g.position, g.archived_at IS NOT NULL AS archived
    FROM @crm@.stages AS g
    WHERE g.pipeline_id = pipeline_trend.pipeline_id
), counted AS MATERIALIZED (
    SELECT s.n, coalesce(s.currency, p.currency) AS currency, s.stage_id, min(s.deal_status) AS deal_status, sum(s.deals) AS deals,
        sum(s.deals_without_amount) AS deals_without_amount, sum(s.deals_without_probability) AS deals_without_probability,
        sum(s.value) AS value, sum(s.weighted_value) AS weighted_value
    FROM sums AS s
        CROSS JOIN pipeline AS p
    WHERE s.deals > 0
    GROUP BY s.n, s.currency, p.currency, s.stage_id, s.value_period, CASE WHEN NOT s.gone THEN s.deal_status END
), currencies AS MATERIALIZED (
    SELECT DISTINCT c.currency FROM counted AS c
    UNION
    SELECT p.currency FROM pipeline AS p WHERE NOT EXISTS (SELECT FROM counted)
), lines AS MATERIALIZED (
    SELECT NULL::uuid AS stage_id, NULL::text AS name, NULL::integer AS position, false AS archived
    WHERE NOT pipeline_trend.by_stage
    UNION ALL
    SELECT g.id, g.name, g.position, g.archived
    FROM stages AS g
    WHERE pipeline_trend.by_stage
        AND (NOT g.archived OR EXISTS (SELECT FROM counted AS c WHERE c.stage_id = g.id))
    UNION ALL
    SELECT DISTINCT c.stage_id, NULL::text, NULL::integer, true
    FROM counted AS c
    WHERE pipeline_trend.by_stage AND NOT EXISTS (SELECT FROM stages AS g WHERE g.id = c.stage_id)
), used AS MATERIALIZED (
    SELECT c.first_point AS n, CASE WHEN pipeline_trend.by_stage THEN c.stage_id END AS stage_id,
        @extension@.crm_rates_used(array_agg(DISTINCT c.rates)) AS rates
    FROM converted AS c
    WHERE pipeline_trend.in_currency IS NOT NULL
    GROUP BY 1, 2
)
SELECT t.at, u.currency, l.stage_id, l.name,
    coalesce(sum(c.deals) FILTER (WHERE c.deal_status = 'open'), 0)::bigint,
    trim_scale(coalesce(sum(c.value) FILTER (WHERE c.deal_status = 'open'), 0)),
    trim_scale(coalesce(sum(c.weighted_value) FILTER (WHERE c.deal_status = 'open'), 0)),
    coalesce(sum(c.deals) FILTER (WHERE c.deal_status = 'won'), 0)::bigint,
    trim_scale(coalesce(sum(c.value) FILTER (WHERE c.deal_status = 'won'), 0)),
    trim_scale(coalesce(sum(c.weighted_value) FILTER (WHERE c.deal_status = 'won'), 0)),
    coalesce(sum(c.deals) FILTER (WHERE c.deal_status = 'lost'), 0)::bigint,
    trim_scale(coalesce(sum(c.value) FILTER (WHERE c.deal_status = 'lost'), 0)),
    trim_scale(coalesce(sum(c.weighted_value) FILTER (WHERE c.deal_status = 'lost'), 0)),
    coalesce(sum(c.deals_without_amount), 0)::bigint, coalesce(sum(c.deals_without_probability), 0)::bigint,
    CASE WHEN pipeline_trend.in_currency IS NOT NULL THEN coalesce(e.rates, '[]') END
FROM points AS t
    CROSS JOIN currencies AS u
    CROSS JOIN lines AS l
    LEFT JOIN counted AS c ON c.n = t.n AND c.currency = u.currency AND (l.stage_id IS NULL OR c.stage_id = l.stage_id)
    LEFT JOIN used AS e ON e.n = t.n AND e.stage_id IS NOT DISTINCT FROM l.stage_id
GROUP BY t.n, t.at, u.currency, l.stage_id, l.name, l.position, l.archived, e.rates
ORDER BY t.n, u.currency, l.position, l.archived, l.stage_id;
