-- The pace of a pipeline: how many deals enter and leave its stages.
--
-- crm_pipeline_stage_flow() reads the history once.

SELECT CASE
        -- an unknown period is an error even if nothing happened
        WHEN @extension@.crm_period_start(stage_flow.period, '2000-01-01') IS NULL
        THEN NULL
    END;

WITH dated AS MATERIALIZED (
    -- Cohorts are large, so no other part of the query reads them: they would be copied.
    SELECT k.keys -> (f.cohort_no - 1) AS keys, f.stage_id, f.flow, f.period_start AS start, f.currency_code AS currency,
        k.tenant_ids[f.cohort_no] AS tenant_id, f.rate_day, f.deals, f.amounts, f.value
    FROM @crm@.pipelines AS p
        CROSS JOIN (SELECT array_agg(k.deals) AS deals, jsonb_agg(k.keys) AS keys, array_agg(k.currency) AS currencies, array_agg(k.tenant_id) AS tenant_ids
            -- the deals with the same value of the dimension group_by, and the same currency
            FROM (SELECT d.keys, d.currency, d.tenant_id,
                        @extension@.crm_deal_cohort(d.id, d.status, CASE WHEN d.pipeline_id = stage_flow.pipeline_id THEN d.stage_id END,
                            d.stage_entered_at, d.amount) AS deals
                    @part cohort@
                    GROUP BY 1, 2, 3) AS k) AS k
        CROSS JOIN (SELECT array_agg(g.id ORDER BY g.position, g.id) AS ids, array_agg(g.position ORDER BY g.position, g.id) AS positions
            FROM @crm@.stages AS g
            WHERE g.pipeline_id = stage_flow.pipeline_id) AS s
        CROSS JOIN LATERAL @extension@.crm_pipeline_stage_flow(stage_flow.crm, p.id, k.deals, k.currencies, s.ids, s.positions,
            stage_flow.period, stage_flow.period_from, stage_flow.period_before, p.currency, stage_flow.in_currency) AS f
    WHERE p.id = stage_flow.pipeline_id
), conversions AS MATERIALIZED (
    @part conversions of dated AS s WHERE s.rate_day IS NOT NULL AND s.amounts > 0@
), converted AS (
    SELECT d.keys, d.stage_id, d.flow, d.start, coalesce(stage_flow.in_currency, d.currency) AS currency, d.deals,
        d.value, c.multiply_by, c.divide_by, c.rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day AND d.amounts > 0
), sums AS (
    SELECT g.group_key, g.is_total, c.start, c.stage_id, c.currency,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'entered'), 0)::bigint AS entered,
        coalesce(@extension@.crm_converted_sum(c.value, c.multiply_by, c.divide_by) FILTER (WHERE c.flow = 'entered'), 0) AS entered_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'forward'), 0)::bigint AS forward,
        coalesce(@extension@.crm_converted_sum(c.value, c.multiply_by, c.divide_by) FILTER (WHERE c.flow = 'forward'), 0) AS forward_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'backward'), 0)::bigint AS backward,
        coalesce(@extension@.crm_converted_sum(c.value, c.multiply_by, c.divide_by) FILTER (WHERE c.flow = 'backward'), 0) AS backward_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'lost'), 0)::bigint AS lost,
        coalesce(@extension@.crm_converted_sum(c.value, c.multiply_by, c.divide_by) FILTER (WHERE c.flow = 'lost'), 0) AS lost_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'moved_out'), 0)::bigint AS moved_out,
        coalesce(@extension@.crm_converted_sum(c.value, c.multiply_by, c.divide_by) FILTER (WHERE c.flow = 'moved_out'), 0) AS moved_out_value,
        CASE WHEN stage_flow.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(c.rates)) END AS rates
    FROM converted AS c
        @part groups of c.keys@
    GROUP BY g.group_key, g.is_total, c.start, c.stage_id, c.currency
)
SELECT s.group_key,
    @part group_name of s@,
    s.is_total, s.start, @extension@.crm_period_end(stage_flow.period, s.start), s.stage_id, g.name, g.position, g.deal_status,
    s.currency, s.entered, trim_scale(s.entered_value), s.forward, trim_scale(s.forward_value),
    s.backward, trim_scale(s.backward_value), s.lost, trim_scale(s.lost_value), s.moved_out, trim_scale(s.moved_out_value),
    s.rates, @extension@.crm_oldest_rate(s.rates)
FROM sums AS s
    LEFT JOIN @crm@.stages AS g ON g.id = s.stage_id
ORDER BY s.is_total DESC, s.group_key, s.start, g.position, s.stage_id, s.currency;
