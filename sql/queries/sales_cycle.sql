-- How long it takes to win a deal.

WITH cycles AS (
    -- An infinite time counts as unknown.
    SELECT sales_cycle.group_of.d AS keys,
        CASE WHEN isfinite(d.won_at) AND isfinite(d.created_at) THEN d.won_at - d.created_at END AS duration
    FROM @crm@.deals AS d
    WHERE d.archived_at IS NULL
        AND d.status = 'won'
        AND (sales_cycle.pipeline_id IS NULL OR d.pipeline_id = sales_cycle.pipeline_id)
        AND (sales_cycle.won_from IS NULL OR d.won_at >= sales_cycle.won_from)
        AND (sales_cycle.won_before IS NULL OR d.won_at < sales_cycle.won_before)
        AND (sales_cycle.owner_id IS NULL OR d.owner_id = sales_cycle.owner_id)
        AND (sales_cycle.currency IS NULL OR sales_cycle.currency =
            coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))
), grouped AS (
    SELECT g.group_key, g.is_total, c.duration
    FROM cycles AS c
        @part groups of c.keys@
    UNION ALL
    -- there is always a total, even of no deals
    SELECT NULL, true, NULL
), times AS (
    SELECT c.group_key, c.is_total, count(c.duration) AS deals, avg(c.duration) AS average,
        percentile_cont(ARRAY[0.5::double precision, 0.9::double precision]) WITHIN GROUP (ORDER BY c.duration) AS percentiles,
        min(c.duration) AS shortest, max(c.duration) AS longest
    FROM grouped AS c
    GROUP BY c.group_key, c.is_total
)
SELECT t.group_key,
    @part group_name of t@,
    t.is_total, t.deals,
    round(extract(epoch FROM t.average) / 86400, 6),
    round(extract(epoch FROM t.percentiles[1]) / 86400, 6),
    round(extract(epoch FROM t.percentiles[2]) / 86400, 6),
    round(extract(epoch FROM t.shortest) / 86400, 6),
    round(extract(epoch FROM t.longest) / 86400, 6)
FROM times AS t
ORDER BY t.is_total DESC, t.group_key;
