INSERT INTO @crm@.deals (id, tenant_id, pipeline_id, stage_id, status, stage_entered_at, move_no, version, title, description, amount,
    currency, probability, value_period, owner_id, organization_id, expected_close_date, won_at, lost_at, lost_reason, archived_at,
    external_id, metadata, created_at, updated_at)
SELECT t.deal_id, r.tenant_id, t.pipeline_id, t.stage_id, t.status, t.stage_entered_at, t.move_no, t.version, t.title, t.description, t.amount,
    t.currency, t.probability, t.value_period, t.owner_id, t.organization_id, t.expected_close_date, t.won_at, t.lost_at, t.lost_reason,
    t.archived_at, t.external_id, t.metadata, t.created_at, r.started_at
FROM @import@.work_target AS t CROSS JOIN @import@.run AS r
WHERE t.action = 'new' AND t.no >= $1 AND t.no < $2
