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
            AND isfinite(c.old_expected_close_date)) AS x
    WHERE x.months > 0;

COMMENT ON VIEW deal_pushes IS 'Every time that the expected close of a deal was pushed to a later month, as Salesforce''s push count counts them. A date that was put off within its month, or to an earlier one, is no push';
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

CREATE FUNCTION slippage(pipeline_id uuid DEFAULT NULL, each text DEFAULT 'pipeline',
        pushed_from timestamptz DEFAULT NULL, pushed_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
    RETURNS TABLE (id uuid, name text, deals bigint, pushed_deals bigint, pushed_share numeric, pushes bigint,
        pushes_per_deal numeric, months_pushed bigint, average_months numeric, days_pushed bigint, average_days numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN slippage.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = slippage.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', slippage.pipeline_id))
            WHEN coalesce(slippage.each, '') NOT IN ('pipeline', 'owner', 'deal')
            THEN crm_raise('22023', 'each must be pipeline, owner or deal')
            WHEN slippage.pushed_from > slippage.pushed_before
            THEN crm_raise('22023', 'pushed_from is after pushed_before')
        END;

    WITH pushed AS MATERIALIZED (
        SELECT u.tenant_id, u.deal_id, count(*) AS pushes, sum(u.months) AS months, sum(u.days) AS days
        FROM deal_pushes AS u
        WHERE (slippage.pushed_from IS NULL OR u.pushed_at >= slippage.pushed_from)
            AND (slippage.pushed_before IS NULL OR u.pushed_at < slippage.pushed_before)
        GROUP BY u.tenant_id, u.deal_id
    ), deals_asked AS (
        SELECT CASE slippage.each WHEN 'pipeline' THEN d.pipeline_id WHEN 'owner' THEN d.owner_id ELSE d.id END AS id,
            CASE slippage.each WHEN 'deal' THEN d.title END AS name,
            u.pushes, u.months, u.days
        FROM deals AS d
            LEFT JOIN pushed AS u ON u.deal_id = d.id AND u.tenant_id = d.tenant_id
        WHERE d.archived_at IS NULL
            -- without a date there is none to push, but one that had one was perhaps pushed
            AND (u.deal_id IS NOT NULL
                OR slippage.each <> 'deal' AND d.expected_close_date IS NOT NULL)
            AND (slippage.pipeline_id IS NULL OR d.pipeline_id = slippage.pipeline_id)
            AND (slippage.owner_id IS NULL OR d.owner_id = slippage.owner_id)
            AND (slippage.currency IS NULL OR slippage.currency =
                coalesce(d.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = d.pipeline_id)))
    ), sums AS (
        SELECT a.id, a.name, count(*) AS deals, count(a.pushes) AS pushed_deals,
            coalesce(sum(a.pushes), 0)::bigint AS pushes,
            coalesce(sum(a.months), 0)::bigint AS months, coalesce(sum(a.days), 0)::bigint AS days
        FROM deals_asked AS a
        GROUP BY a.id, a.name
    )
    SELECT s.id, coalesce(s.name, p.name), s.deals, s.pushed_deals, round(s.pushed_deals::numeric / s.deals, 6),
        s.pushes, round(s.pushes::numeric / s.deals, 6),
        s.months, round(s.months::numeric / nullif(s.pushes, 0), 6),
        s.days, round(s.days::numeric / nullif(s.pushes, 0), 6)
    FROM sums AS s
        LEFT JOIN pipelines AS p ON slippage.each = 'pipeline' AND p.id = s.id
    ORDER BY s.days DESC, s.pushes DESC, s.id;
END;
REVOKE EXECUTE ON FUNCTION slippage(uuid, text, timestamptz, timestamptz, uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION slippage(uuid, text, timestamptz, timestamptz, uuid, text) IS
'How often and how far the expected close of deals was pushed to a later month, worst first

A row each pipeline, owner or deal (each): id is the pipeline''s, owner''s (null: none) or deal''s; name the pipeline''s or the title of the deal. A push is a change of expected_close_date to a day in a later calendar month, as in Salesforce''s push count; a date put off within its month or moved to an earlier one is none, and takes none back. deals = those that have an expected_close_date, or were pushed; pushed_deals = those that were pushed; pushed_share = pushed_deals / deals; pushes_per_deal = pushes / deals; months_pushed and days_pushed = how much later the new dates were than the old ones, in calendar months and in days; average_months and average_days = the same / pushes, null if there are none. For each deal there are only those that were pushed.

pushed_from (included) and pushed_before (not included) choose pushes, pipeline_id (null: all), owner_id and currency choose deals, which count for the pipeline and owner that they have now. Leaves out archived and deleted deals. Moves that were taken back make no difference.

Errors: PT404 for an unknown pipeline, 22023 for another each.';
