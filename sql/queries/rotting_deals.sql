-- Deals that stand still.

SELECT r.deal_id, r.title, r.pipeline_id, r.stage_id, r.stage_name, r.owner_id, r.owner_name,
    r.amount, r.currency, r.expected_close_date, r.stage_entered_at, r.rotting_days, r.days_in_stage, r.days_over
FROM @crm@.rotting_deals AS r
WHERE (rotting_deals.pipeline_id IS NULL OR r.pipeline_id = rotting_deals.pipeline_id)
    AND (rotting_deals.owner_id IS NULL OR r.owner_id = rotting_deals.owner_id)
    AND (rotting_deals.currency IS NULL OR rotting_deals.currency =
        coalesce(r.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = r.pipeline_id)))
ORDER BY r.days_over DESC, r.deal_id;
