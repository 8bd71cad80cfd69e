-- Existing deals whose history is replaced: before anything changes, their old rows are
-- kept in a correction, as superseded.

CREATE UNLOGGED TABLE @import@.work_superseded AS
SELECT t.deal_no, t.no, d.id AS deal_id, @extension@.crm_uuid_v7() AS id, d.version,
    jsonb_build_object(
        'deals', jsonb_build_object('created_at', d.created_at, 'stage_entered_at', d.stage_entered_at, 'won_at', d.won_at, 'lost_at', d.lost_at),
        'stage_changes', coalesce((SELECT jsonb_agg(to_jsonb(c) ORDER BY c.move_no) FROM @crm@.stage_changes AS c
            WHERE c.deal_id = d.id AND c.tenant_id = d.tenant_id), '[]'),
        'deal_changes', coalesce((SELECT jsonb_agg(to_jsonb(c) ORDER BY c.changed_at, c.version) FROM @crm@.deal_changes AS c
            WHERE c.deal_id = d.id AND c.tenant_id = d.tenant_id AND c.change <> ALL (ARRAY['corrected', 'erased'])), '[]')) AS superseded
FROM @import@.work_target AS t JOIN @crm@.deals AS d ON d.id = t.deal_id
WHERE t.action = 'replace';

CREATE INDEX ON @import@.work_superseded (deal_no);
ANALYZE @import@.work_superseded;

UPDATE @crm@.deals AS d SET stage_id = t.stage_id
FROM @import@.work_target AS t
WHERE t.action = 'replace' AND d.id = t.deal_id AND d.stage_id <> t.stage_id;

DELETE FROM @crm@.stage_changes AS c
USING @import@.work_superseded AS s
WHERE c.deal_id = s.deal_id;

DELETE FROM @crm@.deal_changes AS c
USING @import@.work_superseded AS s
WHERE c.deal_id = s.deal_id AND c.change <> ALL (ARRAY['corrected', 'erased']);

INSERT INTO @crm@.deal_changes (id, tenant_id, deal_id, pipeline_id, stage_id, status, move_no, stage_entered_at, changed_at, version, change,
    old_amount, new_amount, old_currency, new_currency, old_probability, new_probability, old_value_period, new_value_period,
    old_expected_close_date, new_expected_close_date, old_owner_id, new_owner_id, old_archived_at, new_archived_at,
    changed_by, recorded_by, reason, superseded)
SELECT s.id, r.tenant_id, t.deal_id, t.pipeline_id, t.stage_id, t.status, t.move_no, t.stage_entered_at, r.started_at,
    greatest(s.version, t.version) + 1, 'corrected',
    t.amount, t.amount, t.currency, t.currency, t.probability, t.probability, t.value_period, t.value_period,
    t.expected_close_date, t.expected_close_date, t.owner_id, t.owner_id, t.archived_at, t.archived_at,
    r.actor, session_user, format('imported from %s', r.source), s.superseded
FROM @import@.work_superseded AS s
    JOIN @import@.work_target AS t ON t.deal_no = s.deal_no
    CROSS JOIN @import@.run AS r;
