-- Remembers the imported deals for the next import.

INSERT INTO @import@.imported AS i (tenant_id, source, external_id, deal_id, version, fingerprint)
SELECT r.tenant_id, r.source, t.external_id, d.id, d.version, t.fingerprint
FROM @import@.work_target AS t
    JOIN @crm@.deals AS d ON d.id = t.deal_id
    CROSS JOIN @import@.run AS r
ON CONFLICT (tenant_id, external_id) DO UPDATE
SET source = excluded.source, deal_id = excluded.deal_id, version = excluded.version, fingerprint = excluded.fingerprint;
