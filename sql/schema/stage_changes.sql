-- Stage changes: the history of every deal, written by a trigger on deals.
--
-- No foreign keys: history remains when the rows that it refers to are deleted.
-- recorded_at takes the place of created_at.

CREATE TABLE stage_changes (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL,
    deal_id uuid NOT NULL,
    from_pipeline_id uuid NOT NULL,
    from_stage_id uuid NOT NULL,
    to_pipeline_id uuid NOT NULL,
    to_stage_id uuid NOT NULL,
    entered_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    move_no integer NOT NULL,
    -- not next to reverts_id, as analytics read this column in every row
    reverts_no integer,
    from_status text NOT NULL,
    to_status text NOT NULL,
    from_probability numeric(5,4),
    amount numeric(19,4),
    currency text,
    value_period text NOT NULL DEFAULT 'one_time',
    probability numeric(5,4),
    changed_by text NOT NULL,
    recorded_by text NOT NULL,
    reverts_id uuid,
    closing jsonb,
    correction_id uuid,
    @single@ CONSTRAINT stage_changes_deal_id_move_no_key UNIQUE (deal_id, move_no),
    -- The tenant is compared too, as another one may have deleted a deal of the same id.
    @shared@ CONSTRAINT stage_changes_deal_id_move_no_key UNIQUE (deal_id, move_no, tenant_id),
    CONSTRAINT stage_changes_pkey PRIMARY KEY (id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

-- The history of a pipeline, and the deals that went from it to another one.
CREATE INDEX stage_changes_pipeline_idx ON stage_changes (from_pipeline_id, to_pipeline_id);
-- Deals that came from another pipeline: few.
CREATE INDEX stage_changes_to_pipeline_id_idx ON stage_changes (to_pipeline_id) WHERE from_pipeline_id <> to_pipeline_id;
-- Rows that take a move of a pipeline back: few.
CREATE INDEX stage_changes_reverts_no_idx ON stage_changes (to_pipeline_id) WHERE reverts_no IS NOT NULL;

-- For finding, by time, the visits at a moment and the moves after it.  New rows are
-- appended to the table, so a BRIN index is enough: rows written long after a moment
-- seldom end a visit that began before it.  VACUUM puts new rows into it, and until then
-- all of them are read; hence the storage parameter.
CREATE INDEX stage_changes_changed_at_idx ON stage_changes USING brin (changed_at, entered_at) WITH (pages_per_range = 32);

COMMENT ON TABLE stage_changes IS 'The history of moves: a row for every move of a deal, written by a trigger; never updated but by a correction, which keeps what was';
COMMENT ON COLUMN stage_changes.id IS 'Identifier, time-ordered';
COMMENT ON COLUMN stage_changes.tenant_id IS 'The tenant of the deal';
COMMENT ON COLUMN stage_changes.deal_id IS 'The deal that moved; it may have been deleted since';
COMMENT ON COLUMN stage_changes.from_pipeline_id IS 'The pipeline the deal left';
COMMENT ON COLUMN stage_changes.from_stage_id IS 'The stage the deal left';
COMMENT ON COLUMN stage_changes.to_pipeline_id IS 'The pipeline the deal entered';
COMMENT ON COLUMN stage_changes.to_stage_id IS 'The stage the deal entered';
COMMENT ON COLUMN stage_changes.entered_at IS 'When the deal had entered the stage it left: changed_at - entered_at is its time there';
COMMENT ON COLUMN stage_changes.changed_at IS 'When the deal moved (effective time)';
COMMENT ON COLUMN stage_changes.recorded_at IS 'When the move was recorded (clock time)';
COMMENT ON COLUMN stage_changes.move_no IS 'Number of the move: 1, 2, ... for each deal, without gaps';
COMMENT ON COLUMN stage_changes.reverts_no IS 'The number of the move that this row took back; null for an ordinary move. Neither of the two counts in the analytics';
COMMENT ON COLUMN stage_changes.from_status IS 'The status of the deal before the move';
COMMENT ON COLUMN stage_changes.to_status IS 'The status of the deal after the move';
COMMENT ON COLUMN stage_changes.amount IS 'The amount of the deal as of the move';
COMMENT ON COLUMN stage_changes.currency IS 'The currency of the deal as of the move';
COMMENT ON COLUMN stage_changes.value_period IS 'The value_period of the deal as of the move';
COMMENT ON COLUMN stage_changes.probability IS 'The probability of the deal as of the move, in the stage it entered';
COMMENT ON COLUMN stage_changes.from_probability IS 'The probability of the deal before the move';
COMMENT ON COLUMN stage_changes.changed_by IS 'Who moved the deal, as the session declared it: see crm_current_actor()';
COMMENT ON COLUMN stage_changes.recorded_by IS 'The database user of the session that moved the deal';
COMMENT ON COLUMN stage_changes.reverts_id IS 'The stage change that this one took back (undo_move); null for an ordinary move';
COMMENT ON COLUMN stage_changes.closing IS 'won_at, lost_at and lost_reason that the move cleared or replaced; null if there were none';
COMMENT ON COLUMN stage_changes.correction_id IS 'The row of deal_changes that has what this one was before its times were corrected last; null: they never were';
