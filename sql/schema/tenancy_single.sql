-- One tenant, the nil uuid, which users never see.  Children have their parent's tenant,
-- so that only the roots need the check.

ALTER TABLE pipelines ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD CONSTRAINT pipelines_tenant_id_check CHECK (tenant_id = '00000000-0000-0000-0000-000000000000');
ALTER TABLE tags ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD CONSTRAINT tags_tenant_id_check CHECK (tenant_id = '00000000-0000-0000-0000-000000000000');
ALTER TABLE exchange_rates ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD CONSTRAINT exchange_rates_tenant_id_check CHECK (tenant_id = '00000000-0000-0000-0000-000000000000');
ALTER TABLE stages ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE deals ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE deal_contacts ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE deal_tags ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000';

ALTER TABLE stage_changes ADD CONSTRAINT stage_changes_deal_id_move_no_key UNIQUE (deal_id, move_no);

-- The history follows the deals: once deals have row security, a user sees the history of
-- the deals that they see.  Until then users see all of it.
ALTER TABLE stage_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY deals ON stage_changes USING ((SELECT @extension@.crm_sees_all_deals('deals'::regclass))
    OR EXISTS (SELECT FROM deals AS d WHERE d.id = stage_changes.deal_id));
ALTER TABLE deal_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY deals ON deal_changes USING ((SELECT @extension@.crm_sees_all_deals('deals'::regclass))
    OR EXISTS (SELECT FROM deals AS d WHERE d.id = deal_changes.deal_id));
