-- The share of the deals of each stage that were won later.

SELECT CASE
        WHEN stage_probabilities.minimum_deals < 1
        THEN @extension@.crm_raise('22023', format('minimum_deals must not be %s', stage_probabilities.minimum_deals), NULL, 'It is 1 or more.')
    END;

WITH stood AS MATERIALIZED (
    -- Closed deals stand in no open stage, so their moves are read.
    SELECT t.from_stage_id AS stage_id, t.deals AS closed_deals, t.won_deals AS won
    FROM (SELECT @extension@.crm_deal_cohort(d.id, d.status, NULL, d.stage_entered_at) AS deals
            @part cohort@
                AND d.status <> 'open'
                AND (stage_probabilities.closed_from IS NULL OR coalesce(d.won_at, d.lost_at) >= stage_probabilities.closed_from)
                AND (stage_probabilities.closed_before IS NULL OR coalesce(d.won_at, d.lost_at) < stage_probabilities.closed_before)) AS k,
        @part pipeline_stages@,
        @extension@.crm_pipeline_stage_steps(stage_probabilities.crm, stage_probabilities.pipeline_id, ARRAY[k.deals], p.ids, p.statuses, 'direct') AS t
    WHERE t.to_stage_id IS NULL
)
SELECT s.id, s.name, s.position, s.probability, coalesce(t.closed_deals, 0), coalesce(t.won, 0),
    coalesce(t.closed_deals - t.won, 0),
    round(t.won::numeric / t.closed_deals, 4),
    coalesce(t.closed_deals, 0) < stage_probabilities.minimum_deals,
    CASE WHEN t.closed_deals >= stage_probabilities.minimum_deals
        THEN round(t.won::numeric / t.closed_deals, 4) END
FROM @crm@.stages AS s
    LEFT JOIN stood AS t ON t.stage_id = s.id
WHERE s.pipeline_id = stage_probabilities.pipeline_id
    AND s.deal_status = 'open'
    AND s.archived_at IS NULL
ORDER BY s.position;
