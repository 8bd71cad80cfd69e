-- The API of stages.

CREATE FUNCTION reorder_stages(pipeline_id uuid, stage_ids uuid[])
    RETURNS SETOF stages
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT crm_current_row((SELECT t FROM stages AS t WHERE false), o.id)
    FROM unnest(crm_reorder_stages('stages'::regclass, reorder_stages.pipeline_id, reorder_stages.stage_ids))
        WITH ORDINALITY AS o (id, n)
    ORDER BY o.n;
END;
REVOKE EXECUTE ON FUNCTION reorder_stages(uuid, uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION reorder_stages(uuid, uuid[]) IS
'Put the stages of a pipeline in another order

stage_ids names all stages of the pipeline, archived ones too, each once, in their new order. Their positions become 1, 2, ...

Returns the stages in their new order. Errors: PT404 for an unknown pipeline, 22023 if a stage is missing, repeated or not of the pipeline.

@mcp name=stages_reorder idempotent';

CREATE FUNCTION delete_stage(stage_id uuid, move_deals_to uuid DEFAULT NULL)
    RETURNS integer
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT crm_delete_stage('stages'::regclass, delete_stage.stage_id, delete_stage.move_deals_to);
END;
REVOKE EXECUTE ON FUNCTION delete_stage(uuid, uuid) FROM PUBLIC;
COMMENT ON FUNCTION delete_stage(uuid, uuid) IS
'Delete a stage, after moving its deals to another one

move_deals_to is the stage for the deals that stand in the one to delete, archived deals too; each is recorded as a move. It can be left out if there are none.

Returns how many deals moved. Errors: PT404 for an unknown stage, 23503 for an unknown move_deals_to or if deals have nowhere to go, 22023 if the two are the same.

@mcp name=stages_delete_moving_deals';

CREATE FUNCTION apply_stage_probability(stage_id uuid)
    RETURNS integer
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN given.id IS NULL THEN crm_raise('22004', 'stage_id must not be null')
            WHEN s.id IS NULL THEN crm_raise('PT404', format('stage %s does not exist', given.id))
            WHEN s.probability IS NULL
            THEN crm_raise('22023', format('stage "%s" has no probability', s.name),
                'Its deals keep theirs.', 'Set the probability of the stage first.')
        END
    FROM (SELECT apply_stage_probability.stage_id) AS given (id)
        LEFT JOIN stages AS s ON s.id = given.id;

    WITH changed AS (
        UPDATE deals AS d SET probability = s.probability
        FROM stages AS s
        WHERE s.id = apply_stage_probability.stage_id
            AND d.stage_id = s.id
            AND d.probability IS DISTINCT FROM s.probability
        RETURNING d.id
    )
    SELECT count(*)::integer FROM changed;
END;
REVOKE EXECUTE ON FUNCTION apply_stage_probability(uuid) FROM PUBLIC;
COMMENT ON FUNCTION apply_stage_probability(uuid) IS
'Give the deals of a stage the probability of the stage

A changed probability of a stage counts for deals that enter from then on; this applies it to those that stand there now, archived ones too, whatever theirs is.

Returns how many deals changed. Errors: PT404 for an unknown stage, 22023 for a stage without a probability.

@mcp name=stages_apply_probability idempotent';
