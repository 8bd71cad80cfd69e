-- All CRMs of a database: their sums, what is wrong with them, by whom they are read.
BEGIN;
\ir include/setup.sql
SELECT plan(23);

CREATE ROLE fleet_owner;
CREATE ROLE fleet_reader;
CREATE ROLE fleet_member IN ROLE fleet_owner;
CREATE ROLE fleet_mallory;
SELECT format('GRANT CREATE ON DATABASE %I TO fleet_owner, fleet_mallory', current_database()) \gexec
GRANT USAGE ON SCHEMA t TO PUBLIC;
SET LOCAL search_path = t, extensions, pg_catalog;

-- Two CRMs of one owner, one of all tenants; the setup's CRM "crm" is a superuser's.
SET LOCAL ROLE fleet_owner;
SELECT crm_install('fleet_a'), crm_install('fleet_b', 'shared') \g /dev/null
SELECT crm_grant_access('fleet_a', 'fleet_reader', 'read'), crm_grant_access('fleet_b', 'fleet_reader', 'read') \g /dev/null
RESET ROLE;
CREATE FUNCTION t.fill(schema text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p uuid;
BEGIN
    PERFORM set_config('search_path', format('%I, t, extensions, pg_catalog', schema), true);
    SELECT id INTO p FROM create_pipeline('Sales', '["Lead", {"name": "Offer", "probability": 0.5}, {"name": "Won", "deal_status": "won"}]');
    INSERT INTO deals (title, pipeline_id, amount, currency) VALUES ('1', p, 10, 'EUR'), ('2', p, 20.5, 'EUR'), ('3', p, 7, 'USD'), ('4', p, NULL, NULL);
    UPDATE deals SET stage_id = (SELECT id FROM stages WHERE name = 'Offer' AND pipeline_id = p) WHERE title = '2' AND pipeline_id = p;
    UPDATE deals SET archived_at = now() WHERE title = '3' AND pipeline_id = p;
    PERFORM set_config('search_path', 't, extensions, pg_catalog', true);
END $$;
SELECT t.fill('fleet_a') \g /dev/null
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SELECT t.fill('fleet_b') \g /dev/null
SET LOCAL crm.tenant_id = '22222222-2222-4222-8222-222222222222';
SELECT t.fill('fleet_b') \g /dev/null
RESET crm.tenant_id;
-- A stage that is called the same but for case, archived.
UPDATE fleet_a.stages SET name = 'LEAD' WHERE name = 'Lead';

-- Sums.
SELECT results_eq($$SELECT pipeline_name, stage_name, deal_status, currency, value_period, deals, deals_without_amount,
        deals_without_probability, value, weighted_value FROM crm_fleet_summary() WHERE schema_name = 'fleet_a'$$,
    $$VALUES ('Sales', 'LEAD', 'open', 'EUR', 'one_time', 1::bigint, 0::bigint, 1::bigint, 10::numeric, 0::numeric),
        ('Sales', 'LEAD', 'open', NULL, 'one_time', 1, 1, 1, 0, 0),
        ('Sales', 'Offer', 'open', 'EUR', 'one_time', 1, 0, 0, 20.5, 10.25)$$, 'the sums of a CRM');
SELECT results_eq($$SELECT schema_name, count(*), count(DISTINCT pipeline_id), sum(deals) FROM crm_fleet_summary() GROUP BY 1 ORDER BY 1$$,
    $$VALUES ('fleet_a', 3::bigint, 1::bigint, 3::numeric), ('fleet_b', 6, 2, 6)$$, 'of each CRM that has deals; a superuser sees all');
SELECT results_eq('SELECT sum(value), sum(weighted_value) FROM crm_fleet_summary()', $$VALUES (91.5, 30.75)$$, 'all of them');
SELECT results_eq($$SELECT stage_name, deal_status, currency, value_period, crms, deals, value, weighted_value FROM crm_fleet_summary_by_stage()$$,
    $$VALUES ('LEAD', 'open', 'EUR', 'one_time', 2::bigint, 3::bigint, 30::numeric, 0::numeric),
        ('LEAD', 'open', NULL, 'one_time', 2, 3, 0, 0), ('Offer', 'open', 'EUR', 'one_time', 2, 3, 61.5, 30.75)$$,
    'merged by name and status');
-- Without the totals the deals are read.
SELECT set_config('t.totals', (SELECT jsonb_agg(f)::text FROM crm_fleet_summary() AS f), true) \g /dev/null
DELETE FROM fleet_a.stage_totals;
SELECT is((SELECT jsonb_agg(f) FROM crm_fleet_summary() AS f), current_setting('t.totals')::jsonb, 'totals and deals agree');

-- Who sees what.
SET LOCAL ROLE fleet_member;
SELECT results_eq('SELECT DISTINCT schema_name FROM crm_fleet_summary() ORDER BY 1', $$VALUES ('fleet_a'), ('fleet_b')$$, 'a member of the owner sees the owner''s');
SET LOCAL ROLE fleet_reader;
SELECT results_eq('SELECT DISTINCT schema_name FROM crm_fleet_summary()', $$VALUES ('fleet_a')$$,
    'a reader sees what they may read as a whole: no tenants'' CRM');
RESET ROLE;
REVOKE SELECT ON fleet_a.stages FROM fleet_reader;
SET LOCAL ROLE fleet_reader;
SELECT is_empty('SELECT * FROM crm_fleet_summary()', 'without a right on a table of a CRM, nothing of it, and no error');
SELECT is_empty('SELECT * FROM crm_fleet_check()', 'who owns none checks none');
RESET ROLE;
GRANT SELECT ON fleet_a.stages TO fleet_reader;
ALTER TABLE fleet_a.deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON fleet_a.deals FOR SELECT USING (owner_id IS NULL AND title = '1');
SET LOCAL ROLE fleet_reader;
SELECT is_empty('SELECT * FROM crm_fleet_summary()', 'nor where row security hides deals');
RESET ROLE;
DROP POLICY own ON fleet_a.deals;
ALTER TABLE fleet_a.deals DISABLE ROW LEVEL SECURITY;

SET LOCAL ROLE fleet_owner;
SELECT crm_install('fleet_c') \g /dev/null
RESET ROLE;
SELECT is((SELECT count(*) FROM crm_fleet_summary() WHERE schema_name = 'fleet_c'), 0::bigint, 'a CRM without deals has no row');

-- What is wrong.
SELECT results_eq($$SELECT * FROM crm_fleet_check() WHERE schema_name LIKE 'fleet%'$$,
    $$VALUES ('fleet_a', 'totals', '3 of them are wrong; crm_rebuild_totals() computes them anew')$$, 'the deleted totals');
SELECT crm_rebuild_totals('fleet_a') \g /dev/null
ALTER TABLE fleet_b.deals DISABLE TRIGGER zz_crm_deal_audit_update;
DROP FUNCTION fleet_c.win_rate;
SELECT results_eq($$SELECT schema_name, object, problem FROM crm_fleet_check() WHERE schema_name LIKE 'fleet%' AND problem IN ('is disabled', 'is missing')$$,
    $$VALUES ('fleet_b', 'trigger zz_crm_deal_audit_update on deals', 'is disabled'),
        ('fleet_c', 'function win_rate(' || pg_get_function_identity_arguments('fleet_a.win_rate'::regproc) || ')', 'is missing')$$,
    'a disabled trigger, a missing function');
ALTER TABLE fleet_b.deals ENABLE TRIGGER zz_crm_deal_audit_update;

-- Schemas that only look like a CRM.  Their owner's code does not run with the rights of who asks.
CREATE TABLE t.ran_as (what text, role text);
GRANT INSERT ON t.ran_as TO PUBLIC;
CREATE SEQUENCE t.calls;
GRANT USAGE ON t.calls TO PUBLIC;
SET LOCAL ROLE fleet_mallory;
CREATE SCHEMA mallory_view;
GRANT USAGE ON SCHEMA mallory_view TO PUBLIC;
CREATE FUNCTION mallory_view.spy(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- what a sequence has counted is not undone
    IF current_user <> 'fleet_mallory' THEN
        PERFORM nextval('t.calls');
    END IF;
    RETURN true;
END $$;
CREATE TABLE mallory_view.deals (id uuid);
CREATE TRIGGER rules BEFORE INSERT ON mallory_view.deals FOR EACH ROW EXECUTE FUNCTION crm_deal_rules('1.0');
CREATE VIEW mallory_view.stages AS SELECT gen_random_uuid() AS id, 'Lead'::text AS name FROM generate_series(1, 1) WHERE mallory_view.spy('view');
CREATE VIEW mallory_view.pipelines AS SELECT gen_random_uuid() AS id, 'Sales'::text AS name FROM generate_series(1, 1) WHERE mallory_view.spy('view');
GRANT SELECT ON ALL TABLES IN SCHEMA mallory_view TO PUBLIC;
-- A real one, with code in an index, a policy and a rule.
SELECT crm_install('mallory_crm') \g /dev/null
GRANT USAGE ON SCHEMA mallory_crm TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA mallory_crm TO PUBLIC;
SELECT mallory_crm.create_pipeline('Sales', '["Lead"]', is_default => true) \g /dev/null
INSERT INTO mallory_crm.deals (title) VALUES ('bait');
CREATE INDEX ON mallory_crm.pipelines (id) WHERE mallory_view.spy('index');
CREATE INDEX ON mallory_crm.deals (id) WHERE mallory_view.spy('index');
DELETE FROM mallory_crm.stage_totals;
-- Columns of other types, and a garbled version.
CREATE SCHEMA mallory_types;
GRANT USAGE ON SCHEMA mallory_types TO PUBLIC;
CREATE TABLE mallory_types.deals (id integer);
CREATE TABLE mallory_types.stages (id integer);
CREATE TABLE mallory_types.pipelines (id integer, name json);
GRANT SELECT ON ALL TABLES IN SCHEMA mallory_types TO PUBLIC;
CREATE TRIGGER rules BEFORE INSERT ON mallory_types.deals FOR EACH ROW EXECUTE FUNCTION crm_deal_rules('''; DROP');
RESET ROLE;
SELECT is((SELECT count(*) FROM crm_installations() WHERE schema_name LIKE 'mallory%'), 3::bigint, 'three look like CRMs');
SET LOCAL client_min_messages = error;
SELECT results_eq('SELECT DISTINCT schema_name FROM crm_fleet_summary() ORDER BY 1', $$VALUES ('fleet_a'), ('fleet_b'), ('mallory_crm')$$,
    'only what is one is read');
SET LOCAL ROLE fleet_reader;
SELECT results_eq('SELECT DISTINCT schema_name FROM crm_fleet_summary() ORDER BY 1', $$VALUES ('fleet_a'), ('mallory_crm')$$, 'by a reader, too');
RESET ROLE;
SELECT ok((SELECT count(*) FILTER (WHERE schema_name = 'mallory_view') > 0 AND count(*) FILTER (WHERE schema_name = 'mallory_types') > 0
    FROM crm_fleet_check()), 'the check tells of the others');
SELECT is((SELECT is_called FROM t.calls), false, 'code of another owner''s ran with no other rights');
-- Without the switch of the user it does run.
SELECT count(*) FROM mallory_crm.deals WHERE id IS NULL \g /dev/null
SELECT is((SELECT is_called FROM t.calls), true, 'it would have, in a plain query');

SELECT is(current_user::text, session_user::text, 'the user is the same afterwards');
SELECT is(current_setting('search_path'), 't, extensions, pg_catalog', 'and the search_path');
SELECT throws_ok('CALL crm_upgrade_all()', '2D000', 'crm_upgrade_all() cannot be called in a transaction block', 'upgrades need transactions of their own');
SELECT throws_ok($$SELECT crm_uninstall(NULL)$$, '22004', NULL, 'a schema must be named');

SELECT * FROM finish();
ROLLBACK;
