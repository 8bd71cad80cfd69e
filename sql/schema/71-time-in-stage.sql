-- How long deals stand in the stages of a pipeline.

CREATE FUNCTION time_in_stage(pipeline_id uuid, measure text DEFAULT 'visit', with_current boolean DEFAULT false,
        entered_from timestamptz DEFAULT NULL, entered_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, percentiles boolean DEFAULT true)
    RETURNS TABLE (stage_id uuid, stage_name text, stage_position integer, deal_status text, deals bigint,
        visits bigint, average_days numeric, median_days numeric, p90_days numeric, max_days numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN time_in_stage.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = time_in_stage.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', time_in_stage.pipeline_id))
            WHEN coalesce(time_in_stage.measure, '') NOT IN ('visit', 'first', 'latest', 'cumulative')
            THEN crm_raise('22023', 'measure must be visit, first, latest or cumulative')
            WHEN time_in_stage.entered_from > time_in_stage.entered_before
            THEN crm_raise('22023', 'entered_from is after entered_before')
        END;

    WITH times AS MATERIALIZED (
        SELECT t.stage_id, t.deals, t.visits, t.total_seconds, t.longest_seconds, t.median_seconds, t.p90_seconds
        FROM crm_stage_times(
            (SELECT crm_stage_history(c.deal_id, c.move_no, c.reverts_no, c.from_stage_id, NULL, c.entered_at, c.changed_at)
                FROM stage_changes AS c
                WHERE c.from_pipeline_id = time_in_stage.pipeline_id
                    OR c.reverts_no IS NOT NULL AND c.to_pipeline_id = time_in_stage.pipeline_id),
            (SELECT crm_deal_cohort(d.id, d.status,
                    -- the clock of a closed deal stands still
                    CASE WHEN time_in_stage.with_current AND d.status = 'open' THEN d.stage_id END, d.stage_entered_at)
                FROM (SELECT d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency, d.archived_at
                        FROM deals AS d
                        WHERE d.pipeline_id = time_in_stage.pipeline_id
                        UNION ALL
                        -- that stood there, and went to another pipeline
                        SELECT d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency, d.archived_at
                        FROM deals AS d
                        WHERE d.pipeline_id <> time_in_stage.pipeline_id
                            AND (d.id, d.tenant_id) IN (SELECT c.deal_id, c.tenant_id FROM stage_changes AS c
                                WHERE c.from_pipeline_id = time_in_stage.pipeline_id
                                    AND (c.to_pipeline_id < time_in_stage.pipeline_id OR c.to_pipeline_id > time_in_stage.pipeline_id))) AS d
                WHERE d.archived_at IS NULL
                    AND (time_in_stage.owner_id IS NULL OR d.owner_id = time_in_stage.owner_id)
                    AND (time_in_stage.currency IS NULL OR time_in_stage.currency =
                        coalesce(d.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = d.pipeline_id)))),
            (SELECT array_agg(s.id ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = time_in_stage.pipeline_id),
            time_in_stage.measure, time_in_stage.entered_from, time_in_stage.entered_before, time_in_stage.percentiles) AS t
    )
    SELECT s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0), coalesce(t.visits, 0),
        round(t.total_seconds / (86400 * CASE time_in_stage.measure WHEN 'visit' THEN t.visits ELSE t.deals END), 6),
        round(t.median_seconds / 86400, 6),
        round(t.p90_seconds / 86400, 6),
        round(t.longest_seconds / 86400, 6)
    FROM stages AS s
        LEFT JOIN times AS t ON t.stage_id = s.id
    WHERE s.pipeline_id = time_in_stage.pipeline_id
        AND (s.archived_at IS NULL OR t.stage_id IS NOT NULL)
    ORDER BY s.position;
END;
REVOKE EXECUTE ON FUNCTION time_in_stage(uuid, text, boolean, timestamptz, timestamptz, uuid, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION time_in_stage(uuid, text, boolean, timestamptz, timestamptz, uuid, text, boolean) IS
'How long deals stay in each stage of a pipeline, in days of 24 hours

A row per stage, in their order, archived ones only if deals stood there: how many deals, how many visits, and average, median, 90th percentile (both interpolated, as percentile_cont does) and maximum of what measure says. visit: every stay by itself, average = sum of (exited - entered) / visits. The others are one figure a deal: first its first stay, latest its latest (HubSpot''s "latest time in stage"), cumulative all of its stays together (HubSpot''s "cumulative time in stage").

Counts stays that have ended; with with_current true also the present one of open deals, up to now. entered_from (included) and entered_before (not included) choose stays by when they began, owner_id and currency choose deals. percentiles false leaves median and 90th percentile null, which is faster. Leaves out archived and deleted deals and moves that were taken back. Null where nothing is to be measured.

Errors: PT404 for an unknown pipeline, 22023 for an unknown measure.';
