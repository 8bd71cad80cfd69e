(SELECT array_agg(s.id ORDER BY s.position, s.id) AS ids, array_agg(s.deal_status ORDER BY s.position, s.id) AS statuses
    FROM @crm@.stages AS s
    WHERE s.pipeline_id = @query@.pipeline_id) AS p
