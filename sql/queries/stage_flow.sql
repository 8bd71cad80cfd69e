-- The pace of a pipeline: how many deals enter and leave its stages.
--
-- Moves out of the pipeline's stages and into them are enough to know this.  Unless a
-- deal first came from another pipeline, it was created in the stage that it left
-- first or, if it never moved, in its present stage.

SELECT CASE
        -- an unknown period is an error even if nothing happened
        WHEN @extension@.crm_period_start(stage_flow.period, '2000-01-01') IS NULL
        THEN NULL
    END;

WITH deals_asked AS MATERIALIZED (
    SELECT d.keys, d.id, d.tenant_id, d.stage_id, d.stage_entered_at, d.pipeline_id, d.amount, d.currency
    @part cohort@
), taken_back AS MATERIALIZED (
    -- goes the other way, so it touches the pipeline, too
    SELECT r.deal_id, r.tenant_id, r.reverts_no
    FROM @crm@.stage_changes AS r
    WHERE (r.from_pipeline_id = stage_flow.pipeline_id OR r.to_pipeline_id = stage_flow.pipeline_id)
        AND r.reverts_no IS NOT NULL
), moves AS MATERIALIZED (
    SELECT d.keys, c.deal_id, c.tenant_id, c.move_no, c.from_pipeline_id, c.from_stage_id, c.from_status,
        c.to_pipeline_id, c.to_stage_id, c.to_status, c.entered_at, c.changed_at, c.amount, c.currency
    FROM @crm@.stage_changes AS c
        JOIN deals_asked AS d ON d.id = c.deal_id AND d.tenant_id = c.tenant_id
    WHERE (c.from_pipeline_id = stage_flow.pipeline_id OR c.to_pipeline_id = stage_flow.pipeline_id)
        AND c.reverts_no IS NULL
        AND NOT EXISTS (SELECT FROM taken_back AS r
            WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)
), created AS (
    SELECT d.keys, d.id AS deal_id, d.tenant_id, coalesce(m.from_stage_id, d.stage_id) AS stage_id,
        coalesce(m.entered_at, d.stage_entered_at) AS at,
        CASE WHEN k.deal_id IS NOT NULL THEN k.new_amount ELSE d.amount END AS amount,
        CASE WHEN k.deal_id IS NOT NULL THEN k.new_currency ELSE d.currency END AS currency
    FROM deals_asked AS d
        LEFT JOIN (SELECT m.deal_id, min(m.move_no) AS move_no FROM moves AS m GROUP BY m.deal_id) AS f ON f.deal_id = d.id
        LEFT JOIN moves AS m ON m.deal_id = f.deal_id AND m.move_no = f.move_no
        LEFT JOIN @crm@.deal_changes AS k ON k.deal_id = d.id AND k.tenant_id = d.tenant_id AND k.change = 'created'
    WHERE coalesce(m.from_pipeline_id, d.pipeline_id) = stage_flow.pipeline_id
), events AS (
    SELECT c.keys, c.deal_id, c.tenant_id, 0 AS move_no, c.stage_id, 'entered' AS flow, c.at, c.amount, c.currency
    FROM created AS c
    UNION ALL
    SELECT m.keys, m.deal_id, m.tenant_id, m.move_no, m.to_stage_id, 'entered', m.changed_at, m.amount, m.currency
    FROM moves AS m
    WHERE m.to_pipeline_id = stage_flow.pipeline_id
    UNION ALL
    SELECT m.keys, m.deal_id, m.tenant_id, m.move_no, m.from_stage_id,
        CASE
            WHEN m.to_pipeline_id <> stage_flow.pipeline_id THEN 'moved_out'
            WHEN m.to_status = 'lost' THEN 'lost'
            WHEN m.to_status = 'won' THEN 'forward'
            WHEN m.from_status <> 'open' OR t.position < f.position THEN 'backward'
            ELSE 'forward'
        END, m.changed_at, m.amount, m.currency
    FROM moves AS m
        LEFT JOIN @crm@.stages AS f ON f.id = m.from_stage_id
        LEFT JOIN @crm@.stages AS t ON t.id = m.to_stage_id
    WHERE m.from_pipeline_id = stage_flow.pipeline_id
), placed AS (
    SELECT e.keys, e.deal_id, e.tenant_id, e.move_no, e.stage_id, e.flow, e.amount,
        coalesce(e.currency, p.currency) AS currency,
        @extension@.crm_period_start(stage_flow.period, e.at::date) AS start,
        CASE WHEN stage_flow.in_currency <> coalesce(e.currency, p.currency) THEN (e.at AT TIME ZONE 'UTC')::date END AS rate_day
    FROM events AS e
        JOIN @crm@.pipelines AS p ON p.id = stage_flow.pipeline_id
    WHERE (stage_flow.period_from IS NULL OR e.at::date >= stage_flow.period_from)
        AND (stage_flow.period_before IS NULL OR e.at::date < stage_flow.period_before)
), once AS (
    -- a deal counts once, at the last time
    SELECT DISTINCT ON (s.deal_id, s.tenant_id, s.stage_id, s.flow, s.start)
        s.keys, s.tenant_id, s.stage_id, s.flow, s.start, s.amount, s.currency, s.rate_day
    FROM placed AS s
    ORDER BY s.deal_id, s.tenant_id, s.stage_id, s.flow, s.start, s.move_no DESC
), dated AS MATERIALIZED (
    SELECT o.keys, o.stage_id, o.flow, o.start, o.currency, o.tenant_id, o.rate_day,
        count(*) AS deals, count(o.amount) AS amounts, coalesce(sum(o.amount), 0) AS value
    FROM once AS o
    GROUP BY o.keys, o.stage_id, o.flow, o.start, o.currency, o.tenant_id, o.rate_day
), conversions AS MATERIALIZED (
    @part conversions of dated AS s WHERE s.rate_day IS NOT NULL AND s.amounts > 0@
), converted AS (
    SELECT d.keys, d.stage_id, d.flow, d.start, coalesce(stage_flow.in_currency, d.currency) AS currency, d.deals,
        coalesce(@extension@.crm_convert(d.value, c.multiply_by, c.divide_by), d.value) AS value, c.rates
    FROM dated AS d
        LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day AND d.amounts > 0
), sums AS (
    SELECT g.group_key, g.is_total, c.start, c.stage_id, c.currency,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'entered'), 0)::bigint AS entered,
        coalesce(sum(c.value) FILTER (WHERE c.flow = 'entered'), 0) AS entered_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'forward'), 0)::bigint AS forward,
        coalesce(sum(c.value) FILTER (WHERE c.flow = 'forward'), 0) AS forward_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'backward'), 0)::bigint AS backward,
        coalesce(sum(c.value) FILTER (WHERE c.flow = 'backward'), 0) AS backward_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'lost'), 0)::bigint AS lost,
        coalesce(sum(c.value) FILTER (WHERE c.flow = 'lost'), 0) AS lost_value,
        coalesce(sum(c.deals) FILTER (WHERE c.flow = 'moved_out'), 0)::bigint AS moved_out,
        coalesce(sum(c.value) FILTER (WHERE c.flow = 'moved_out'), 0) AS moved_out_value,
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
