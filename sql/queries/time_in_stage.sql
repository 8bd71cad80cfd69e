-- How long deals stand in the stages of a pipeline.

SELECT CASE
        WHEN time_in_stage.measure NOT IN ('visit', 'first', 'latest', 'cumulative')
        THEN @extension@.crm_raise('22023', format('measure must not be "%s"', left(time_in_stage.measure, 40)), NULL, 'It is visit, first, latest or cumulative.')
    END;

WITH times AS MATERIALIZED (
    -- The rows of a group, and one that names it.  Cohorts are large, so no other part of
    -- the query reads them: they would be copied.
    SELECT t.group_no, t.stage_id, t.deals, t.visits, t.total_seconds, t.longest_seconds, t.median_seconds, t.p90_seconds,
        t.group_key, t.is_total
    FROM (SELECT array_agg(k.deals) AS deals, jsonb_agg(k.keys) AS keys
            -- deals that have the same value of the dimension group_by
            FROM (SELECT d.keys, @extension@.crm_deal_cohort(d.id, d.status,
                        -- time in a closed stage does not grow
                        CASE WHEN time_in_stage.with_current AND d.status = 'open' THEN d.stage_id END, d.stage_entered_at) AS deals
                    @part cohort@
                    GROUP BY d.keys) AS k) AS c CROSS JOIN
        @part pipeline_stages@
        CROSS JOIN LATERAL (
            -- the groups of each cohort; the first one is the total
            SELECT array_agg(m.group_no ORDER BY m.group_no, m.no) AS groups, array_agg(m.no ORDER BY m.group_no, m.no) AS cohorts,
                array_agg(m.group_key ORDER BY m.group_no, m.no) AS keys
            FROM (SELECT (k.no - 1)::integer AS no, g.group_key,
                    (dense_rank() OVER (ORDER BY g.is_total DESC, g.group_key) - 1)::integer AS group_no
                FROM jsonb_array_elements(c.keys) WITH ORDINALITY AS k (value, no)
                    @part groups of k.value@
                WHERE time_in_stage.group_by IS NOT NULL) AS m) AS m
        CROSS JOIN LATERAL (
            SELECT t.group_no, t.stage_id, t.deals, t.visits, t.total_seconds, t.longest_seconds, t.median_seconds, t.p90_seconds,
                NULL AS group_key, NULL::boolean AS is_total
            FROM @extension@.crm_pipeline_stage_times(time_in_stage.crm, time_in_stage.pipeline_id, c.deals, p.ids,
                time_in_stage.measure, time_in_stage.entered_from, time_in_stage.entered_before, time_in_stage.percentiles,
                m.groups, m.cohorts) AS t
            UNION ALL
            SELECT DISTINCT g.group_no, NULL::uuid, NULL::bigint, NULL::bigint, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
                g.group_key, false
            FROM unnest(m.groups, m.keys) AS g (group_no, group_key)
            WHERE g.group_no > 0) AS t
), groups AS (
    SELECT 0 AS group_no, NULL AS group_key, true AS is_total
    UNION ALL
    -- as in a funnel, no group without visits
    SELECT t.group_no, t.group_key, t.is_total FROM times AS t
    WHERE t.stage_id IS NULL AND t.group_no IN (SELECT c.group_no FROM times AS c WHERE c.stage_id IS NOT NULL)
)
SELECT g.group_key,
    @part group_name of g@,
    g.is_total, s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0), coalesce(t.visits, 0),
    round(t.total_seconds / (86400 * CASE time_in_stage.measure WHEN 'visit' THEN t.visits ELSE t.deals END), 6),
    round(t.median_seconds / 86400, 6),
    round(t.p90_seconds / 86400, 6),
    round(t.longest_seconds / 86400, 6)
FROM groups AS g
    CROSS JOIN @crm@.stages AS s
    LEFT JOIN times AS t ON t.stage_id = s.id AND t.group_no = g.group_no
WHERE s.pipeline_id = time_in_stage.pipeline_id
    AND (s.archived_at IS NULL OR s.id IN (SELECT t.stage_id FROM times AS t))
ORDER BY g.group_no, s.position;
