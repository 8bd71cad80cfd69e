-- Columns of deals that are linked: no row that row security hides from the
-- writer, whatever the statement; names for who may read them.
\set tenancy shared
BEGIN;
\ir include/setup.sql
\ir include/roles.sql
SELECT no_plan();
CREATE ROLE lr_writer;
CREATE ROLE lr_blind;
GRANT USAGE ON SCHEMA t, public TO lr_writer, lr_blind;

CREATE FUNCTION t.be(tenant text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('crm.tenant_id', t.id(tenant)::text, true) $$;
CREATE TABLE public.users (id uuid PRIMARY KEY, tenant uuid, name text);
INSERT INTO public.users SELECT id(name), id(tenant), name FROM (VALUES ('acme', 'Ann'), ('acme', 'Amy'), ('beta', 'Ben')) AS v (tenant, name);
SELECT be('acme') \g /dev/null
INSERT INTO pipelines (id, name, is_default) VALUES (id('Sales'), 'Sales', true);
INSERT INTO stages (id, pipeline_id, name) VALUES (id('Lead'), id('Sales'), 'Lead'), (id('Demo'), id('Sales'), 'Demo');
INSERT INTO deals (id, title, owner_id) VALUES (id('A'), 'A', id('Ann')), (id('B'), 'B', id('Ben'));

SELECT extensions.crm_link('crm', 'deals.owner_id', 'public.users') \g /dev/null
SELECT extensions.crm_grant_access('crm', r, 'write') FROM unnest('{lr_writer,lr_blind}'::text[]) AS r \g /dev/null
GRANT SELECT ON public.users TO lr_writer;
CREATE FUNCTION t.new_deal(owner text) RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO crm.deals (title, owner_id) VALUES (''new'', %L)', t.id(owner)) $$;
CREATE FUNCTION t.give_to(owner text, deal text DEFAULT 'A') RETURNS text LANGUAGE sql AS $$
    SELECT format('UPDATE crm.deals SET owner_id = %L WHERE id = %L', t.id(owner), t.id(deal)) $$;
SELECT is(outcome('lr_writer', new_deal('Ben')), 'ok', 'a table without row security: any row of it');
SELECT is(outcome('lr_blind', new_deal('Ben')), 'ok', 'without a right on it');
SELECT is(outcome('lr_writer', new_deal('nobody')), '23503', 'but no other');

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON public.users USING (tenant = current_setting('crm.tenant_id')::uuid);
SELECT is(outcome('lr_writer', new_deal('Ann')), 'ok', 'an owner of the tenant''s own');
SELECT is(as_role('lr_writer', new_deal('Ben')), format(E'23503\nowner %s does not exist\nKey is not present in table "users".\nUse the id of an owner that you may read.', id('Ben')),
    'another tenant''s is as good as none');
SELECT is(as_role('lr_writer', new_deal('nobody')), format(E'23503\nowner %s does not exist\nKey is not present in table "users".\nUse the id of an owner that you may read.', id('nobody')),
    'told as one that is not there');
SELECT is(outcome('lr_writer', give_to('Ben')), '23503', 'nor by UPDATE');
SELECT is(outcome('lr_writer', give_to('Amy')), 'ok', 'one''s own by UPDATE');
SELECT is(outcome('lr_writer', format('UPDATE crm.deals SET stage_id = %L, owner_id = owner_id WHERE id = %L', id('Demo'), id('B'))), 'ok',
    'an owner that is sent again is not written');
SELECT is(outcome('lr_writer', format('INSERT INTO crm.deals (id, title, owner_id) VALUES (%L, ''A'', %L) ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id',
    id('A'), id('Ben'))), '23503', 'nor by an upsert');
SELECT is(outcome('lr_writer', format('INSERT INTO crm.deals (id, title, owner_id) VALUES (%L, ''A'', %L) ON CONFLICT (id) DO NOTHING',
    id('A'), id('Ben'))), 'ok', 'of which nothing comes');
SELECT is(outcome('lr_writer', format('UPDATE crm.deals SET owner_id = NULL WHERE id = %L', id('A'))), 'ok', 'no owner');
SELECT is(outcome('lr_blind', new_deal('Ann')), '42501', 'a writer who may not read the table cannot give owners');
SELECT is(outcome('lr_blind', format('UPDATE crm.deals SET title = ''x'' WHERE id = %L', id('A'))), 'ok', 'but write what is owned');
SELECT lives_ok(give_to('Ben'), 'its owner sees all, and gives to all');

-- Whose rights the names are read with.
CREATE FUNCTION t.owner_for(who name) RETURNS text LANGUAGE sql AS $$
    SELECT t.seen_by(who, format('SELECT c -> ''owner'' ->> ''id'' IS NOT NULL, c -> ''owner'' ->> ''name'' FROM crm.context_for_deal(%L) AS c', t.id('A')))
$$;
SELECT is(owner_for('lr_writer'), 't|', 'an owner that is hidden');
UPDATE deals SET owner_id = id('Ann') WHERE id = id('A');
SELECT is(owner_for('lr_writer'), 't|Ann', 'one that is not');
SELECT is(owner_for('lr_blind'), 't|', 'who may not read the table');
GRANT SELECT (name, tenant) ON public.users TO lr_blind;
SELECT is(owner_for('lr_blind'), 't|', 'nor the column that identifies');
GRANT SELECT (id) ON public.users TO lr_blind;
SELECT is(owner_for('lr_blind'), 't|Ann', 'who may read these columns');

-- The trigger function where it does not belong.
SELECT format('CREATE TRIGGER x AFTER INSERT ON tags FOR EACH ROW EXECUTE FUNCTION extensions.crm_link_rules(%L, %s)',
    extensions.crm_version(), a) AS attach
FROM unnest(ARRAY[$$'name', 'x'$$]) AS a \gexec
SELECT throws_ok($$INSERT INTO tags (name) VALUES ('x')$$, '39P01', NULL, 'a column of another type');
SELECT * FROM finish();
ROLLBACK;
