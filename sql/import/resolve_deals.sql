-- Translates status, stage, owner and currency of the deals to those of the CRM.

-- The id: the value itself if it is a uuid, else the mapped one, else one computed from it.
CREATE UNLOGGED TABLE @import@.work_people AS
SELECT i.*, i.id IS NOT NULL AND @extension@.crm_linked_row_is_missing((SELECT q.schema_name::regnamespace FROM @import@.run AS q), i.kind || 's', i.id)
    AS is_missing
FROM (SELECT p.kind, p.value,
    CASE WHEN coalesce(m.target, p.value) ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN coalesce(m.target, p.value)::uuid
        WHEN m.target IS NULL AND (p.kind <> 'owner' OR r.policies ->> 'unknown_owners' = 'derive')
        THEN @extension@.crm_external_uuid(r.source || '/' || p.kind, p.value) END AS id
FROM (SELECT 'owner' AS kind, d.owner AS value FROM @import@.work_deals AS d WHERE d.owner IS NOT NULL
    UNION SELECT 'organization', d.organization FROM @import@.work_deals AS d WHERE d.organization IS NOT NULL
    UNION SELECT 'contact', btrim(c) FROM @import@.work_deals AS d CROSS JOIN LATERAL unnest(d.contacts) AS c WHERE btrim(c) <> ''
    UNION SELECT 'owner', v.old_value FROM @import@.work_values AS v WHERE v.field = 'owner' AND v.old_value IS NOT NULL
    UNION SELECT 'owner', v.new_value FROM @import@.work_values AS v WHERE v.field = 'owner' AND v.new_value IS NOT NULL) AS p
    CROSS JOIN @import@.run AS r
    LEFT JOIN @import@.mapping AS m ON m.kind = p.kind AND m.value = p.value) AS i;

CREATE UNLOGGED TABLE @import@.work_final AS
SELECT d.deal_no, d.file, d.line, d.external_id, d.pipeline, d.stage,
    l.pipeline_id, l.stage_no AS given_no, l.deal_status AS given_status, d.status_text,
    coalesce(ms.target, CASE WHEN lower(d.status_text) IN ('open', 'won', 'lost') THEN lower(d.status_text) END) AS status,
    e.first_open, pw.stage_no AS won_no, pl.stage_no AS lost_no,
    d.currency_text, coalesce(mc.target, CASE WHEN @extension@.crm_is_currency(upper(d.currency_text)) THEN upper(d.currency_text) END) AS currency,
    d.value_period_text,
    coalesce(mv.target, CASE WHEN d.value_period_text IN ('one_time', 'monthly', 'quarterly', 'annual') THEN d.value_period_text END)
        AS value_period,
    o.id AS owner_id, coalesce(o.is_missing, false) AS has_no_owner, g.id AS organization_id, coalesce(g.is_missing, false) AS has_no_organization, d.owner, d.organization, d.other_currency_text
FROM @import@.work_deals AS d
    LEFT JOIN @import@.work_places AS l ON l.pipeline = d.pipeline AND l.stage = d.stage
    LEFT JOIN @import@.work_endings AS e ON e.pipeline_id = l.pipeline_id
    LEFT JOIN @import@.work_places AS pw ON pw.pipeline = d.pipeline AND pw.stage = 'won'
    LEFT JOIN @import@.work_places AS pl ON pl.pipeline = d.pipeline AND pl.stage = 'lost'
    LEFT JOIN @import@.mapping AS ms ON ms.kind = 'status' AND ms.value = d.status_text
    LEFT JOIN @import@.mapping AS mc ON mc.kind = 'currency' AND mc.value = d.currency_text
    LEFT JOIN @import@.mapping AS mv ON mv.kind = 'value_period' AND mv.value = d.value_period_text
    LEFT JOIN @import@.work_people AS o ON o.kind = 'owner' AND o.value = d.owner
    LEFT JOIN @import@.work_people AS g ON g.kind = 'organization' AND g.value = d.organization;

