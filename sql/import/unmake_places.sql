-- If nothing is imported, the pipelines and stages that were created for it are deleted.

DELETE FROM @crm@.stages AS s
WHERE s.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r) AND NOT EXISTS (SELECT FROM @import@.work_before AS b WHERE b.id = s.id);

DELETE FROM @crm@.pipelines AS p
WHERE p.tenant_id = (SELECT r.tenant_id FROM @import@.run AS r) AND NOT EXISTS (SELECT FROM @import@.work_before AS b WHERE b.id = p.id);
