-- How often and how far the expected close of deals was put off.

CREATE VIEW deal_pushes WITH (security_invoker = true) AS
    SELECT x.tenant_id, x.deal_id, x.version, x.old_expected_close_date, x.new_expected_close_date,
        x.months, x.new_expected_close_date - x.old_expected_close_date AS days,
        x.pushed_at, x.pushed_by, x.owner_id
    FROM (SELECT c.tenant_id, c.deal_id, c.version, c.old_expected_close_date, c.new_expected_close_date,
            c.changed_at AS pushed_at, c.changed_by AS pushed_by, c.old_owner_id AS owner_id,
            (12 * (extract(year FROM c.new_expected_close_date) - extract(year FROM c.old_expected_close_date))
                + extract(month FROM c.new_expected_close_date) - extract(month FROM c.old_expected_close_date))::integer AS months
        FROM deal_changes AS c
        WHERE c.new_expected_close_date > c.old_expected_close_date
            AND isfinite(c.new_expected_close_date)
            AND isfinite(c.old_expected_close_date)
            -- a deal that was deleted and inserted again is a new one: see stage_visits
            AND NOT EXISTS (SELECT FROM deal_changes AS l
                WHERE l.deal_id = c.deal_id AND l.tenant_id = c.tenant_id AND l.change = 'recreated' AND l.version > c.version)) AS x
    WHERE x.months > 0;

COMMENT ON VIEW deal_pushes IS 'Every time that the expected close of a deal was pushed to a later month, as Salesforce''s push count counts them. A date that was put off within its month, or to an earlier one, is no push. Of a deal that was deleted and inserted again under its old id the pushes since then, as with stage_visits';
COMMENT ON COLUMN deal_pushes.tenant_id IS 'The tenant of the deal';
COMMENT ON COLUMN deal_pushes.deal_id IS 'The deal; it may have been archived or deleted since';
COMMENT ON COLUMN deal_pushes.version IS 'The version of the deal after the push';
COMMENT ON COLUMN deal_pushes.old_expected_close_date IS 'The expected_close_date before';
COMMENT ON COLUMN deal_pushes.new_expected_close_date IS 'The expected_close_date after';
COMMENT ON COLUMN deal_pushes.months IS 'Calendar months from the one to the other: 1 from 31 January to 1 February';
COMMENT ON COLUMN deal_pushes.days IS 'Days from the one to the other';
COMMENT ON COLUMN deal_pushes.pushed_at IS 'When it took effect';
COMMENT ON COLUMN deal_pushes.pushed_by IS 'Who pushed it, as the writer declared';
COMMENT ON COLUMN deal_pushes.owner_id IS 'Whose the deal was before';

