-- Deals: opportunities, each standing in one stage.
--
-- The columns that summaries read come first, as the server has to decode all
-- columns before the one that is read.
--
-- The types of amount and probability take more digits than the CHECK allows, so that a
-- probability of 70 is refused by the rules, which say what is expected, not by the type.
--
-- PostgreSQL parses each CHECK anew for every statement, at a cost that grows with its
-- text, unless the session has it ready (src/table/kept_checks.c).  So there is one, of
-- one function, which names its rules as constraints: deals_title_check, ...  The
-- values that a column takes are stated by domains, which PostgreSQL parses once for a
-- session.  The CHECK casts to them; the columns are of plain types, as mappers do not
-- know domains.

CREATE DOMAIN deal_status AS text
    CONSTRAINT deals_status_check CHECK (VALUE IN ('open', 'won', 'lost'));
CREATE DOMAIN value_period AS text
    CONSTRAINT deals_value_period_check CHECK (VALUE IN ('one_time', 'monthly', 'quarterly', 'annual'));
CREATE DOMAIN forecast_category AS text
    CONSTRAINT deals_forecast_category_check CHECK (VALUE IN ('pipeline', 'best_case', 'commit', 'omitted'));
CREATE DOMAIN deal_metadata AS jsonb
    CONSTRAINT deals_metadata_check CHECK (jsonb_typeof(VALUE) = 'object');
-- They are for this CHECK only: a user's column of such a type would prevent changing it.
REVOKE USAGE ON DOMAIN deal_status, value_period, forecast_category, deal_metadata FROM PUBLIC;

COMMENT ON DOMAIN deal_status IS 'What deals.status may be';
COMMENT ON DOMAIN value_period IS 'What deals.value_period may be';
COMMENT ON DOMAIN forecast_category IS 'What deals.forecast_category may be';
COMMENT ON DOMAIN deal_metadata IS 'What deals.metadata may be';

CREATE TABLE deals (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    pipeline_id uuid NOT NULL DEFAULT crm_defaults.filled_in_uuid(),
    stage_id uuid NOT NULL DEFAULT crm_defaults.filled_in_uuid(),
    archived_at timestamptz,
    amount numeric(38,4),
    currency text,
    probability numeric(38,4),
    value_period text NOT NULL DEFAULT 'one_time',
    status text NOT NULL DEFAULT 'auto',
    stage_entered_at timestamptz NOT NULL DEFAULT crm_defaults.filled_in_time(),
    move_no integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    title text NOT NULL,
    description text,
    owner_id uuid,
    organization_id uuid,
    expected_close_date date,
    forecast_category text,
    won_at timestamptz,
    lost_at timestamptz,
    lost_reason text,
    external_id text,
    rank text COLLATE "C",
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT crm_defaults.filled_in_time(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    merged_into uuid,
    CONSTRAINT deals_pkey PRIMARY KEY (id),
    CONSTRAINT deals_pipeline_id_fkey FOREIGN KEY (pipeline_id) REFERENCES pipelines (id),
    CONSTRAINT deals_stage_id_fkey FOREIGN KEY (stage_id) REFERENCES stages (id),
    CONSTRAINT deals_external_id_key UNIQUE (external_id, tenant_id),
    CONSTRAINT deals_check CHECK (@extension@.crm_check_deal(title, amount, currency, probability, status::deal_status, value_period::value_period,
        forecast_category::forecast_category, metadata::deal_metadata, won_at, lost_at, lost_reason, archived_at, stage_entered_at, expected_close_date,
        created_at, updated_at))
);

-- For the board of a stage in its order, and for the checks of the foreign key.
CREATE INDEX deals_stage_id_rank_idx ON deals (stage_id, rank);
CREATE INDEX deals_pipeline_id_idx ON deals (pipeline_id);
CREATE INDEX deals_expected_close_date_idx ON deals (tenant_id, expected_close_date) WHERE status = 'open';
CREATE INDEX deals_merged_into_idx ON deals (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX deals_owner_id_idx ON deals (owner_id) WHERE status = 'open';

COMMENT ON TABLE deals IS 'A sales opportunity, standing in one stage of a pipeline; every move is recorded in stage_changes';
COMMENT ON COLUMN deals.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN deals.tenant_id IS 'The tenant the row belongs to; filled in, never changes';
COMMENT ON COLUMN deals.pipeline_id IS 'The pipeline of the stage; writing it alone moves the deal to that pipeline''s first open stage';
COMMENT ON COLUMN deals.stage_id IS 'The stage the deal stands in; writing it moves the deal. Default: the first open stage of the pipeline, or of the default pipeline';
COMMENT ON COLUMN deals.archived_at IS 'When the deal was archived; archived deals count in no total';
COMMENT ON COLUMN deals.amount IS 'Value of the deal, in its currency and per its value_period; null: not known';
COMMENT ON COLUMN deals.currency IS 'ISO 4217 code of the amount; the pipeline''s if an amount comes without one';
COMMENT ON COLUMN deals.probability IS 'Probability of winning, 0 to 1; set to the stage''s when the deal enters it, unless written; always 1 if won and 0 if lost';
COMMENT ON COLUMN deals.value_period IS 'The period that the amount is for: one_time, monthly, quarterly or annual';
COMMENT ON COLUMN deals.status IS 'open, won or lost: the deal_status of the stage, which auto, the default, stands for; writing it alone moves the deal to the pipeline''s only stage of that status';
COMMENT ON COLUMN deals.stage_entered_at IS 'When the deal entered its stage: the effective time of its last move; written together with stage_id, it dates the move';
COMMENT ON COLUMN deals.move_no IS 'Number of moves so far; set by a trigger';
COMMENT ON COLUMN deals.version IS 'Version number of the row, increased by each update; for optimistic locking';
COMMENT ON COLUMN deals.title IS 'Short name of the deal';
COMMENT ON COLUMN deals.description IS 'What the deal is about';
COMMENT ON COLUMN deals.owner_id IS 'The responsible person: a row of the linked owners table, or any uuid while none is linked';
COMMENT ON COLUMN deals.organization_id IS 'The customer organization: a row of the linked organizations table, or any uuid while none is linked';
COMMENT ON COLUMN deals.expected_close_date IS 'The day the deal is expected to close';
COMMENT ON COLUMN deals.forecast_category IS 'The deal''s category in forecasts while it is open: pipeline, best_case, commit or omitted; null: that of its stage. Kept until it is changed; no effect once the deal is closed';
COMMENT ON COLUMN deals.won_at IS 'When the deal was won; set if and only if its status is won';
COMMENT ON COLUMN deals.lost_at IS 'When the deal was lost; set if and only if its status is lost';
COMMENT ON COLUMN deals.lost_reason IS 'Why the deal was lost; only while its status is lost';
COMMENT ON COLUMN deals.external_id IS 'Identifier in the system the row was synchronised from; unique per tenant';
COMMENT ON COLUMN deals.rank IS 'Order on the board within a stage, compared byte by byte; chosen by the client';
COMMENT ON COLUMN deals.metadata IS 'Further data of your own, a JSON object';
COMMENT ON COLUMN deals.created_at IS 'When the deal was created; default: when it entered its first stage';
COMMENT ON COLUMN deals.updated_at IS 'When the row was last updated; set by a trigger';
COMMENT ON COLUMN deals.merged_into IS 'The deal that this one was merged into by merge_deals, which archived it';
