-- A deal with everything about it, in one call.

SELECT jsonb_build_object(
    'deal', to_jsonb(d) - 'tenant_id' || jsonb_build_object(
        'description', left(d.description, 2000),
        'metadata', CASE WHEN octet_length(d.metadata::text) <= 4000 THEN d.metadata END,
        'metadata_bytes', octet_length(d.metadata::text),
        'amount', trim_scale(d.amount),
        'probability', trim_scale(d.probability),
        'weighted_value', trim_scale(d.amount * d.probability)),
    'stage', (
        SELECT jsonb_build_object('id', s.id, 'name', s.name, 'position', s.position,
            'deal_status', s.deal_status, 'probability', trim_scale(s.probability),
            'rotting_days', s.rotting_days)
        FROM @crm@.stages AS s WHERE s.id = d.stage_id),
    'pipeline', (
        SELECT jsonb_build_object('id', p.id, 'name', p.name, 'currency', p.currency,
            'stages', coalesce((
                SELECT jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name, 'deal_status', s.deal_status)
                    ORDER BY s.position)
                FROM @crm@.stages AS s WHERE s.pipeline_id = p.id AND s.archived_at IS NULL), '[]'))
        FROM @crm@.pipelines AS p WHERE p.id = d.pipeline_id),
    'owner', CASE WHEN d.owner_id IS NOT NULL THEN jsonb_build_object('id', d.owner_id,
        'name', @extension@.crm_linked_name(context_for_deal.crm, 'owners', d.owner_id)) END,
    'organization', CASE WHEN d.organization_id IS NOT NULL THEN jsonb_build_object('id', d.organization_id,
        'name', @extension@.crm_linked_name(context_for_deal.crm, 'organizations', d.organization_id)) END,
    'contacts', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'contact_id', c.contact_id,
                'role', c.role,
                'is_primary', c.is_primary,
                'contact', @extension@.crm_linked_row(context_for_deal.crm, 'contacts', c.contact_id))
            ORDER BY c.is_primary DESC, c.created_at, c.id)
        FROM (SELECT l.*
                FROM @crm@.deal_contacts AS l
                WHERE l.deal_id = d.id
                ORDER BY l.is_primary DESC, l.created_at, l.id
                LIMIT 20) AS c), '[]'),
    'contacts_total', (SELECT count(*) FROM @crm@.deal_contacts AS c WHERE c.deal_id = d.id),
    'tags', coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'color', t.color)
            ORDER BY lower(t.name))
        FROM @crm@.deal_tags AS dt JOIN @crm@.tags AS t ON t.id = dt.tag_id
        WHERE dt.deal_id = d.id), '[]'),
    'last_changes', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'changed_at', h.changed_at,
                'from_stage', jsonb_build_object('id', h.from_stage_id, 'name', f.name),
                'to_stage', jsonb_build_object('id', h.to_stage_id, 'name', t.name),
                'to_status', h.to_status,
                'changed_by', h.changed_by,
                'is_undo', h.reverts_no IS NOT NULL)
            ORDER BY h.move_no DESC)
        FROM (SELECT c.move_no, c.changed_at, c.from_stage_id, c.to_stage_id, c.to_status,
                    c.changed_by, c.reverts_no
                FROM @crm@.stage_changes AS c
                WHERE c.deal_id = d.id AND c.tenant_id = d.tenant_id
                ORDER BY c.move_no DESC
                LIMIT 10) AS h
            LEFT JOIN @crm@.stages AS f ON f.id = h.from_stage_id
            LEFT JOIN @crm@.stages AS t ON t.id = h.to_stage_id), '[]'),
    'overdue', jsonb_build_object(
        'closing_days', CASE WHEN d.status = 'open' AND d.expected_close_date < current_date AND isfinite(d.expected_close_date)
            THEN current_date - d.expected_close_date END,
        'rotting_days', (
            SELECT floor(extract(epoch FROM now() - d.stage_entered_at) / 86400)::integer - s.rotting_days
            FROM @crm@.stages AS s
            WHERE s.id = d.stage_id AND d.status = 'open'
                AND extract(epoch FROM now() - d.stage_entered_at) > s.rotting_days * 86400.0)))
FROM @crm@.deals AS d
WHERE d.id = context_for_deal.deal_id;
