-- How often and how far the expected close of deals was put off.

WITH pushed AS MATERIALIZED (
    SELECT u.tenant_id, u.deal_id, count(*) AS pushes, sum(u.months) AS months, sum(u.days) AS days
    -- with the deals asked about, as those of a small pipeline have few of all pushes
    FROM @crm@.deals AS d
        JOIN @crm@.deal_pushes AS u ON u.deal_id = d.id AND u.tenant_id = d.tenant_id
    WHERE d.archived_at IS NULL
        AND (slippage.pipeline_id IS NULL OR d.pipeline_id = slippage.pipeline_id)
        AND (slippage.owner_id IS NULL OR d.owner_id = slippage.owner_id)
        AND (slippage.pushed_from IS NULL OR u.pushed_at >= slippage.pushed_from)
        AND (slippage.pushed_before IS NULL OR u.pushed_at < slippage.pushed_before)
    GROUP BY u.tenant_id, u.deal_id
), deals_asked AS (
    SELECT slippage.group_of.d AS keys, u.pushes, u.months, u.days
    FROM @crm@.deals AS d
        LEFT JOIN pushed AS u ON u.deal_id = d.id AND u.tenant_id = d.tenant_id
    WHERE d.archived_at IS NULL
        -- a deal without a date cannot be pushed, but may have been when it had one
        AND (u.deal_id IS NOT NULL OR d.expected_close_date IS NOT NULL)
        AND (slippage.pipeline_id IS NULL OR d.pipeline_id = slippage.pipeline_id)
        AND (slippage.owner_id IS NULL OR d.owner_id = slippage.owner_id)
        AND (slippage.currency IS NULL OR slippage.currency =
            coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))
), grouped AS (
    SELECT g.group_key, g.is_total, 1 AS deals, a.pushes, a.months, a.days
    FROM deals_asked AS a
        @part groups of a.keys@
    UNION ALL
    -- there is always a total, even of no deals
    SELECT NULL, true, 0, NULL, NULL, NULL
), sums AS (
    SELECT p.group_key, p.is_total, sum(p.deals)::bigint AS deals, count(p.pushes) AS pushed_deals,
        coalesce(sum(p.pushes), 0)::bigint AS pushes,
        coalesce(sum(p.months), 0)::bigint AS months, coalesce(sum(p.days), 0)::bigint AS days
    FROM grouped AS p
    GROUP BY p.group_key, p.is_total
)
SELECT s.group_key,
    @part group_name of s@,
    s.is_total, s.deals, s.pushed_deals, round(s.pushed_deals::numeric / nullif(s.deals, 0), 6),
    s.pushes, round(s.pushes::numeric / nullif(s.deals, 0), 6),
    s.months, round(s.months::numeric / nullif(s.pushes, 0), 6),
    s.days, round(s.days::numeric / nullif(s.pushes, 0), 6)
FROM sums AS s
-- a deal that was never pushed would be a row of zeros
WHERE slippage.group_by IS NULL OR slippage.group_by <> 'id' OR s.is_total OR s.pushes > 0
ORDER BY s.is_total DESC, s.days DESC, s.pushes DESC, s.group_key;
