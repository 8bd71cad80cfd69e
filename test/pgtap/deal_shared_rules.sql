-- The main rules once more, where two tenants share the tables.  What one can
-- see of the other is tested in table_tenants.sql.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT plan(33);

CREATE ROLE shared_writer;
GRANT USAGE ON SCHEMA crm, t, extensions TO shared_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON pipelines, stages, deals, deal_contacts, tags, deal_tags TO shared_writer;
GRANT SELECT ON stage_changes TO shared_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO shared_writer;
CREATE FUNCTION t.tenant(name text) RETURNS text LANGUAGE sql AS $$
    SELECT set_config('request.jwt.claims', json_build_object('tenant_id', t.id(name), 'sub', name || '-user')::text, true)
$$;
-- A uuid for a name of the tenant's own.
CREATE FUNCTION t.own(name text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT t.id(name || current_setting('request.jwt.claims'))
$$;
CREATE FUNCTION t.own_place(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s / %s / %s / %s', p.name, s.name, d.status, coalesce(d.probability::text, 'null'))
    FROM crm.deals AS d JOIN crm.pipelines AS p ON p.id = d.pipeline_id JOIN crm.stages AS s ON s.id = d.stage_id
    WHERE d.id = t.own(deal)
$$;
-- The same data for each.
CREATE FUNCTION t.fill() RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.pipelines (id, name, is_default, currency, external_id) VALUES
        (t.own('Sales'), 'Sales', true, CASE current_setting('request.jwt.claims')::json ->> 'sub' WHEN 'acme-user' THEN 'USD' ELSE 'EUR' END, 'sales'),
        (t.own('Renewals'), 'Renewals', false, 'CHF', 'renewals');
    INSERT INTO crm.stages (id, pipeline_id, name, deal_status, probability) VALUES
        (t.own('Lead'), t.own('Sales'), 'Lead', 'open', 0.1), (t.own('Next'), t.own('Sales'), 'Next', 'open', 0.5),
        (t.own('Won'), t.own('Sales'), 'Won', 'won', NULL), (t.own('Lost'), t.own('Sales'), 'Lost', 'lost', NULL),
        (t.own('Due'), t.own('Renewals'), 'Due', 'open', NULL);
$$;
SET LOCAL ROLE shared_writer;
SELECT tenant('acme') \g /dev/null
SELECT fill() \g /dev/null
SELECT tenant('beta') \g /dev/null
SELECT lives_ok('SELECT fill()', 'two tenants with the same names, external ids and defaults');

-- Inserting.
INSERT INTO deals (id, title, amount, external_id) VALUES (own('a'), 'A', 10, 'a');
SELECT is(own_place('a'), 'Sales / Lead / open / 0.1000', 'the tenant''s own default pipeline');
SELECT is(currency, 'EUR', 'in its currency') FROM deals WHERE id = own('a');
SELECT tenant('acme') \g /dev/null
INSERT INTO deals (id, title, amount, external_id) VALUES (own('a'), 'A', 10, 'a');
SELECT is(own_place('a'), 'Sales / Lead / open / 0.1000', 'the other''s, too');
SELECT is(currency, 'USD', 'in the other''s currency') FROM deals WHERE id = own('a');
SELECT results_eq($$SELECT tenant_id, count(*) FROM deals GROUP BY 1$$, $$VALUES (id('acme'), 1::bigint)$$, 'its deals are the tenant''s');
INSERT INTO deals (id, title, status) VALUES (own('b'), 'B', 'won');
SELECT is(own_place('b'), 'Sales / Won / won / 1.0000', 'by status');
INSERT INTO deals (id, title, pipeline_id, tenant_id) VALUES (own('c'), 'C', own('Renewals'), NULL);
SELECT is(own_place('c'), 'Renewals / Due / open / null', 'by pipeline; NULL as tenant_id is not given');
SELECT results_eq($$SELECT position, name FROM stages WHERE pipeline_id = own('Sales') ORDER BY position$$,
    $$VALUES (1, 'Lead'), (2, 'Next'), (3, 'Won'), (4, 'Lost')$$, 'stages have positions of their own');

-- Moving.
UPDATE deals SET stage_id = own('Next') WHERE id = own('a');
SELECT is(own_place('a'), 'Sales / Next / open / 0.5000', 'by stage');
UPDATE deals SET status = 'lost', lost_reason = 'dear' WHERE id = own('a');
SELECT is(own_place('a'), 'Sales / Lost / lost / 0.0000', 'by status');
UPDATE deals SET status = 'open' WHERE id = own('a');
SELECT is(own_place('a'), 'Sales / Next / open / 0.5000', 'reopened by its own history');
UPDATE deals SET pipeline_id = own('Renewals') WHERE id = own('a');
SELECT is(own_place('a'), 'Renewals / Due / open / 0.5000', 'by pipeline');
SELECT extensions.crm_undo_move('crm', own('a')) \g /dev/null
SELECT is(own_place('a'), 'Sales / Next / open / 0.5000', 'and back');
SELECT results_eq($$SELECT move_no, tenant_id, changed_by, reverts_id IS NOT NULL FROM stage_changes WHERE deal_id = own('a') ORDER BY move_no$$,
    $$SELECT i, id('acme'), 'acme-user', i = 5 FROM generate_series(1, 5) AS i$$, 'the history is the tenant''s');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead{"tenant_id" : "' || id('beta') || '", "sub" : "beta-user"}') WHERE id = own('a')$$, '23503',
    format('stage %s does not exist', id('Lead{"tenant_id" : "' || id('beta') || '", "sub" : "beta-user"}')), 'a stage of the other''s is none');
SELECT throws_ok($$UPDATE deals SET tenant_id = id('beta') WHERE id = own('a')$$, '23514', 'column "tenant_id" of table "deals" never changes', 'the tenant never changes');
SELECT throws_ok($$INSERT INTO deals (title, tenant_id) VALUES ('X', id('beta'))$$, '42501', NULL, 'nor is another''s given');

-- Upserts by external id meet the tenant's own row.
INSERT INTO deals (external_id, title, stage_id) VALUES ('a', 'A of acme', own('Won')), ('z', 'Z of acme', own('Won'))
ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = EXCLUDED.title, stage_id = EXCLUDED.stage_id;
SELECT is(own_place('a'), 'Sales / Won / won / 1.0000', 'an upsert moves');
SELECT tenant('beta') \g /dev/null
SELECT results_eq($$SELECT title, move_no FROM deals$$, $$VALUES ('A', 0)$$, 'the other''s deal of that external id is untouched');
INSERT INTO pipelines (external_id, name) VALUES ('sales', 'Sales of beta') ON CONFLICT (tenant_id, external_id) DO UPDATE SET name = EXCLUDED.name;
SELECT is(name, 'Sales of beta', 'an upsert of a pipeline') FROM pipelines WHERE is_default;
SELECT tenant('acme') \g /dev/null
SELECT is(name, 'Sales', 'likewise') FROM pipelines WHERE is_default;

-- The default pipeline, one for each tenant.
SELECT throws_ok($$UPDATE pipelines SET is_default = true WHERE id = own('Renewals')$$, '23505', 'there is a default pipeline already', 'a second default');
SELECT lives_ok($$SELECT set_default_pipeline(own('Renewals'))$$, 'set_default_pipeline');
SELECT tenant('beta') \g /dev/null
SELECT set_eq($$SELECT name FROM pipelines WHERE is_default$$, ARRAY['Sales of beta'], 'leaves the other''s alone');

-- A stage in use is told of the tenant's own deals.
SELECT is(error_of($$DELETE FROM stages WHERE id = own('Lead')$$),
    E'23503\nstage "Lead" cannot be deleted while deals stand in it\nDeals in it: ''A''.\n'
    'Use delete_stage(stage_id, move_deals_to), or move the deals first.', 'a stage in use');

-- The owner, whom row security does not concern, writes for all: with the tenant given.
RESET ROLE;
SELECT set_config('request.jwt.claims', '', true) \g /dev/null
SELECT throws_ok($$INSERT INTO deals (title) VALUES ('X')$$, '42501', 'this session names no tenant', 'without a tenant: nothing');
INSERT INTO deals (id, title, tenant_id) VALUES (id('o'), 'O', id('beta'));
SELECT results_eq($$SELECT p.name, d.tenant_id FROM deals AS d JOIN pipelines AS p ON p.id = d.pipeline_id WHERE d.id = id('o')$$,
    $$VALUES ('Sales of beta', id('beta'))$$, 'with one: that tenant''s default pipeline');
INSERT INTO deals (title, tenant_id, external_id) SELECT 'Bulk', tenant, i::text FROM unnest(ARRAY[id('acme'), id('beta')]) AS tenant, generate_series(1, 500) AS i;
SELECT results_eq($$SELECT p.name, p.tenant_id = d.tenant_id, count(*) FROM deals AS d JOIN pipelines AS p ON p.id = d.pipeline_id WHERE d.title = 'Bulk' GROUP BY 1, 2 ORDER BY 1$$,
    $$VALUES ('Renewals', true, 500::bigint), ('Sales of beta', true, 500)$$, 'many rows of two tenants by one statement');
UPDATE deals AS d SET status = 'won' FROM pipelines AS p WHERE p.id = d.pipeline_id AND p.name = 'Sales of beta' AND d.title = 'Bulk';
SELECT results_eq($$SELECT tenant_id, count(*), bool_and(changed_by = session_user) FROM stage_changes WHERE to_status = 'won' AND deal_id IN (SELECT id FROM deals WHERE title = 'Bulk') GROUP BY 1$$,
    $$VALUES (id('beta'), 500::bigint, true)$$, 'their moves, recorded for their tenant');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, tenant_id) SELECT id, 'X', id('acme') FROM pipelines WHERE name = 'Sales of beta'$$, '23503', NULL, 'a stage has its pipeline''s tenant');
SELECT throws_ok($$UPDATE deals SET stage_id = (SELECT s.id FROM stages AS s WHERE s.name = 'Lead' AND s.tenant_id = id('acme')) WHERE id = id('o')$$, '23503', NULL,
    'nor does the owner move a deal to another tenant''s stage');
SELECT throws_ok($$UPDATE deals SET pipeline_id = (SELECT id FROM pipelines WHERE name = 'Sales' AND tenant_id = id('acme')) WHERE id = id('o')$$, '23503', NULL, 'or pipeline');

SELECT * FROM finish();
ROLLBACK;
