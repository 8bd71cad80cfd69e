-- How many deals get from stage to stage.
--
-- Both functions count distinct deals, not moves: a deal that goes back and
-- forth is one deal.  A deal that stood in a stage twice has stood there since
-- the first time.

CREATE FUNCTION stage_conversion(pipeline_id uuid, rule text DEFAULT 'reached', cohort text DEFAULT 'created',
        period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
    RETURNS TABLE (from_stage_id uuid, from_stage_name text, to_stage_id uuid, to_stage_name text,
        to_status text, is_next boolean, deals bigint, converted bigint, conversion numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN stage_conversion.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = stage_conversion.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', stage_conversion.pipeline_id))
            WHEN coalesce(stage_conversion.rule, '') NOT IN ('direct', 'reached')
            THEN crm_raise('22023', 'rule must be direct or reached')
            WHEN coalesce(stage_conversion.cohort, '') NOT IN ('created', 'entered')
            THEN crm_raise('22023', 'cohort must be created or entered')
            WHEN stage_conversion.period_from > stage_conversion.period_before
            THEN crm_raise('22023', 'period_from is after period_before')
        END;

    WITH steps AS MATERIALIZED (
        SELECT t.from_stage_id, t.to_stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won
        FROM crm_stage_steps(
            (SELECT crm_stage_history(c.deal_id, c.move_no, c.reverts_no, c.from_stage_id, CASE stage_conversion.rule WHEN 'direct' THEN c.to_stage_id END, CASE stage_conversion.cohort WHEN 'entered' THEN c.entered_at END, NULL)
                FROM stage_changes AS c
                WHERE c.from_pipeline_id = stage_conversion.pipeline_id
                    OR c.reverts_no IS NOT NULL AND c.to_pipeline_id = stage_conversion.pipeline_id),
            (SELECT crm_deal_cohort(d.id, d.status, d.stage_id, d.stage_entered_at)
                FROM (SELECT d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency,
                            d.archived_at, d.created_at
                        FROM deals AS d
                        WHERE d.pipeline_id = stage_conversion.pipeline_id
                        UNION ALL
                        -- that stood there, and went to another pipeline
                        SELECT d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency,
                            d.archived_at, d.created_at
                        FROM deals AS d
                        WHERE d.pipeline_id <> stage_conversion.pipeline_id
                            AND (d.id, d.tenant_id) IN (SELECT c.deal_id, c.tenant_id FROM stage_changes AS c
                                WHERE c.from_pipeline_id = stage_conversion.pipeline_id
                                    AND (c.to_pipeline_id < stage_conversion.pipeline_id OR c.to_pipeline_id > stage_conversion.pipeline_id))) AS d
                WHERE d.archived_at IS NULL
                    AND (stage_conversion.cohort <> 'created'
                        OR (stage_conversion.period_from IS NULL OR d.created_at >= stage_conversion.period_from)
                        AND (stage_conversion.period_before IS NULL OR d.created_at < stage_conversion.period_before))
                    AND (stage_conversion.owner_id IS NULL OR d.owner_id = stage_conversion.owner_id)
                    AND (stage_conversion.currency IS NULL OR stage_conversion.currency =
                        coalesce(d.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = d.pipeline_id)))),
            (SELECT array_agg(s.id ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = stage_conversion.pipeline_id),
            (SELECT array_agg(s.deal_status ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = stage_conversion.pipeline_id),
            stage_conversion.rule,
            CASE stage_conversion.cohort WHEN 'entered' THEN stage_conversion.period_from END,
            CASE stage_conversion.cohort WHEN 'entered' THEN stage_conversion.period_before END) AS t
    ), stood AS (
        SELECT t.from_stage_id AS stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won
        FROM steps AS t
        WHERE t.to_stage_id IS NULL
    ), pairs AS (
        -- The pairs that are asked for.  Next to an open stage is the following one
        -- that is in use; next to the last of them is winning.
        SELECT a.id AS from_id, a.name AS from_name, a.position AS from_position,
            b.id AS to_id, b.name AS to_name, b.deal_status AS to_status, b.position AS to_position,
            a.deal_status = 'open' AND CASE b.deal_status
                WHEN 'open' THEN b.position = (SELECT min(n.position) FROM stages AS n
                    WHERE n.pipeline_id = a.pipeline_id AND n.deal_status = 'open'
                        AND n.archived_at IS NULL AND n.position > a.position)
                WHEN 'won' THEN NOT EXISTS (SELECT FROM stages AS n
                    WHERE n.pipeline_id = a.pipeline_id AND n.deal_status = 'open'
                        AND n.archived_at IS NULL AND n.position > a.position)
                ELSE false
            END AS is_next
        FROM stages AS a
            JOIN stages AS b ON b.pipeline_id = a.pipeline_id AND b.id <> a.id
        WHERE a.pipeline_id = stage_conversion.pipeline_id
            AND (a.archived_at IS NULL OR a.id IN (SELECT t.stage_id FROM stood AS t))
            AND (b.archived_at IS NULL OR b.id IN (SELECT t.stage_id FROM stood AS t))
            AND (stage_conversion.rule = 'direct'
                OR b.deal_status <> 'open'
                OR a.deal_status = 'open' AND b.position > a.position)
    )
    SELECT p.from_id, p.from_name, p.to_id, p.to_name, p.to_status, p.is_next,
        coalesce(t.deals, 0), coalesce(c.deals, 0),
        round(coalesce(c.deals, 0)::numeric / nullif(t.deals, 0), 6)
    FROM pairs AS p
        LEFT JOIN stood AS t ON t.stage_id = p.from_id
        LEFT JOIN steps AS c ON c.from_stage_id = p.from_id AND c.to_stage_id = p.to_id
    ORDER BY p.from_position, p.to_position;
END;
REVOKE EXECUTE ON FUNCTION stage_conversion(uuid, text, text, timestamptz, timestamptz, uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION stage_conversion(uuid, text, text, timestamptz, timestamptz, uuid, text) IS
'How many deals of a stage came to another one: a row per pair of stages of a pipeline

deals = distinct deals that ever stood in the first stage. converted = those of them that, by the rule direct, moved from it straight to the second; by the rule reached, stood in the second one at some time later, or beyond it: in an open stage further on or, if the second stage is open, in a won one. conversion = converted / deals, null if there were none. is_next marks the steps of the funnel: to the next open stage in use and, from the last one, to the won stages. With reached there are only pairs that lead on or to closed stages.

cohort created counts deals created from period_from (included) to period_before (not included); entered counts, for each first stage, deals that entered it then; what came of them counts whenever it was. owner_id and currency choose deals. Leaves out archived and deleted deals and moves that were taken back. HubSpot''s "next step conversion" is the conversion where is_next.

Errors: PT404 for an unknown pipeline, 22023 for an unknown rule or cohort.';

CREATE FUNCTION funnel(pipeline_id uuid, rule text DEFAULT 'reached', cohort text DEFAULT 'created',
        period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
    RETURNS TABLE (stage_id uuid, stage_name text, stage_position integer, deal_status text, deals bigint,
        converted bigint, conversion numeric, won bigint, lost bigint, still_open bigint,
        won_conversion numeric, lost_conversion numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN funnel.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = funnel.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', funnel.pipeline_id))
            WHEN coalesce(funnel.rule, '') NOT IN ('direct', 'reached')
            THEN crm_raise('22023', 'rule must be direct or reached')
            WHEN coalesce(funnel.cohort, '') NOT IN ('created', 'entered')
            THEN crm_raise('22023', 'cohort must be created or entered')
            WHEN funnel.period_from > funnel.period_before
            THEN crm_raise('22023', 'period_from is after period_before')
        END;

    WITH steps AS MATERIALIZED (
        SELECT t.from_stage_id, t.to_stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won
        FROM crm_stage_steps(
            (SELECT crm_stage_history(c.deal_id, c.move_no, c.reverts_no, c.from_stage_id, CASE funnel.rule WHEN 'direct' THEN c.to_stage_id END, CASE funnel.cohort WHEN 'entered' THEN c.entered_at END, NULL)
                FROM stage_changes AS c
                WHERE c.from_pipeline_id = funnel.pipeline_id
                    OR c.reverts_no IS NOT NULL AND c.to_pipeline_id = funnel.pipeline_id),
            (SELECT crm_deal_cohort(d.id, d.status, d.stage_id, d.stage_entered_at)
                FROM (SELECT d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency,
                            d.archived_at, d.created_at
                        FROM deals AS d
                        WHERE d.pipeline_id = funnel.pipeline_id
                        UNION ALL
                        -- that stood there, and went to another pipeline
                        SELECT d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency,
                            d.archived_at, d.created_at
                        FROM deals AS d
                        WHERE d.pipeline_id <> funnel.pipeline_id
                            AND (d.id, d.tenant_id) IN (SELECT c.deal_id, c.tenant_id FROM stage_changes AS c
                                WHERE c.from_pipeline_id = funnel.pipeline_id
                                    AND (c.to_pipeline_id < funnel.pipeline_id OR c.to_pipeline_id > funnel.pipeline_id))) AS d
                WHERE d.archived_at IS NULL
                    AND (funnel.cohort <> 'created'
                        OR (funnel.period_from IS NULL OR d.created_at >= funnel.period_from)
                        AND (funnel.period_before IS NULL OR d.created_at < funnel.period_before))
                    AND (funnel.owner_id IS NULL OR d.owner_id = funnel.owner_id)
                    AND (funnel.currency IS NULL OR funnel.currency =
                        coalesce(d.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = d.pipeline_id)))),
            (SELECT array_agg(s.id ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = funnel.pipeline_id),
            (SELECT array_agg(s.deal_status ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = funnel.pipeline_id),
            funnel.rule,
            CASE funnel.cohort WHEN 'entered' THEN funnel.period_from END,
            CASE funnel.cohort WHEN 'entered' THEN funnel.period_before END) AS t
    ), stood AS (
        SELECT t.from_stage_id AS stage_id, t.deals, t.open_deals, t.won_deals, t.lost_deals, t.to_won
        FROM steps AS t
        WHERE t.to_stage_id IS NULL
    ), rows AS (
        -- Next to an open stage is the following one that is in use; next to the last
        -- of them is winning.
        SELECT s.id, s.name, s.position, s.deal_status, coalesce(t.deals, 0) AS deals,
            CASE WHEN s.deal_status = 'open' THEN
                coalesce(CASE WHEN n.id IS NULL THEN t.to_won ELSE c.deals END, 0) END AS converted,
            coalesce(t.won_deals, 0) AS won, coalesce(t.lost_deals, 0) AS lost, coalesce(t.open_deals, 0) AS still_open
        FROM stages AS s
            LEFT JOIN stood AS t ON t.stage_id = s.id
            LEFT JOIN LATERAL (SELECT n.id FROM stages AS n
                WHERE n.pipeline_id = s.pipeline_id AND n.deal_status = 'open'
                    AND n.archived_at IS NULL AND n.position > s.position
                ORDER BY n.position
                LIMIT 1) AS n ON true
            LEFT JOIN steps AS c ON c.from_stage_id = s.id AND c.to_stage_id = n.id
        WHERE s.pipeline_id = funnel.pipeline_id
            AND (s.archived_at IS NULL OR t.stage_id IS NOT NULL)
    )
    SELECT r.id, r.name, r.position, r.deal_status, r.deals, r.converted,
        round(r.converted::numeric / nullif(r.deals, 0), 6),
        r.won, r.lost, r.still_open,
        round(r.won::numeric / nullif(r.deals, 0), 6),
        round(r.lost::numeric / nullif(r.deals, 0), 6)
    FROM rows AS r
    ORDER BY r.position;
END;
REVOKE EXECUTE ON FUNCTION funnel(uuid, text, text, timestamptz, timestamptz, uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION funnel(uuid, text, text, timestamptz, timestamptz, uuid, text) IS
'The funnel of a pipeline: how many deals stood in each stage, got further, were won and lost

deals = distinct deals that ever stood in the stage. converted = those of them that, by the rule direct, moved from it straight to the next open stage in use (from the last one: to a won stage); by the rule reached, stood in that stage or beyond it at some time later. conversion = converted / deals (HubSpot''s "next step conversion", Pipedrive''s stage conversion); null for closed stages. won, lost and still_open = what those deals are now; won_conversion = won / deals, lost_conversion = lost / deals (Pipedrive''s won and lost conversion, for each stage). Null where there were no deals.

cohort created counts deals created from period_from (included) to period_before (not included); entered counts, for each stage, deals that entered it then; what came of them counts whenever it was. owner_id and currency choose deals. Leaves out archived and deleted deals and moves that were taken back. For all pairs of stages see stage_conversion.

Errors: PT404 for an unknown pipeline, 22023 for an unknown rule or cohort.';
