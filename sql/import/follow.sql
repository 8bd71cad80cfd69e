-- Sets the times of existing deals to those of their new history: move_no -1 asks the
-- rules for that.  The rows recorded by this UPDATE, and the gaps recorded when the old
-- rows were deleted, are removed: the correction tells all of it.

CREATE UNLOGGED TABLE @import@.work_since AS SELECT @extension@.crm_uuid_v7() AS id;

UPDATE @crm@.deals AS d SET move_no = -1, title = t.title, description = t.description, amount = t.amount, currency = t.currency,
    probability = t.probability, value_period = t.value_period, owner_id = t.owner_id, organization_id = t.organization_id,
    expected_close_date = t.expected_close_date, lost_reason = t.lost_reason, archived_at = t.archived_at,
    metadata = d.metadata || t.metadata, created_at = t.created_at
FROM @import@.work_target AS t
WHERE t.action = 'replace' AND d.id = t.deal_id;

DELETE FROM @crm@.deal_changes AS c
USING @import@.work_superseded AS s, @import@.work_since AS m
WHERE c.deal_id = s.deal_id AND c.id > m.id AND c.change <> 'erased';

-- Nothing is missing now.
SELECT set_config('crm.restoring', 'on', true);

DELETE FROM @crm@.deal_changes AS c
USING @import@.run AS r
WHERE c.change = 'erased' AND c.tenant_id = r.tenant_id
    AND c.id > (SELECT s.id FROM @import@.work_superseded AS s ORDER BY s.id LIMIT 1);

SELECT set_config('crm.restoring', 'off', true);

SELECT @extension@.crm_raise('23514', format('deal %s did not become what the file says', d.id), NULL,
    'A trigger of your own may have changed it.')
FROM @import@.work_target AS t JOIN @crm@.deals AS d ON d.id = t.deal_id
WHERE t.action = 'replace' AND (d.stage_id <> t.stage_id OR d.move_no <> t.move_no OR d.stage_entered_at <> t.stage_entered_at
    OR d.won_at IS DISTINCT FROM t.won_at OR d.lost_at IS DISTINCT FROM t.lost_at OR d.amount IS DISTINCT FROM t.amount
    OR d.created_at <> t.created_at);
