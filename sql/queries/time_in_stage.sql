-- How long deals stand in the stages of a pipeline.

SELECT CASE
        WHEN time_in_stage.measure NOT IN ('visit', 'first', 'latest', 'cumulative')
        THEN @extension@.crm_raise('22023', 'measure must be visit, first, latest or cumulative')
    END;

WITH cohorts AS MATERIALIZED (
    -- deals that have the same value of the dimension group_by
    SELECT k.keys, k.deals, row_number() OVER () - 1 AS no
    FROM (SELECT d.keys, @extension@.crm_deal_cohort(d.id, d.status,
                -- time in a closed stage does not grow
                CASE WHEN time_in_stage.with_current AND d.status = 'open' THEN d.stage_id END, d.stage_entered_at) AS deals
            @part cohort@
            GROUP BY d.keys) AS k
), members AS MATERIALIZED (
    -- of the groups; the first one is the total
    SELECT g.group_key, g.is_total, c.no,
        dense_rank() OVER (ORDER BY g.is_total DESC, g.group_key) - 1 AS group_no
    FROM cohorts AS c
        @part groups of c.keys@
), times AS MATERIALIZED (
    SELECT t.group_no, t.stage_id, t.deals, t.visits, t.total_seconds, t.longest_seconds, t.median_seconds, t.p90_seconds
    FROM (SELECT array_agg(c.deals ORDER BY c.no) AS deals FROM cohorts AS c) AS k,
        (SELECT array_agg(m.group_no::integer ORDER BY m.group_no, m.no) AS groups, array_agg(m.no::integer ORDER BY m.group_no, m.no) AS cohorts
            FROM members AS m
            WHERE time_in_stage.group_by IS NOT NULL) AS m,
        @part pipeline_stages@,
        @extension@.crm_pipeline_stage_times(time_in_stage.crm, time_in_stage.pipeline_id, k.deals, p.ids,
            time_in_stage.measure, time_in_stage.entered_from, time_in_stage.entered_before, time_in_stage.percentiles,
            m.groups, m.cohorts) AS t
), groups AS (
    SELECT 0 AS group_no, NULL AS group_key, true AS is_total
    UNION
    SELECT m.group_no, m.group_key, m.is_total FROM members AS m
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
