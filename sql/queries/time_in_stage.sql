-- How long deals stand in the stages of a pipeline.

SELECT CASE
        WHEN time_in_stage.measure NOT IN ('visit', 'first', 'latest', 'cumulative')
        THEN @extension@.crm_raise('22023', 'measure must be visit, first, latest or cumulative')
    END;

WITH times AS MATERIALIZED (
    SELECT t.stage_id, t.deals, t.visits, t.total_seconds, t.longest_seconds, t.median_seconds, t.p90_seconds
    FROM (SELECT @extension@.crm_deal_cohort(d.id, d.status,
                -- the clock of a closed deal stands still
                CASE WHEN time_in_stage.with_current AND d.status = 'open' THEN d.stage_id END, d.stage_entered_at) AS deals
            @part cohort@
            ) AS k,
        @part pipeline_stages@,
        @extension@.crm_pipeline_stage_times(time_in_stage.crm, time_in_stage.pipeline_id, k.deals, p.ids,
            time_in_stage.measure, time_in_stage.entered_from, time_in_stage.entered_before, time_in_stage.percentiles) AS t
)
SELECT s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0), coalesce(t.visits, 0),
    round(t.total_seconds / (86400 * CASE time_in_stage.measure WHEN 'visit' THEN t.visits ELSE t.deals END), 6),
    round(t.median_seconds / 86400, 6),
    round(t.p90_seconds / 86400, 6),
    round(t.longest_seconds / 86400, 6)
FROM @crm@.stages AS s
    LEFT JOIN times AS t ON t.stage_id = s.id
WHERE s.pipeline_id = time_in_stage.pipeline_id
    AND (s.archived_at IS NULL OR t.stage_id IS NOT NULL)
ORDER BY s.position;
