-- Deals that stand still.

CREATE VIEW rotting_deals WITH (security_invoker = true) AS
    SELECT d.id AS deal_id, d.title, d.pipeline_id, d.stage_id, s.name AS stage_name, d.owner_id,
        @extension@.crm_linked_name(n.crm, 'owners', d.owner_id) AS owner_name,
        d.amount, d.currency, d.expected_close_date, d.stage_entered_at, s.rotting_days,
        round(extract(epoch FROM now() - d.stage_entered_at) / 86400, 6) AS days_in_stage,
        round(extract(epoch FROM now() - d.stage_entered_at) / 86400, 6) - s.rotting_days AS days_over
    FROM stages AS s
        JOIN deals AS d ON d.stage_id = s.id
        CROSS JOIN (SELECT c.relnamespace::regnamespace AS crm FROM pg_class AS c WHERE c.oid = 'deals'::regclass) AS n
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
COMMENT ON COLUMN rotting_deals.owner_name IS 'What that person is called, if owners are linked and the reader may read their table';
COMMENT ON COLUMN rotting_deals.amount IS 'Value of the deal, in its currency';
COMMENT ON COLUMN rotting_deals.currency IS 'ISO 4217 code of the amount';
COMMENT ON COLUMN rotting_deals.expected_close_date IS 'The day the deal is expected to close';
COMMENT ON COLUMN rotting_deals.stage_entered_at IS 'When the deal entered its stage';
COMMENT ON COLUMN rotting_deals.rotting_days IS 'Days after which deals rot in the stage';
COMMENT ON COLUMN rotting_deals.days_in_stage IS 'Days the deal has stood in the stage';
COMMENT ON COLUMN rotting_deals.days_over IS 'days_in_stage - rotting_days';

