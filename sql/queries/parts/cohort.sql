-- The deals that stand in the pipeline, or stood there and went to another one.
FROM (SELECT @query@.group_of.d AS keys, d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.created_at, d.won_at, d.lost_at,
            d.owner_id, d.amount, d.currency, d.tenant_id, d.archived_at
        FROM @crm@.deals AS d
        WHERE d.pipeline_id = @query@.pipeline_id
        UNION ALL
        SELECT @query@.group_of.d, d.id, d.status, d.stage_id, d.stage_entered_at, d.pipeline_id, d.created_at, d.won_at, d.lost_at,
            d.owner_id, d.amount, d.currency, d.tenant_id, d.archived_at
        FROM @crm@.deals AS d
        WHERE d.pipeline_id <> @query@.pipeline_id
            AND (d.id, d.tenant_id) IN (SELECT c.deal_id, c.tenant_id FROM @crm@.stage_changes AS c
                WHERE c.from_pipeline_id = @query@.pipeline_id
                    AND (c.to_pipeline_id < @query@.pipeline_id OR c.to_pipeline_id > @query@.pipeline_id)
                    AND NOT EXISTS (SELECT FROM @crm@.deal_changes AS l
                        WHERE l.change = 'recreated'
                            AND l.deal_id = c.deal_id AND l.tenant_id = c.tenant_id AND l.move_no >= c.move_no))) AS d
WHERE d.archived_at IS NULL
    AND (@query@.owner_id IS NULL OR d.owner_id = @query@.owner_id)
    AND (@query@.currency IS NULL OR @query@.currency =
        coalesce(d.currency, (SELECT p.currency FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id)))
