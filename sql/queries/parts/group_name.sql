-- The name of a group's pipeline, stage, tag, deal or, if they are linked, owner or
-- organization; else its key.
CASE
    WHEN @of@.is_total THEN NULL
    ELSE coalesce(CASE @query@.group_by
            WHEN 'pipeline_id' THEN (SELECT n.name FROM @crm@.pipelines AS n WHERE n.id = @of@.group_key::uuid)
            WHEN 'stage_id' THEN (SELECT n.name FROM @crm@.stages AS n WHERE n.id = @of@.group_key::uuid)
            WHEN 'tag' THEN (SELECT n.name FROM @crm@.tags AS n WHERE n.id = @of@.group_key::uuid)
            WHEN 'owner_id' THEN @extension@.crm_linked_name(@query@.crm, 'owners', @of@.group_key::uuid)
            WHEN 'organization_id' THEN @extension@.crm_linked_name(@query@.crm, 'organizations', @of@.group_key::uuid)
            WHEN 'id' THEN (SELECT n.title FROM @crm@.deals AS n WHERE n.id = @of@.group_key::uuid)
        END, @of@.group_key)
END
