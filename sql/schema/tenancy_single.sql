-- One tenant, the nil uuid, which users never see.  Children have their parent's tenant,
-- so that only the roots have a check, in the lines @single@ of the tables' files.

-- The history follows the deals: once deals have row security, a user sees the history of
-- the deals that they see.  Until then users see all of it.  That the history of all deals is
-- incomplete everybody sees, so that no report is made of what is left.
ALTER TABLE stage_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY deals ON stage_changes USING ((SELECT @extension@.crm_sees_all_deals('deals'::regclass))
    OR EXISTS (SELECT FROM deals AS d WHERE d.id = stage_changes.deal_id));
ALTER TABLE deal_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY deals ON deal_changes USING ((SELECT @extension@.crm_sees_all_deals('deals'::regclass))
    OR change = 'erased' AND deal_id = '00000000-0000-0000-0000-000000000000'
    OR EXISTS (SELECT FROM deals AS d WHERE d.id = deal_changes.deal_id));
