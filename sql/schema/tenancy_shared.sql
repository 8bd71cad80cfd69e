-- Many tenants in the same tables, kept apart by row security.  The sub-select
-- makes the tenant a constant of the query instead of a call per row.
--
-- The history follows the deals.  If you add policies to deals, a user sees the history
-- of the deals that they see; without such policies, also that of deleted deals.  That the
-- history of all deals is incomplete everybody sees, so that no report is made of what is left.

ALTER TABLE pipelines ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pipelines USING (tenant_id = (SELECT @extension@.crm_current_tenant()));

ALTER TABLE stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stages USING (tenant_id = (SELECT @extension@.crm_current_tenant()));

ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deals USING (tenant_id = (SELECT @extension@.crm_current_tenant()));

ALTER TABLE deal_contacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_contacts USING (tenant_id = (SELECT @extension@.crm_current_tenant()));

ALTER TABLE stage_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stage_changes USING (tenant_id = (SELECT @extension@.crm_current_tenant())
    AND ((SELECT @extension@.crm_sees_all_deals('deals'::regclass))
        OR EXISTS (SELECT FROM deals AS d WHERE d.id = stage_changes.deal_id AND d.tenant_id = stage_changes.tenant_id)));

ALTER TABLE exchange_rates ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON exchange_rates USING (tenant_id = (SELECT @extension@.crm_current_tenant()));

ALTER TABLE deal_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_changes USING (tenant_id = (SELECT @extension@.crm_current_tenant())
    AND ((SELECT @extension@.crm_sees_all_deals('deals'::regclass))
        OR change = 'erased' AND deal_id = '00000000-0000-0000-0000-000000000000'
        OR EXISTS (SELECT FROM deals AS d WHERE d.id = deal_changes.deal_id AND d.tenant_id = deal_changes.tenant_id)));

ALTER TABLE tags ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tags USING (tenant_id = (SELECT @extension@.crm_current_tenant()));

ALTER TABLE deal_tags ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deal_tags USING (tenant_id = (SELECT @extension@.crm_current_tenant()));
