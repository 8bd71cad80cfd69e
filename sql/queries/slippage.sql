-- How often and how far the expected close of deals was put off.

SELECT CASE
        WHEN slippage.each NOT IN ('pipeline', 'owner', 'deal')
        THEN @extension@.crm_raise('22023', 'each must be pipeline, owner or deal')
    END;

WITH pushed AS MATERIALIZED (
    SELECT u.tenant_id, u.deal_id, count(*) AS pushes, sum(u.months) AS months, sum(u.days) AS days
    FROM @crm@.deal_pushes AS u
    WHERE (slippage.pushed_from IS NULL OR u.pushed_at >= slippage.pushed_from)
        AND (slippage.pushed_before IS NULL OR u.pushed_at < slippage.pushed_before)
    GROUP BY u.tenant_id, u.deal_id
), deals_asked AS (
    SELECT CASE slippage.each WHEN 'pipeline' THEN d.pipeline_id WHEN 'owner' THEN d.owner_id ELSE d.id END AS id,
        CASE slippage.each WHEN 'deal' THEN d.title END AS name,
        u.pushes, u.months, u.days
    FROM @crm@.deals AS d
        LEFT JOIN pushed AS u ON u.deal_id = d.id AND u.tenant_id = d.tenant_id
    WHERE d.archived_at IS NULL
        -- without a date there is none to push, but one that had one was perhaps pushed
        AND (u.deal_id IS NOT NULL
            OR slippage.each <> 'deal' AND d.expected_close_date IS NOT NULL)
        AND (slippage.pipeline_id IS NULL OR d.pipeline_id = slippage.pipeline_id)
        AND (slippage.owner_id IS NULL OR d.owner_id = slippage.owner_id)
        AND (slippage.currency IS NULL OR slippage.currency =
            coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))
), sums AS (
    SELECT a.id, a.name, count(*) AS deals, count(a.pushes) AS pushed_deals,
        coalesce(sum(a.pushes), 0)::bigint AS pushes,
        coalesce(sum(a.months), 0)::bigint AS months, coalesce(sum(a.days), 0)::bigint AS days
    FROM deals_asked AS a
    GROUP BY a.id, a.name
)
SELECT s.id, coalesce(s.name, p.name,
        CASE slippage.each WHEN 'owner' THEN @extension@.crm_linked_name(slippage.crm, 'owners', s.id) END),
    s.deals, s.pushed_deals, round(s.pushed_deals::numeric / s.deals, 6),
    s.pushes, round(s.pushes::numeric / s.deals, 6),
    s.months, round(s.months::numeric / nullif(s.pushes, 0), 6),
    s.days, round(s.days::numeric / nullif(s.pushes, 0), 6)
FROM sums AS s
    LEFT JOIN @crm@.pipelines AS p ON slippage.each = 'pipeline' AND p.id = s.id
ORDER BY s.days DESC, s.pushes DESC, s.id;
