-- Stages: the ordered steps of a pipeline.

CREATE TABLE stages (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    pipeline_id uuid NOT NULL,
    name text NOT NULL,
    position integer NOT NULL DEFAULT crm_defaults.filled_in_integer(),
    deal_status text NOT NULL DEFAULT 'auto',
    probability numeric(38,4),
    rotting_days integer,
    forecast_category text,
    external_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    archived_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stages_pkey PRIMARY KEY (id),
    CONSTRAINT stages_pipeline_id_fkey FOREIGN KEY (pipeline_id) REFERENCES pipelines (id) ON DELETE CASCADE,
    CONSTRAINT stages_external_id_key UNIQUE (external_id, tenant_id),
    CONSTRAINT stages_name_check CHECK (@extension@.crm_name_key(name) <> ''),
    CONSTRAINT stages_deal_status_check CHECK (deal_status IN ('open', 'won', 'lost')),
    CONSTRAINT stages_probability_check CHECK (
        CASE deal_status
            WHEN 'won' THEN coalesce(probability = 1, false)
            WHEN 'lost' THEN coalesce(probability = 0, false)
            ELSE probability BETWEEN 0 AND 1
        END),
    CONSTRAINT stages_rotting_days_check CHECK (rotting_days > 0),
    CONSTRAINT stages_forecast_category_check CHECK (
        CASE deal_status
            WHEN 'won' THEN forecast_category IN ('closed', 'omitted')
            WHEN 'lost' THEN forecast_category = 'omitted'
            ELSE forecast_category IN ('pipeline', 'best_case', 'commit', 'omitted')
        END),
    CONSTRAINT stages_times_check CHECK (@extension@.crm_are_times(archived_at, created_at, updated_at)),
    CONSTRAINT stages_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);

-- Archived stages keep their names and positions, which new ones may use again.  There is
-- another reason for the predicates: PostgreSQL takes the columns of a unique index
-- without a predicate as a key that foreign keys may refer to, so that an update of them
-- waits for all moves into the stage (FOR KEY SHARE), and these for reorder_stages.
CREATE UNIQUE INDEX stages_name_key ON stages (pipeline_id, @extension@.crm_name_key(name) COLLATE "C") WHERE archived_at IS NULL;
CREATE UNIQUE INDEX stages_position_key ON stages (pipeline_id, position) WHERE archived_at IS NULL;
-- For the stages of a pipeline, archived ones too, and for the foreign key.
CREATE INDEX stages_pipeline_id_idx ON stages (pipeline_id);

COMMENT ON TABLE stages IS 'An ordered step of a pipeline';
COMMENT ON COLUMN stages.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN stages.tenant_id IS 'The tenant of the pipeline; filled in, never changes';
COMMENT ON COLUMN stages.pipeline_id IS 'The pipeline the stage belongs to; never changes';
COMMENT ON COLUMN stages.name IS 'Name, unique in the pipeline among stages that are not archived; compared by crm_name_key';
COMMENT ON COLUMN stages.position IS 'Place in the order of the pipeline, unique there among stages that are not archived; default: the end. Change it with reorder_stages';
COMMENT ON COLUMN stages.deal_status IS 'The status of a deal while it stands here: open, won or lost; default: open';
COMMENT ON COLUMN stages.probability IS 'The probability, 0 to 1, that a deal gets when it enters; 1 for won, 0 for lost; null: deals keep theirs';
COMMENT ON COLUMN stages.rotting_days IS 'Days in the stage after which an open deal counts as rotting; null: never';
COMMENT ON COLUMN stages.forecast_category IS 'The category of the deals in forecasts: pipeline, best_case, commit or omitted if open; closed or omitted if won; omitted if lost; null: by status and position, see stage_forecast_categories';
COMMENT ON COLUMN stages.external_id IS 'Identifier in the system the row was synchronised from; unique per tenant';
COMMENT ON COLUMN stages.metadata IS 'Further data of your own, a JSON object';
COMMENT ON COLUMN stages.archived_at IS 'When the stage was archived; from then on it takes no new deals';
COMMENT ON COLUMN stages.created_at IS 'When the row was created';
COMMENT ON COLUMN stages.updated_at IS 'When the row was last updated; set by a trigger';
