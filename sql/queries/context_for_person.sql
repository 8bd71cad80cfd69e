-- A person with their deals, and the sums of these.

SELECT CASE
        WHEN @extension@.crm_linked_row_is_missing(context_for_person.crm, 'contacts', context_for_person.person_id)
        THEN @extension@.crm_raise('PT404', format('person %s does not exist', context_for_person.person_id), NULL, 'Use the id of a contact that you may read.')
        WHEN context_for_person.max_deals NOT BETWEEN 1 AND 100
        THEN @extension@.crm_raise('22023', format('max_deals must not be %s', context_for_person.max_deals), NULL, 'It is from 1 to 100.')
        WHEN context_for_person.skip_deals < 0
        THEN @extension@.crm_raise('22023', format('skip_deals must not be %s', context_for_person.skip_deals), NULL, 'It is 0 or more: how many deals to leave out at the beginning.')
    END;

WITH their_deals AS MATERIALIZED (
    SELECT d.id, d.tenant_id, d.title, d.status, d.amount, d.currency, d.value_period, d.probability,
        d.expected_close_date, d.stage_entered_at, d.won_at, d.lost_at, d.lost_reason,
        d.owner_id, d.organization_id, p.id AS pipeline_id, p.name AS pipeline_name, s.id AS stage_id, s.name AS stage_name,
        c.role, c.is_primary
    FROM @crm@.deal_contacts AS c
        JOIN @crm@.deals AS d ON d.id = c.deal_id
        LEFT JOIN @crm@.pipelines AS p ON p.id = d.pipeline_id
        LEFT JOIN @crm@.stages AS s ON s.id = d.stage_id
    WHERE c.contact_id = context_for_person.person_id
        AND d.archived_at IS NULL
), shown AS MATERIALIZED (
    SELECT d.*
    FROM their_deals AS d
    ORDER BY d.status <> 'open', d.stage_entered_at DESC, d.id
    LIMIT coalesce(context_for_person.max_deals, 10) OFFSET coalesce(context_for_person.skip_deals, 0)
)
SELECT jsonb_build_object(
    'person', @extension@.crm_linked_row(context_for_person.crm, 'contacts', context_for_person.person_id),
    'deals', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'id', d.id,
                'title', d.title,
                'status', d.status,
                'amount', trim_scale(d.amount),
                'currency', d.currency,
                'value_period', d.value_period,
                'probability', trim_scale(d.probability),
                'pipeline', jsonb_build_object('id', d.pipeline_id, 'name', d.pipeline_name),
                'stage', jsonb_build_object('id', d.stage_id, 'name', d.stage_name),
                'owner', CASE WHEN d.owner_id IS NOT NULL THEN jsonb_build_object('id', d.owner_id,
                    'name', @extension@.crm_linked_name(context_for_person.crm, 'owners', d.owner_id)) END,
                'organization', CASE WHEN d.organization_id IS NOT NULL THEN jsonb_build_object('id', d.organization_id,
                    'name', @extension@.crm_linked_name(context_for_person.crm, 'organizations', d.organization_id)) END,
                'role', d.role,
                'is_primary', d.is_primary,
                'tags', coalesce((
                    SELECT jsonb_agg(t.name ORDER BY lower(t.name))
                    FROM @crm@.deal_tags AS dt JOIN @crm@.tags AS t ON t.id = dt.tag_id
                    WHERE dt.deal_id = d.id), '[]'),
                'expected_close_date', d.expected_close_date,
                'stage_entered_at', d.stage_entered_at,
                'won_at', d.won_at,
                'lost_at', d.lost_at,
                'lost_reason', d.lost_reason,
                'last_changes', coalesce((
                    SELECT jsonb_agg(jsonb_build_object(
                            'changed_at', h.changed_at,
                            'from_stage', jsonb_build_object('id', h.from_stage_id, 'name', f.name),
                            'to_stage', jsonb_build_object('id', h.to_stage_id, 'name', t.name),
                            'to_status', h.to_status,
                            'changed_by', h.changed_by,
                            'is_undo', h.reverts_no IS NOT NULL) ORDER BY h.move_no DESC)
                    FROM (SELECT c.move_no, c.changed_at, c.from_stage_id, c.to_stage_id, c.to_status,
                                c.changed_by, c.reverts_no
                            FROM @crm@.stage_changes AS c
                            WHERE c.deal_id = d.id AND c.tenant_id = d.tenant_id
                            ORDER BY c.move_no DESC
                            LIMIT 3) AS h
                        LEFT JOIN @crm@.stages AS f ON f.id = h.from_stage_id
                        LEFT JOIN @crm@.stages AS t ON t.id = h.to_stage_id), '[]'))
            ORDER BY d.status <> 'open', d.stage_entered_at DESC, d.id)
        FROM shown AS d), '[]'),
    'deals_total', (SELECT count(*) FROM their_deals),
    'next_deals', (
        SELECT n.reached
        FROM (SELECT coalesce(context_for_person.skip_deals, 0) + count(*) AS reached FROM shown) AS n
        WHERE n.reached < (SELECT count(*) FROM their_deals) AND EXISTS (SELECT FROM shown)),
    'totals', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'status', t.status,
                'currency', t.currency,
                'value_period', CASE WHEN t.first_period = t.last_period THEN t.first_period END,
                'deals', t.deals,
                'deals_without_amount', t.deals_without_amount,
                'deals_without_probability', t.deals_without_probability,
                'value', trim_scale(t.value),
                'weighted_value', trim_scale(t.weighted_value))
            ORDER BY array_position(ARRAY['open', 'won', 'lost'], t.status), t.currency)
        FROM (SELECT d.status, d.currency, count(*) AS deals,
                min(d.value_period) FILTER (WHERE d.amount IS NOT NULL) AS first_period,
                max(d.value_period) FILTER (WHERE d.amount IS NOT NULL) AS last_period,
                count(*) FILTER (WHERE d.amount IS NULL) AS deals_without_amount,
                count(*) FILTER (WHERE d.probability IS NULL) AS deals_without_probability,
                coalesce(sum(d.amount), 0) AS value,
                coalesce(@extension@.crm_weighted_value(d.amount, d.probability), 0) AS weighted_value
            FROM their_deals AS d
            GROUP BY d.status, d.currency) AS t), '[]'));
