-- How likely deals were won, going by what became of those that were.

CREATE FUNCTION stage_probabilities(pipeline_id uuid, minimum_deals integer DEFAULT 30,
        closed_from timestamptz DEFAULT NULL, closed_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
    RETURNS TABLE (stage_id uuid, stage_name text, stage_position integer, probability numeric,
        closed_deals bigint, won bigint, lost bigint, won_share numeric, insufficient_history boolean,
        suggested_probability numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN stage_probabilities.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = stage_probabilities.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', stage_probabilities.pipeline_id))
            WHEN coalesce(stage_probabilities.minimum_deals, 0) < 1
            THEN crm_raise('22023', 'minimum_deals must be at least 1')
            WHEN stage_probabilities.closed_from > stage_probabilities.closed_before
            THEN crm_raise('22023', 'closed_from is after closed_before')
        END;

    WITH stood AS (
        -- Closed deals stand in no open stage, so only their moves tell.
        SELECT t.from_stage_id AS stage_id, t.deals AS closed_deals, t.won_deals AS won
        FROM crm_stage_steps(
            (SELECT crm_stage_history(c.deal_id, c.move_no, c.reverts_no, c.from_stage_id, NULL, NULL, NULL)
                FROM stage_changes AS c
                WHERE c.from_pipeline_id = stage_probabilities.pipeline_id
                    OR c.reverts_no IS NOT NULL AND c.to_pipeline_id = stage_probabilities.pipeline_id),
            (SELECT crm_deal_cohort(d.id, d.status, NULL, d.stage_entered_at)
                FROM (SELECT d.id, d.status, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency, d.archived_at,
                            d.won_at, d.lost_at
                        FROM deals AS d
                        WHERE d.pipeline_id = stage_probabilities.pipeline_id
                        UNION ALL
                        -- that stood there, and went to another pipeline
                        SELECT d.id, d.status, d.stage_entered_at, d.pipeline_id, d.owner_id, d.currency, d.archived_at,
                            d.won_at, d.lost_at
                        FROM deals AS d
                        WHERE d.pipeline_id <> stage_probabilities.pipeline_id
                            AND (d.id, d.tenant_id) IN (SELECT c.deal_id, c.tenant_id FROM stage_changes AS c
                                WHERE c.from_pipeline_id = stage_probabilities.pipeline_id
                                    AND (c.to_pipeline_id < stage_probabilities.pipeline_id OR c.to_pipeline_id > stage_probabilities.pipeline_id))) AS d
                WHERE d.archived_at IS NULL
                    AND d.status <> 'open'
                    AND (stage_probabilities.closed_from IS NULL OR coalesce(d.won_at, d.lost_at) >= stage_probabilities.closed_from)
                    AND (stage_probabilities.closed_before IS NULL OR coalesce(d.won_at, d.lost_at) < stage_probabilities.closed_before)
                    AND (stage_probabilities.owner_id IS NULL OR d.owner_id = stage_probabilities.owner_id)
                    AND (stage_probabilities.currency IS NULL OR stage_probabilities.currency =
                        coalesce(d.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = d.pipeline_id)))),
            (SELECT array_agg(s.id ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = stage_probabilities.pipeline_id),
            (SELECT array_agg(s.deal_status ORDER BY s.position) FROM stages AS s WHERE s.pipeline_id = stage_probabilities.pipeline_id),
            'direct') AS t
        WHERE t.to_stage_id IS NULL
    )
    SELECT s.id, s.name, s.position, s.probability, coalesce(t.closed_deals, 0), coalesce(t.won, 0),
        coalesce(t.closed_deals - t.won, 0),
        round(t.won::numeric / t.closed_deals, 4),
        coalesce(t.closed_deals, 0) < stage_probabilities.minimum_deals,
        CASE WHEN t.closed_deals >= stage_probabilities.minimum_deals
            THEN round(t.won::numeric / t.closed_deals, 4) END
    FROM stages AS s
        LEFT JOIN stood AS t ON t.stage_id = s.id
    WHERE s.pipeline_id = stage_probabilities.pipeline_id
        AND s.deal_status = 'open'
        AND s.archived_at IS NULL
    ORDER BY s.position;
END;
REVOKE EXECUTE ON FUNCTION stage_probabilities(uuid, integer, timestamptz, timestamptz, uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION stage_probabilities(uuid, integer, timestamptz, timestamptz, uuid, text) IS
'The probabilities of the open stages beside what history says

closed_deals = distinct deals that ever stood in the stage and are won or lost now; won_share = won / closed_deals. Open deals are undecided and count for neither, as in Odoo''s won and lost frequencies. suggested_probability = won_share, or null with insufficient_history true where there are fewer than minimum_deals. Nothing is changed: set stages.probability, then call apply_stage_probability.

closed_from (included) and closed_before (not included), owner_id and currency choose deals. Leaves out archived and deleted deals, archived stages and moves that were taken back.

Errors: PT404 for an unknown pipeline, 22023 for minimum_deals below 1.';
