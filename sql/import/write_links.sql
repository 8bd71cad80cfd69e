-- Adds the contacts and tags that the written deals do not have yet.

INSERT INTO @crm@.deal_contacts (tenant_id, deal_id, contact_id, metadata, is_primary)
SELECT r.tenant_id, x.deal_id, x.contact_id,
    CASE WHEN x.name ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN '{}' ELSE jsonb_build_object('name', x.name) END,
    x.no = 1 AND NOT EXISTS (SELECT FROM @crm@.deal_contacts AS o WHERE o.deal_id = x.deal_id AND o.is_primary)
FROM (SELECT t.deal_id, p.id AS contact_id, min(c.no) AS no, min(p.value) AS name
    FROM @import@.work_target AS t
        JOIN @import@.work_deals AS s ON s.deal_no = t.deal_no
        CROSS JOIN LATERAL unnest(s.contacts) WITH ORDINALITY AS c (value, no)
        JOIN @import@.work_people AS p ON p.kind = 'contact' AND p.value = btrim(c.value)
    GROUP BY t.deal_id, p.id) AS x
    CROSS JOIN @import@.run AS r
ON CONFLICT (deal_id, contact_id) DO NOTHING;

CREATE UNLOGGED TABLE @import@.work_tags AS
SELECT DISTINCT t.deal_id, btrim(g.value) AS name, @extension@.crm_name_key(g.value) AS name_key
FROM @import@.work_target AS t
    JOIN @import@.work_deals AS s ON s.deal_no = t.deal_no
    CROSS JOIN LATERAL unnest(s.tags) AS g (value)
WHERE @extension@.crm_name_key(g.value) <> '';

INSERT INTO @crm@.tags (tenant_id, name)
SELECT r.tenant_id, min(g.name)
FROM @import@.work_tags AS g CROSS JOIN @import@.run AS r
WHERE NOT EXISTS (SELECT FROM @crm@.tags AS o WHERE o.tenant_id = r.tenant_id AND @extension@.crm_name_key(o.name) = g.name_key)
GROUP BY r.tenant_id, g.name_key;

INSERT INTO @crm@.deal_tags (tenant_id, deal_id, tag_id)
SELECT r.tenant_id, g.deal_id, o.id
FROM (SELECT DISTINCT w.deal_id, w.name_key FROM @import@.work_tags AS w) AS g
    CROSS JOIN @import@.run AS r
    JOIN @crm@.tags AS o ON o.tenant_id = r.tenant_id AND @extension@.crm_name_key(o.name) = g.name_key
ON CONFLICT (deal_id, tag_id) DO NOTHING;
