SELECT CASE
        WHEN @query@.rule NOT IN ('direct', 'reached')
        THEN @extension@.crm_raise('22023', 'rule must be direct or reached')
        WHEN @query@.cohort NOT IN ('created', 'entered')
        THEN @extension@.crm_raise('22023', 'cohort must be created or entered')
    END;

WITH steps AS MATERIALIZED (
    SELECT t.from_stage_id, t.to_stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won
    FROM (SELECT @extension@.crm_deal_cohort(d.id, d.status, d.stage_id, d.stage_entered_at) AS deals
            @part cohort@
                AND (@query@.cohort <> 'created'
                    OR (@query@.period_from IS NULL OR d.created_at >= @query@.period_from)
                    AND (@query@.period_before IS NULL OR d.created_at < @query@.period_before))) AS k,
        @part pipeline_stages@,
        @extension@.crm_pipeline_stage_steps(@query@.crm, @query@.pipeline_id, k.deals, p.ids, p.statuses, @query@.rule,
            CASE @query@.cohort WHEN 'entered' THEN @query@.period_from END,
            CASE @query@.cohort WHEN 'entered' THEN @query@.period_before END) AS t
), stood AS (
    SELECT t.from_stage_id AS stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won
    FROM steps AS t
    WHERE t.to_stage_id IS NULL
)
