-- The rules of deal_contacts: one primary contact, and no contact that row
-- security hides from the writer.
\set tenancy shared
BEGIN;
\ir include/setup.sql
\ir include/roles.sql
SELECT no_plan();
CREATE ROLE cr_writer;
CREATE ROLE cr_blind;
SELECT extensions.crm_grant_access('crm', r, 'write') FROM unnest('{cr_writer,cr_blind}'::text[]) AS r \g /dev/null
GRANT USAGE ON SCHEMA t, public TO cr_writer, cr_blind;

-- Two tenants, a deal each; the linked contacts have a tenant, and a policy.
CREATE FUNCTION t.be(tenant text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('crm.tenant_id', t.id(tenant)::text, true) $$;
CREATE TABLE public.people (id uuid PRIMARY KEY, tenant uuid, name text);
INSERT INTO public.people SELECT id(name), id(tenant), name FROM (VALUES ('acme', 'Ann'), ('acme', 'Amy'), ('beta', 'Ben')) AS v (tenant, name);
SELECT be(tenant) FROM (VALUES ('acme')) AS v (tenant) \g /dev/null
INSERT INTO pipelines (id, name, is_default) VALUES (id('Sales'), 'Sales', true);
INSERT INTO stages (pipeline_id, name) VALUES (id('Sales'), 'Lead');
INSERT INTO deals (id, title) VALUES (id('A'), 'A'), (id('B'), 'B');
CREATE FUNCTION t.link(contact text, deal text DEFAULT 'A', is_primary boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO crm.deal_contacts (deal_id, contact_id, is_primary) VALUES (%L, %L, %L)', t.id(deal), t.id(contact), is_primary) $$;

-- Without a link, any uuid; with one, what the foreign key allows.
SELECT is(outcome('cr_writer', link('Ben')), 'ok', 'no contacts linked: any uuid');
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'public.people') \g /dev/null
SELECT is(outcome('cr_writer', link('Ben')), 'ok', 'a table without row security: any row of it, without a right on it');
SELECT is(outcome('cr_writer', link('nobody')), '23503', 'but no other');

-- With row security, what the writer may see.
ALTER TABLE public.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON public.people USING (tenant = current_setting('crm.tenant_id')::uuid);
GRANT SELECT ON public.people TO cr_writer;
SELECT is(outcome('cr_writer', link('Ann')), 'ok', 'a contact of the tenant''s own');
SELECT is(as_role('cr_writer', link('Ben')), format(E'23503\ncontact %s does not exist\nKey is not present in table "people".\nUse the id of a contact that you may read.', id('Ben')),
    'another tenant''s is as good as none');
SELECT is(split_part(as_role('cr_writer', link('nobody')), E'\n', 1), '23503', 'as one that does not exist');
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('A'), id('Ann'));
SELECT is(outcome('cr_writer', format('UPDATE crm.deal_contacts SET contact_id = %L', id('Ben'))), '23503', 'nor by UPDATE');
SELECT is(outcome('cr_writer', format('UPDATE crm.deal_contacts SET contact_id = %L', id('Amy'))), 'ok', 'one''s own by UPDATE');
SELECT is(outcome('cr_writer', format('%s ON CONFLICT (deal_id, contact_id) DO UPDATE SET role = ''x''', link('Ben'))), '23503', 'nor by an upsert');
SELECT is(outcome('cr_blind', link('Amy')), '42501', 'a writer who may not read the table cannot link');
SELECT is(outcome('cr_blind', 'UPDATE crm.deal_contacts SET role = ''buyer'''), 'ok', 'but write what is linked');
SELECT lives_ok(link('Ben'), 'its owner sees all, and links all');
DELETE FROM deal_contacts;

-- One primary contact.
SELECT lives_ok(link('Ann', 'A', true), 'the first one');
SELECT is(as_role('cr_writer', link('Amy', 'A', true)), format(E'23505\ndeal %s has a primary contact already\nIt is contact %s.\n'
    'Link the contact without is_primary, then call set_primary_contact.', id('A'), id('Ann')), 'a second one: says what to call');
SELECT is(outcome('cr_writer', link('Amy', 'B', true)), 'ok', 'another deal has its own');
SELECT is(outcome('cr_writer', link('Ann', 'A', true) || ' ON CONFLICT (deal_id, contact_id) DO NOTHING'), 'ok', 'the same request again');
SELECT is(outcome('cr_writer', link('Ann', 'A', true) || ' ON CONFLICT (deal_id, contact_id) DO UPDATE SET is_primary = EXCLUDED.is_primary'), 'ok', 'as an upsert');
SELECT lives_ok(link('Amy'), 'one that is not');
SELECT is(split_part(as_role('cr_writer', format('UPDATE crm.deal_contacts SET is_primary = true WHERE contact_id = %L', id('Amy'))), E'\n', 4),
    'Link the contact without is_primary, then call set_primary_contact.', 'by UPDATE');
SELECT is(outcome('cr_writer', link('Amy', 'A', true) || ' ON CONFLICT (deal_id, contact_id) DO NOTHING'), 'ok', 'a link that stands stays as it is');
SELECT is(as_role('cr_writer', format('SELECT crm.set_primary_contact(%L, %L)', id('A'), id('Amy'))), 'ok', 'set_primary_contact');
SELECT is((SELECT contact_id FROM deal_contacts WHERE is_primary), id('Amy'), 'swaps them');
SELECT is(outcome('cr_writer', 'UPDATE crm.deal_contacts SET deal_id = deal_id, is_primary = is_primary, role = ''x'''), 'ok', 'whole rows are saved');

SELECT * FROM finish();
ROLLBACK;
