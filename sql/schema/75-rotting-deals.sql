-- Deals that stand still.

CREATE VIEW rotting_deals WITH (security_invoker = true) AS
    SELECT d.id AS deal_id, d.title, d.pipeline_id, d.stage_id, s.name AS stage_name, d.owner_id,
        d.amount, d.currency, d.expected_close_date, d.stage_entered_at, s.rotting_days,
        round(extract(epoch FROM now() - d.stage_entered_at) / 86400, 6) AS days_in_stage,
        round(extract(epoch FROM now() - d.stage_entered_at) / 86400, 6) - s.rotting_days AS days_over
    FROM stages AS s
        JOIN deals AS d ON d.stage_id = s.id
    WHERE d.status = 'open'
        AND d.archived_at IS NULL
        AND extract(epoch FROM now() - d.stage_entered_at) > 86400 * s.rotting_days::numeric;

COMMENT ON VIEW rotting_deals IS 'Open, unarchived deals that have stood in their stage for longer than its rotting_days (days of 24 hours); as Pipedrive''s rotting, but counted from when the deal entered the stage';
COMMENT ON COLUMN rotting_deals.deal_id IS 'The deal';
COMMENT ON COLUMN rotting_deals.title IS 'Title of the deal';
COMMENT ON COLUMN rotting_deals.pipeline_id IS 'The pipeline of the deal';
COMMENT ON COLUMN rotting_deals.stage_id IS 'The stage the deal stands in';
COMMENT ON COLUMN rotting_deals.stage_name IS 'Name of the stage';
COMMENT ON COLUMN rotting_deals.owner_id IS 'The person responsible for the deal';
COMMENT ON COLUMN rotting_deals.amount IS 'Value of the deal, in its currency';
COMMENT ON COLUMN rotting_deals.currency IS 'ISO 4217 code of the amount';
COMMENT ON COLUMN rotting_deals.expected_close_date IS 'The day the deal is expected to close';
COMMENT ON COLUMN rotting_deals.stage_entered_at IS 'When the deal entered its stage';
COMMENT ON COLUMN rotting_deals.rotting_days IS 'Days after which deals rot in the stage';
COMMENT ON COLUMN rotting_deals.days_in_stage IS 'Days the deal has stood in the stage';
COMMENT ON COLUMN rotting_deals.days_over IS 'days_in_stage - rotting_days';

CREATE FUNCTION rotting_deals(pipeline_id uuid DEFAULT NULL, owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
    RETURNS SETOF rotting_deals
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN rotting_deals.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = rotting_deals.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', rotting_deals.pipeline_id))
        END;

    SELECT r.deal_id, r.title, r.pipeline_id, r.stage_id, r.stage_name, r.owner_id, r.amount, r.currency,
        r.expected_close_date, r.stage_entered_at, r.rotting_days, r.days_in_stage, r.days_over
    FROM rotting_deals AS r
    WHERE (rotting_deals.pipeline_id IS NULL OR r.pipeline_id = rotting_deals.pipeline_id)
        AND (rotting_deals.owner_id IS NULL OR r.owner_id = rotting_deals.owner_id)
        AND (rotting_deals.currency IS NULL OR rotting_deals.currency =
            coalesce(r.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = r.pipeline_id)))
    ORDER BY r.days_over DESC, r.deal_id;
END;
REVOKE EXECUTE ON FUNCTION rotting_deals(uuid, uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION rotting_deals(uuid, uuid, text) IS
'The deals that stand still, worst first

Open, unarchived deals that have stood in their stage for longer than its rotting_days. days_in_stage = now - stage_entered_at, in days of 24 hours; days_over = days_in_stage - rotting_days. Stages without rotting_days have none. As Pipedrive''s rotting, but counted from when the deal entered the stage, not from its last activity. pipeline_id (null: all), owner_id and currency choose deals.

Errors: PT404 for an unknown pipeline.';