INSERT INTO @import@.rejects
SELECT f.file, f.line, f.external_id, c.column_name, c.value, c.reason
FROM @import@.work_final AS f
    CROSS JOIN @import@.run AS r
    CROSS JOIN LATERAL (VALUES
        ('pipeline', nullif(f.pipeline, ''), f.pipeline_id IS NULL, CASE WHEN f.pipeline = '' THEN 'no pipeline, and there is no default one'
            ELSE 'there is no such pipeline (mapping, or policy unknown_stages)' END),
        ('stage', f.stage, f.pipeline_id IS NOT NULL AND f.stage <> '' AND f.given_no IS NULL,
            'there is no such stage in the pipeline (mapping, or policy unknown_stages)'),
        ('status', f.status_text, f.status_text IS NOT NULL AND f.status IS NULL, 'is not open, won or lost (mapping)'),
        ('status', f.status_text, f.status <> f.given_status AND f.given_status <> 'open',
            format('contradicts the stage, which is for deals that are %s', f.given_status)),
        ('status', f.status_text, f.status = 'won' AND f.given_status IS DISTINCT FROM 'won' AND f.pipeline_id IS NOT NULL AND f.won_no IS NULL,
            'the pipeline has no stage, or several, for deals that are won (mapping of the stage ''won'')'),
        ('status', f.status_text, f.status = 'lost' AND f.given_status IS DISTINCT FROM 'lost' AND f.pipeline_id IS NOT NULL AND f.lost_no IS NULL,
            'the pipeline has no stage, or several, for deals that are lost (mapping of the stage ''lost'')'),
        ('currency', f.currency_text, f.currency_text IS NOT NULL AND NOT coalesce(@extension@.crm_is_currency(f.currency), false),
            'is no currency of ISO 4217 (mapping)'),
        -- a symbol that is not mapped is not checked, as several currencies may use it
        ('amount', f.other_currency_text, f.currency <> coalesce((SELECT m.target FROM @import@.mapping AS m
            WHERE m.kind = 'currency' AND m.value = f.other_currency_text),
                CASE WHEN @extension@.crm_is_currency(upper(f.other_currency_text)) THEN upper(f.other_currency_text) END),
            format('the amount is in %s, the currency %s (mapping)', f.other_currency_text, f.currency_text)),
        ('value_period', f.value_period_text, f.value_period_text IS NOT NULL AND f.value_period IS NULL,
            'is not one_time, monthly, quarterly or annual (mapping)'),
        ('owner', f.owner, f.owner IS NOT NULL AND f.owner_id IS NULL, 'is neither a uuid nor mapped (mapping, or policy unknown_owners)'),
        ('organization', f.organization, f.organization IS NOT NULL AND f.organization_id IS NULL, 'the mapping has no uuid'),
        ('owner', f.owner, f.has_no_owner, 'there is no such row in the table that owners are linked to (mapping)'),
        ('organization', f.organization, f.has_no_organization, 'there is no such row in the table that organizations are linked to (mapping)')
    ) AS c (column_name, value, fails, reason)
WHERE c.fails;

-- The stages that moves name; of each deal, the first unknown one is reported.
INSERT INTO @import@.rejects
SELECT DISTINCT ON (m.external_id) m.file, m.line, m.external_id, c.column_name, c.value,
    'there is no such stage in the pipeline (mapping, or policy unknown_stages)'
FROM @import@.work_moves AS m
    JOIN @import@.work_places AS l ON l.pipeline = m.pipeline AND l.stage_no IS NULL AND l.pipeline_id IS NOT NULL
        AND l.stage <> ''
        AND l.stage IN (m.from_stage, m.to_stage)
    CROSS JOIN LATERAL (SELECT CASE WHEN l.stage = m.to_stage THEN 'to_stage' ELSE 'from_stage' END AS column_name, l.stage AS value) AS c
WHERE m.deal_no IS NOT NULL
    AND NOT EXISTS (SELECT FROM @import@.rejects AS e WHERE e.external_id = m.external_id AND e.column_name = 'stage' AND e.value = l.stage)
ORDER BY m.external_id, m.file, m.line;

INSERT INTO @import@.rejects
SELECT f.file, f.line, f.external_id, 'contacts', c, CASE WHEN p.id IS NULL THEN 'the mapping has no uuid'
    ELSE 'there is no such row in the table that contacts are linked to (mapping)' END
FROM @import@.work_deals AS f
    CROSS JOIN LATERAL unnest(f.contacts) AS c
    JOIN @import@.work_people AS p ON p.kind = 'contact' AND p.value = btrim(c)
WHERE p.id IS NULL OR p.is_missing;

INSERT INTO @import@.rejects
SELECT DISTINCT ON (v.external_id, c.column_name) v.file, v.line, v.external_id, c.column_name, c.value, CASE WHEN m.target IS NULL
    THEN 'is neither a uuid nor mapped (mapping, or policy unknown_owners)' ELSE 'the mapping has no uuid' END
FROM @import@.work_values AS v
    CROSS JOIN LATERAL (VALUES ('old_value', v.old_value), ('new_value', v.new_value)) AS c (column_name, value)
    JOIN @import@.work_people AS p ON p.kind = 'owner' AND p.value = c.value AND p.id IS NULL
    LEFT JOIN @import@.mapping AS m ON m.kind = 'owner' AND m.value = c.value
WHERE v.field = 'owner' AND v.deal_no IS NOT NULL
ORDER BY v.external_id, c.column_name, v.line;
