-- Stage totals: the sums of the unarchived deals of each stage, kept up to date by
-- the triggers on deals.
--
-- A statement on deals inserts rows here and updates none, so that writers
-- never wait for each other.  A total is the sum of its rows; now and then a
-- writer replaces the rows of a pipeline by their sums.  No primary key, as no row
-- is looked up by one: each write pays for one index only.
--
-- Row security without a policy: these are totals of all deals, so that only the
-- owner can read the table, whatever is granted.  crm_pipeline_totals() returns
-- them to users who may see every deal that they count.
--
-- One row is no total: it tells that all deals are counted.  Where it is missing, as
-- after a restore without the data of this table, totals are not used.

CREATE TABLE stage_totals (
    tenant_id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    currency text,
    value_period text NOT NULL,
    deals bigint NOT NULL,
    deals_without_amount bigint NOT NULL,
    deals_without_probability bigint NOT NULL,
    value numeric NOT NULL,
    weighted_value numeric NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX stage_totals_pipeline_id_idx ON stage_totals (pipeline_id);

-- A publication identifies deleted rows by all columns, as there is no key.
ALTER TABLE stage_totals REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY;

INSERT INTO stage_totals VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-000000000000', NULL, 'complete', 0, 0, 0, 0, 0);

COMMENT ON TABLE stage_totals IS 'Totals of the deals that are not archived, as differences to be added up; written by triggers on deals, read by pipeline_summary. Do not write it yourself: crm_rebuild_totals() computes it again';
COMMENT ON COLUMN stage_totals.tenant_id IS 'The tenant of the deals';
COMMENT ON COLUMN stage_totals.pipeline_id IS 'The pipeline of the stage';
COMMENT ON COLUMN stage_totals.stage_id IS 'The stage that the deals stand in';
COMMENT ON COLUMN stage_totals.currency IS 'The currency of the deals; null: none';
COMMENT ON COLUMN stage_totals.value_period IS 'The value_period of the deals';
COMMENT ON COLUMN stage_totals.deals IS 'By how many the number of deals changes';
COMMENT ON COLUMN stage_totals.deals_without_amount IS 'By how many the number of deals without an amount changes';
COMMENT ON COLUMN stage_totals.deals_without_probability IS 'By how many the number of deals without a probability changes';
COMMENT ON COLUMN stage_totals.value IS 'By how much the sum of amounts changes';
COMMENT ON COLUMN stage_totals.weighted_value IS 'By how much the sum of amount times probability changes';
