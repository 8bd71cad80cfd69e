-- Deal changes: the history of the values of deals, and of their creation and
-- deletion, written by a trigger on deals.
--
-- A row has all recorded columns, before and after the change, so that each row
-- has the whole state.  The rows of a deal are in the order of changed_at and
-- then version.  No foreign keys, as in stage_changes.

CREATE TABLE deal_changes (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL,
    deal_id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    stage_entered_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    move_no integer NOT NULL,
    version integer NOT NULL,
    change text NOT NULL,
    status text NOT NULL,
    -- first those that summaries of the past read, as in deals
    old_amount numeric(19,4),
    old_currency text,
    old_value_period text,
    old_archived_at timestamptz,
    old_probability numeric(5,4),
    old_owner_id uuid,
    old_expected_close_date date,
    new_amount numeric(19,4),
    new_currency text,
    new_value_period text,
    new_archived_at timestamptz,
    new_probability numeric(5,4),
    new_owner_id uuid,
    new_expected_close_date date,
    changed_by text NOT NULL,
    recorded_by text NOT NULL,
    with_move integer,
    other jsonb,
    reason text,
    superseded jsonb,
    correction_id uuid,
    CONSTRAINT deal_changes_pkey PRIMARY KEY (id),
    CONSTRAINT deal_changes_change_check
        CHECK (change IN ('created', 'updated', 'edited', 'archived', 'unarchived', 'deleted', 'restored',
            'recreated', 'corrected', 'erased'))
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

CREATE INDEX deal_changes_deal_id_changed_at_idx ON deal_changes (deal_id, changed_at);
-- For finding the changes after a moment.
CREATE INDEX deal_changes_changed_at_idx ON deal_changes (changed_at) WHERE change <> 'created';

-- With creations, which are most rows: as in stage_changes.
CREATE INDEX deal_changes_changed_at_brin_idx ON deal_changes USING brin (changed_at) WITH (pages_per_range = 32);

-- Deleted deals of a pipeline, and gaps in the history: few.
CREATE INDEX deal_changes_pipeline_id_idx ON deal_changes (pipeline_id, changed_at) WHERE change IN ('deleted', 'restored', 'recreated', 'erased');
-- Deals that began another life: fewer, and read for each report on visits.
CREATE INDEX deal_changes_recreated_idx ON deal_changes (deal_id) WHERE change = 'recreated';

-- Deals that somebody had and has no more: few.
CREATE INDEX deal_changes_old_owner_id_idx ON deal_changes (old_owner_id)
    WHERE old_owner_id IS NOT NULL AND old_owner_id IS DISTINCT FROM new_owner_id;

COMMENT ON TABLE deal_changes IS 'The history of deals apart from their moves: a row whenever a deal is created, deleted or archived, or its amount, currency, probability, value_period, expected_close_date or owner changes; written by a trigger; never updated but by a correction, which keeps what was. In the order of changed_at and version';
COMMENT ON COLUMN deal_changes.id IS 'Identifier, time-ordered';
COMMENT ON COLUMN deal_changes.tenant_id IS 'The tenant of the deal';
COMMENT ON COLUMN deal_changes.deal_id IS 'The deal that changed; it may have been deleted since';
COMMENT ON COLUMN deal_changes.pipeline_id IS 'The pipeline of the stage';
COMMENT ON COLUMN deal_changes.stage_id IS 'The stage the deal stood in before the change; if created, the stage that it was put into';
COMMENT ON COLUMN deal_changes.stage_entered_at IS 'When the deal had entered that stage';
COMMENT ON COLUMN deal_changes.changed_at IS 'When the change took effect: the time of the move, if the deal also moved';
COMMENT ON COLUMN deal_changes.recorded_at IS 'When the change was recorded (clock time)';
COMMENT ON COLUMN deal_changes.move_no IS 'Number of moves the deal had made before the change';
COMMENT ON COLUMN deal_changes.version IS 'The version of the deal after the change; if deleted, the next number';
COMMENT ON COLUMN deal_changes.change IS 'created; updated; edited: none of the columns below changed, but others; archived or unarchived, perhaps with other changes; deleted; restored: put back as it was deleted, after as many moves, in the same stage and with the same stage_entered_at (to the millisecond), so that it goes on; recreated: inserted under the id of a deleted deal as a new one; corrected: times of its past were, or its whole history, and what they were is in superseded; erased: rows of the history were, so it is incomplete up to changed_at';
COMMENT ON COLUMN deal_changes.status IS 'The status of the deal in that stage';
COMMENT ON COLUMN deal_changes.old_amount IS 'The amount before the change; null if created';
COMMENT ON COLUMN deal_changes.new_amount IS 'The amount after the change; null if deleted';
COMMENT ON COLUMN deal_changes.old_currency IS 'The currency before the change; null if created';
COMMENT ON COLUMN deal_changes.new_currency IS 'The currency after the change; null if deleted';
COMMENT ON COLUMN deal_changes.old_probability IS 'The probability before the change; null if created. A change of probability by a move is recorded in stage_changes only';
COMMENT ON COLUMN deal_changes.new_probability IS 'The probability after the change; null if deleted';
COMMENT ON COLUMN deal_changes.old_value_period IS 'The value_period before the change; null if created';
COMMENT ON COLUMN deal_changes.new_value_period IS 'The value_period after the change; null if deleted';
COMMENT ON COLUMN deal_changes.old_expected_close_date IS 'The expected_close_date before the change; null if created';
COMMENT ON COLUMN deal_changes.new_expected_close_date IS 'The expected_close_date after the change; null if deleted';
COMMENT ON COLUMN deal_changes.old_owner_id IS 'The owner before the change; null if created';
COMMENT ON COLUMN deal_changes.new_owner_id IS 'The owner after the change; null if deleted';
COMMENT ON COLUMN deal_changes.old_archived_at IS 'When the deal had been archived before the change; null: it was not';
COMMENT ON COLUMN deal_changes.new_archived_at IS 'When the deal was archived after the change; null: it is not';
COMMENT ON COLUMN deal_changes.changed_by IS 'Who changed the deal, as the session declared it: see crm_current_actor()';
COMMENT ON COLUMN deal_changes.recorded_by IS 'The database user of the session that changed the deal';
COMMENT ON COLUMN deal_changes.with_move IS 'The number of the move that the same statement made; null: none. If the time of that move is corrected, changed_at follows';
COMMENT ON COLUMN deal_changes.other IS 'What else changed: for title, organization_id, forecast_category, lost_reason, external_id, created_at, merged_into and each column of crm_track_column() that did, an object with old and new';
COMMENT ON COLUMN deal_changes.reason IS 'Why the history was corrected: an argument of correct_move and replace_history, or the setting crm.reason';
COMMENT ON COLUMN deal_changes.superseded IS 'If corrected: what was before, as arrays of whole rows of stage_changes and deal_changes, and the times of the deal';
COMMENT ON COLUMN deal_changes.correction_id IS 'The row that has what this one was before its times were corrected last; null: they never were';
