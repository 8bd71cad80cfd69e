-- Why deals were lost.

WITH lives AS MATERIALIZED (
    SELECT l.deal_id, l.tenant_id, max(l.move_no) AS past_no
    FROM @crm@.deal_changes AS l
    WHERE l.change = 'recreated'
        AND lost_reasons.by_stage
    GROUP BY l.deal_id, l.tenant_id
), dated AS MATERIALIZED (
    SELECT lost_reasons.group_of.d AS keys, d.lost_reason, s.stage_id, coalesce(d.currency, p.currency) AS currency,
        @part conversion_day of coalesce(d.currency, p.currency)@,
        count(*) AS deals, count(d.amount) AS amounts, coalesce(sum(d.amount), 0) AS value
    FROM @crm@.deals AS d
        LEFT JOIN @crm@.pipelines AS p ON p.id = d.pipeline_id
        -- the last stage before the deal was lost; it may have moved to other lost stages since
        LEFT JOIN lives AS l ON l.deal_id = d.id AND l.tenant_id = d.tenant_id
        LEFT JOIN LATERAL (SELECT c.from_stage_id AS stage_id
            FROM @crm@.stage_changes AS c
            WHERE c.deal_id = d.id AND c.tenant_id = d.tenant_id AND c.from_status <> 'lost'
                AND (l.past_no IS NULL OR c.move_no > l.past_no)
                AND c.reverts_no IS NULL
                AND NOT EXISTS (SELECT FROM @crm@.stage_changes AS r
                    WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)
            ORDER BY c.move_no DESC
            LIMIT 1) AS s ON lost_reasons.by_stage
    WHERE d.status = 'lost'
        AND d.archived_at IS NULL
        AND (lost_reasons.pipeline_id IS NULL OR d.pipeline_id = lost_reasons.pipeline_id)
        AND (lost_reasons.lost_from IS NULL OR d.lost_at >= lost_reasons.lost_from)
        AND (lost_reasons.lost_before IS NULL OR d.lost_at < lost_reasons.lost_before)
        AND (lost_reasons.owner_id IS NULL OR d.owner_id = lost_reasons.owner_id)
        AND (lost_reasons.currency IS NULL OR coalesce(d.currency, p.currency) = lost_reasons.currency)
        AND (lost_reasons.value_period IS NULL OR d.value_period = lost_reasons.value_period)
    GROUP BY 1, 2, 3, 4, 5, 6
), conversions AS MATERIALIZED (
    @part conversions of dated AS s WHERE s.rate_day IS NOT NULL AND s.amounts > 0@
), sums AS (
    SELECT g.group_key, g.is_total, d.lost_reason, d.stage_id, coalesce(lost_reasons.in_currency, d.currency) AS currency,
        sum(d.deals)::bigint AS deals, sum(d.amounts)::bigint AS amounts,
        @extension@.crm_converted_sum(d.value, c.multiply_by, c.divide_by) AS value,
        CASE WHEN lost_reasons.in_currency IS NOT NULL THEN @extension@.crm_rates_used(array_agg(c.rates)) END AS rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day AND d.amounts > 0
        @part groups of d.keys@
    GROUP BY 1, 2, 3, 4, 5
), shares AS (
    SELECT s.group_key, s.is_total, s.lost_reason, s.stage_id, s.currency, s.deals, s.amounts, s.value, s.rates,
        sum(s.deals) OVER (PARTITION BY s.is_total, s.group_key) AS all_deals,
        sum(s.value) OVER (PARTITION BY s.is_total, s.group_key, s.currency) AS all_value
    FROM sums AS s
)
SELECT s.group_key,
    @part group_name of s@,
    s.is_total, s.lost_reason, s.stage_id, g.name, s.currency, s.deals, round(s.deals / s.all_deals, 6),
    trim_scale(s.value), round(s.value / nullif(s.all_value, 0), 6), round(s.value / nullif(s.amounts, 0), 4),
    s.deals - s.amounts, s.rates, @extension@.crm_oldest_rate(s.rates)
FROM shares AS s
    LEFT JOIN @crm@.stages AS g ON g.id = s.stage_id
ORDER BY s.is_total DESC, s.group_key, s.deals DESC, s.value DESC, s.lost_reason, s.currency, g.position, s.stage_id;
