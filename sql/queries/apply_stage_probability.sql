-- Sets the probability of a stage's deals to that of the stage.

SELECT CASE WHEN s.probability IS NULL
    THEN @extension@.crm_raise('22023', format('stage "%s" has no probability', s.name),
        'Its deals keep theirs.', 'Set the probability of the stage first.') END
FROM @crm@.stages AS s
WHERE s.id = apply_stage_probability.stage_id;

WITH changed AS (
    UPDATE @crm@.deals AS d SET probability = s.probability
    FROM @crm@.stages AS s
    WHERE s.id = apply_stage_probability.stage_id
        AND d.stage_id = s.id
        AND d.probability IS DISTINCT FROM s.probability
    RETURNING d.id
)
SELECT count(*)::integer FROM changed;
