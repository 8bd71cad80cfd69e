-- How many deals, and of what value, went from stage to stage, for each group of deals.
-- The deals of a cohort have the same value of the dimension group_by, the same currency
-- and the same exchange rate.
counted AS MATERIALIZED (
    -- Cohorts are large, so no other part of the query reads them: they would be copied.
    -- What they have in common is jsonb, of which an element is found without reading those
    -- before it.
    SELECT k.cohorts -> t.cohort_no -> 0 AS keys, k.cohorts -> t.cohort_no ->> 1 AS currency,
        (k.cohorts -> t.cohort_no ->> 2)::uuid AS tenant_id, (k.cohorts -> t.cohort_no ->> 3)::date AS rate_day,
        t.from_stage_id, t.to_stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won,
        t.value, t.won_value, t.lost_value, t.to_won_value
    FROM (SELECT array_agg(k.deals) AS deals, jsonb_agg(jsonb_build_array(k.keys, k.currency, k.tenant_id, k.rate_day)) AS cohorts
            FROM (SELECT d.keys, CASE WHEN d.amount IS NOT NULL THEN d.currency END AS currency,
                        @part conversion_day of CASE WHEN d.amount IS NOT NULL THEN d.currency END@,
                        @extension@.crm_deal_cohort(d.id, d.status, d.stage_id, d.stage_entered_at, d.amount) AS deals
                    @part cohort@
                        AND (@query@.cohort <> 'created'
                            OR (@query@.period_from IS NULL OR d.created_at >= @query@.period_from)
                            AND (@query@.period_before IS NULL OR d.created_at < @query@.period_before))
                    GROUP BY 1, 2, 3, 4) AS k) AS k,
        @part pipeline_stages@,
        @extension@.crm_pipeline_stage_steps(@query@.crm, @query@.pipeline_id, k.deals, p.ids, p.statuses, @query@.rule,
            CASE @query@.cohort WHEN 'entered' THEN @query@.period_from END,
            CASE @query@.cohort WHEN 'entered' THEN @query@.period_before END) AS t
), conversions AS MATERIALIZED (
    @part conversions of counted AS s WHERE s.rate_day IS NOT NULL@
), steps AS MATERIALIZED (
    -- most of the rows are of pairs: what the planner expects of to_stage_id IS NULL is far too few
    SELECT g.group_key, g.is_total, t.from_stage_id, t.to_stage_id, t.to_stage_id IS NULL AS is_stood, sum(t.deals)::bigint AS deals,
        sum(t.open_deals)::bigint AS open_deals, sum(t.won_deals)::bigint AS won_deals,
        sum(t.lost_deals)::bigint AS lost_deals, sum(t.to_won)::bigint AS to_won,
        count(DISTINCT coalesce(@query@.in_currency, t.currency)) FILTER (WHERE t.currency IS NOT NULL) AS currencies,
        min(coalesce(@query@.in_currency, t.currency)) FILTER (WHERE t.currency IS NOT NULL) AS currency,
        @extension@.crm_converted_sum(t.value, e.multiply_by, e.divide_by) AS value,
        @extension@.crm_converted_sum(t.won_value, e.multiply_by, e.divide_by) AS won_value,
        @extension@.crm_converted_sum(t.lost_value, e.multiply_by, e.divide_by) AS lost_value,
        @extension@.crm_converted_sum(t.to_won_value, e.multiply_by, e.divide_by) AS to_won_value,
        CASE WHEN @query@.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(e.rates)) END AS rates
    FROM counted AS t
        LEFT JOIN conversions AS e ON e.tenant_id = t.tenant_id AND e.currency = t.currency AND e.day = t.rate_day
        @part groups of t.keys@
    GROUP BY g.group_key, g.is_total, t.from_stage_id, t.to_stage_id
), stood AS MATERIALIZED (
    SELECT t.group_key, t.is_total, coalesce(t.group_key, '') AS match_key, t.group_key IS NULL AS no_key, t.from_stage_id AS stage_id,
        t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won, t.currencies, t.currency,
        t.value, t.won_value, t.lost_value, t.to_won_value, t.rates
    FROM steps AS t
    WHERE t.is_stood
), came AS MATERIALIZED (
    SELECT t.is_total, coalesce(t.group_key, '') AS match_key, t.group_key IS NULL AS no_key, t.from_stage_id, t.to_stage_id, t.deals, t.value
    FROM steps AS t
    WHERE NOT t.is_stood
), groups AS (
    -- there is always a total, even of no deals
    SELECT true AS is_total, NULL AS group_key, '' AS match_key, true AS no_key
    UNION
    SELECT t.is_total, t.group_key, t.match_key, t.no_key FROM stood AS t
)
