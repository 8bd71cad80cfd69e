-- The name of a group's pipeline, stage, tag, deal or, if they are linked, owner or
-- organization; else its key.
--
-- Under row security an index finds rows by a value, not by a cast of text, which might
-- tell of rows that the caller may not see: so the key is cast apart.
CASE
    WHEN @of@.is_total THEN NULL
    ELSE coalesce(CASE @query@.group_by
            WHEN 'pipeline_id' THEN (SELECT n.name FROM (SELECT @of@.group_key::uuid AS id OFFSET 0) AS k JOIN @crm@.pipelines AS n ON n.id = k.id)
            WHEN 'stage_id' THEN (SELECT n.name FROM (SELECT @of@.group_key::uuid AS id OFFSET 0) AS k JOIN @crm@.stages AS n ON n.id = k.id)
            WHEN 'tag' THEN (SELECT n.name FROM (SELECT @of@.group_key::uuid AS id OFFSET 0) AS k JOIN @crm@.tags AS n ON n.id = k.id)
            WHEN 'owner_id' THEN @extension@.crm_linked_name(@query@.crm, 'owners', @of@.group_key::uuid)
            WHEN 'organization_id' THEN @extension@.crm_linked_name(@query@.crm, 'organizations', @of@.group_key::uuid)
            WHEN 'id' THEN (SELECT n.title FROM (SELECT @of@.group_key::uuid AS id OFFSET 0) AS k JOIN @crm@.deals AS n ON n.id = k.id)
        END, @of@.group_key)
END
