-- How long deals stand in the stages of a pipeline.

SELECT CASE
        WHEN time_in_stage.measure NOT IN ('visit', 'first', 'latest', 'cumulative')
        THEN @extension@.crm_raise('22023', 'measure must be visit, first, latest or cumulative')
    END;

WITH undone AS (
    -- The moves that were taken back, and those that took them back.
    SELECT r.id, r.deal_id, r.move_no
    FROM @crm@.stage_changes AS r
    WHERE r.reverts_id IS NOT NULL
    UNION ALL
    SELECT c.id, c.deal_id, c.move_no
    FROM @crm@.stage_changes AS r
        JOIN @crm@.stage_changes AS c ON c.id = r.reverts_id
    WHERE r.reverts_id IS NOT NULL
), history AS MATERIALIZED (
    SELECT coalesce(
        (SELECT @extension@.crm_stage_history(k.deals, c.deal_id, c.move_no, c.from_stage_id, NULL, c.entered_at, c.changed_at)
            FROM @crm@.stage_changes AS c
            WHERE c.from_pipeline_id = time_in_stage.pipeline_id),
        -- nobody moved, but deals stand there
        (SELECT @extension@.crm_stage_history(k.deals, NULL, n.visit_no, NULL, NULL, NULL, NULL)
            FROM (VALUES (NULL::integer)) AS n (visit_no))) AS figures
    FROM (SELECT
        (SELECT @extension@.crm_cohort(d.id, d.move_no,
                CASE WHEN time_in_stage.with_current AND d.status = 'open' THEN d.stage_id END,
                d.status, d.stage_entered_at,
                (SELECT array_agg(s.id ORDER BY s.position) FROM @crm@.stages AS s
                    WHERE s.pipeline_id = time_in_stage.pipeline_id),
                (SELECT array_agg(s.deal_status ORDER BY s.position) FROM @crm@.stages AS s
                    WHERE s.pipeline_id = time_in_stage.pipeline_id),
                (SELECT array_agg(u.deal_id ORDER BY u.id) FROM undone AS u),
                (SELECT array_agg(u.move_no ORDER BY u.id) FROM undone AS u),
                time_in_stage.measure, time_in_stage.entered_from, time_in_stage.entered_before)
            FROM @crm@.deals AS d
            WHERE d.tenant_id = (SELECT p.tenant_id FROM @crm@.pipelines AS p WHERE p.id = time_in_stage.pipeline_id)
                AND d.archived_at IS NULL
                AND (time_in_stage.owner_id IS NULL OR d.owner_id = time_in_stage.owner_id)
                AND (time_in_stage.currency IS NULL OR time_in_stage.currency =
                    coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))) AS deals) AS k
), times AS (
    SELECT t.stage_id, t.deals, t.visits, t.longest / 86400000000.0 AS longest,
        t.total / (86400000000.0 * CASE time_in_stage.measure WHEN 'visit' THEN t.visits ELSE t.deals END) AS average
    FROM history AS h,
        jsonb_to_recordset(h.figures -> 'stages') AS t (stage_id uuid, deals bigint, visits bigint, total numeric, longest numeric)
), visits_asked AS NOT MATERIALIZED (
    -- one of the two that read it does nothing
    SELECT v.deal_id, v.stage_id, v.visit_no,
        date_part('epoch', coalesce(v.exited_at, now()) - v.entered_at) / 86400 AS duration
    FROM @crm@.stage_visits AS v
        JOIN @crm@.deals AS d ON d.id = v.deal_id AND d.tenant_id = v.tenant_id
    WHERE time_in_stage.percentiles
        AND v.pipeline_id = time_in_stage.pipeline_id
        AND d.archived_at IS NULL
        -- the clock of a closed deal stands still
        AND (v.exited_at IS NOT NULL OR time_in_stage.with_current AND v.status = 'open')
        AND (time_in_stage.entered_from IS NULL OR v.entered_at >= time_in_stage.entered_from)
        AND (time_in_stage.entered_before IS NULL OR v.entered_at < time_in_stage.entered_before)
        AND (time_in_stage.owner_id IS NULL OR d.owner_id = time_in_stage.owner_id)
        AND (time_in_stage.currency IS NULL OR time_in_stage.currency =
            coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))
), measured AS (
    SELECT a.stage_id, a.duration
    FROM visits_asked AS a
    WHERE time_in_stage.measure = 'visit'
    UNION ALL
    SELECT a.stage_id,
        CASE time_in_stage.measure
            WHEN 'first' THEN (array_agg(a.duration ORDER BY a.visit_no))[1]
            WHEN 'latest' THEN (array_agg(a.duration ORDER BY a.visit_no DESC))[1]
            ELSE sum(a.duration)
        END
    FROM visits_asked AS a
    WHERE time_in_stage.measure <> 'visit'
    GROUP BY a.stage_id, a.deal_id
), percentiles AS (
    SELECT m.stage_id,
        percentile_cont(ARRAY[0.5::double precision, 0.9::double precision]) WITHIN GROUP (ORDER BY m.duration) AS days
    FROM measured AS m
    GROUP BY m.stage_id
)
SELECT s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0), coalesce(t.visits, 0),
    round(t.average, 6),
    round(p.days[1]::numeric, 6),
    round(p.days[2]::numeric, 6),
    round(t.longest, 6)
FROM @crm@.stages AS s
    LEFT JOIN times AS t ON t.stage_id = s.id
    LEFT JOIN percentiles AS p ON p.stage_id = s.id
WHERE s.pipeline_id = time_in_stage.pipeline_id
    AND (s.archived_at IS NULL OR t.stage_id IS NOT NULL)
ORDER BY s.position;
