-- The sums of the deals of a CRM, by pipeline and name of the stage.
--
-- For each pipeline the totals are read, or else its deals, as in pipeline_summary.
-- Grouped by name, as an archived stage may have the name of another one.

SELECT p.id, p.name, s.name, s.deal_status, r.currency, r.value_period,
    sum(r.deals)::bigint, sum(r.deals_without_amount)::bigint, sum(r.deals_without_probability)::bigint,
    sum(r.value), sum(r.weighted_value)
FROM @crm@.pipelines AS p
    CROSS JOIN LATERAL @extension@.crm_summary_rows(coalesce(
        @extension@.crm_pipeline_totals(deals_by_stage.crm, p.id),
        (SELECT @extension@.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
            FROM @crm@.deals AS d
            WHERE d.pipeline_id = p.id AND d.archived_at IS NULL))) AS r
    JOIN @crm@.stages AS s ON s.id = r.stage_id
GROUP BY p.id, p.name, s.name, s.deal_status, r.currency, r.value_period
ORDER BY p.name, p.id, min(s.position), s.name, s.deal_status, r.currency, r.value_period;
