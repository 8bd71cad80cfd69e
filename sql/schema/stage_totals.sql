-- Stage totals: what the unarchived deals of each stage add up to, kept up to
-- date by the triggers on deals.
--
-- A statement on deals inserts rows here and updates none, so that writers
-- never wait for each other.  A total is the sum of its rows; now and then a
-- writer replaces the rows of a pipeline by their sums.  No primary key, as
-- nobody looks for a row: one index is what a write pays for.
--
-- Row security without a policy: these are totals of all deals, so only the
-- owner reads them here, whatever is granted; crm_pipeline_totals() gives them
-- to those who may see every deal that they count.

CREATE TABLE stage_totals (
    tenant_id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    currency text,
    value_period text NOT NULL,
    deals bigint NOT NULL,
    deals_without_amount bigint NOT NULL,
    value numeric NOT NULL,
    weighted_value numeric NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX stage_totals_pipeline_id_idx ON stage_totals (pipeline_id);

-- Rows are deleted, which a publication wants to know them by.
ALTER TABLE stage_totals REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY;

COMMENT ON TABLE stage_totals IS 'Totals of the deals that are not archived, as differences to be added up; written by triggers on deals, read through pipeline_summary. Not to be written by hand: crm_rebuild_totals() computes it anew';
COMMENT ON COLUMN stage_totals.tenant_id IS 'The tenant of the deals';
COMMENT ON COLUMN stage_totals.pipeline_id IS 'The pipeline of the stage';
COMMENT ON COLUMN stage_totals.stage_id IS 'The stage the deals stand in';
COMMENT ON COLUMN stage_totals.currency IS 'The currency of the deals; null: none';
COMMENT ON COLUMN stage_totals.value_period IS 'The value_period of the deals';
COMMENT ON COLUMN stage_totals.deals IS 'How many deals more (or less, if negative)';
COMMENT ON COLUMN stage_totals.deals_without_amount IS 'How many of them have no amount';
COMMENT ON COLUMN stage_totals.value IS 'What their amounts add';
COMMENT ON COLUMN stage_totals.weighted_value IS 'What amount times probability adds';
