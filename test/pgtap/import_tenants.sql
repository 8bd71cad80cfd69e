-- Imports into a CRM of shared tenancy, and who may import: each tenant has deals of its
-- own under the same external ids, and nobody but the owner imports.
BEGIN;
\set tenancy shared
\set owner im_owner
\ir include/setup.sql
SELECT no_plan();
CREATE ROLE im_admin;
SELECT extensions.crm_grant_access('crm', 'im_admin', 'admin') \g /dev/null
CREATE TABLE t.ran (name text, by_role name, is_superuser boolean);
GRANT INSERT ON t.ran TO PUBLIC;
SELECT format('GRANT CREATE ON DATABASE %I TO im_admin', current_database()) \gexec
GRANT USAGE ON SCHEMA t TO PUBLIC;
SET LOCAL client_min_messages = warning;

SET LOCAL ROLE im_owner;
CREATE FUNCTION pg_temp.import(amount text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM extensions.crm_prepare_import('imp');
    INSERT INTO imp.deals (external_id, pipeline, stage, amount, created_at, tags) VALUES ('1', 'Sales', 'Lead', amount, '2024-01-01', '{hot}');
    RETURN (SELECT number FROM extensions.crm_import('crm', 'test', 'imp', policies => '{"unknown_stages": "create"}') WHERE what = 'deals: new');
END $$;
SELECT extensions.crm_prepare_import('imp') \g /dev/null
SELECT throws_ok($$SELECT pg_temp.import('1')$$, '42501', NULL, 'without a tenant: refused');
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SELECT is(pg_temp.import('1'), 1::bigint, 'one tenant');
SET LOCAL crm.tenant_id = '22222222-2222-4222-8222-222222222222';
SELECT is(pg_temp.import('2'), 1::bigint, 'another one, with the same external id');
SELECT is(pg_temp.import('2'), 0::bigint, 'again: nothing new');
SELECT results_eq($$SELECT d.tenant_id::text, d.amount, p.tenant_id = d.tenant_id, s.tenant_id = d.tenant_id, c.tenant_id = d.tenant_id, g.tenant_id = d.tenant_id
        FROM crm.deals AS d JOIN crm.pipelines AS p ON p.id = d.pipeline_id JOIN crm.stages AS s ON s.id = d.stage_id
        JOIN crm.deal_changes AS c ON c.deal_id = d.id JOIN crm.deal_tags AS x ON x.deal_id = d.id JOIN crm.tags AS g ON g.id = x.tag_id ORDER BY d.amount$$,
    $$VALUES ('11111111-1111-4111-8111-111111111111', 1.0, true, true, true, true), ('22222222-2222-4222-8222-222222222222', 2.0, true, true, true, true)$$, 'each in its tenant');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'the totals are right');

SET LOCAL ROLE im_admin;
SELECT throws_ok($$SELECT extensions.crm_prepare_import('imp')$$, '42501', NULL, 'the schema of another''s import');
SELECT lives_ok($$SELECT extensions.crm_prepare_import('mine')$$, 'one of one''s own');
INSERT INTO mine.deals (external_id, pipeline, stage, amount, created_at) VALUES ('2', 'Sales', 'Lead', '1', '2024-01-01');
SELECT throws_ok($$SELECT extensions.crm_import('crm', 'test', 'mine')$$, '42501', 'only the owner of the CRM in schema "crm" can import', 'the level admin does not import');
SELECT throws_ok($$SELECT extensions.crm_import_export('crm', 'mine')$$, '42501', 'only the owner of the CRM in schema "crm" can import', 'nor an export');
-- Code in the way of every statement of an import: triggers, CHECKs, defaults.
CREATE FUNCTION mine.planted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t.ran SELECT TG_TABLE_NAME, current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION mine.planted_value(what text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t.ran SELECT what, current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user;
    RETURN 1;
END $$;
SELECT format('CREATE TRIGGER planted BEFORE INSERT OR UPDATE OR DELETE ON mine.%1$I FOR EACH ROW EXECUTE FUNCTION mine.planted();
        CREATE TRIGGER planted_statement BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON mine.%1$I FOR EACH STATEMENT EXECUTE FUNCTION mine.planted();
        ALTER TABLE mine.%1$I ADD CHECK (mine.planted_value(%1$L) > 0) NOT VALID, ADD planted integer DEFAULT mine.planted_value(%1$L)', c.relname)
    FROM pg_class AS c WHERE c.relnamespace = 'mine'::regnamespace AND c.relkind = 'r' \gexec
INSERT INTO mine.deals (external_id, pipeline, stage, amount, created_at) VALUES ('3', 'Sales', 'Lead', '1', '2024-01-01');
RESET ROLE;
SELECT cmp_ok((SELECT count(*) FROM t.ran WHERE by_role = 'im_admin'), '>', 2::bigint, 'code planted in a schema of an import runs, as whoever writes');
SELECT throws_ok($$SELECT extensions.crm_prepare_import('mine')$$, '42501', NULL, 'nor does a superuser run what another has attached to the tables of their import');
SELECT throws_ok($$SELECT extensions.crm_import('crm', 'test', 'mine')$$, '42501', 'schema "mine" is not yours, or has tables of others', 'by an import either');
SELECT throws_ok($$SELECT extensions.crm_import_read('mine', 'x')$$, '42501', NULL, 'nor by reading a file');
SELECT is_empty('SELECT * FROM t.ran WHERE is_superuser', 'none of it ran as a superuser');

-- Nor what the owner of a CRM has attached to its tables, where the import is the superuser's.
SET LOCAL ROLE im_owner;
CREATE FUNCTION crm.planted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t.ran SELECT TG_TABLE_NAME, current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user;
    RETURN NEW;
END $$;
CREATE TRIGGER planted BEFORE INSERT ON crm.deals FOR EACH ROW EXECUTE FUNCTION crm.planted();
CREATE TRIGGER planted BEFORE INSERT ON crm.deal_changes FOR EACH ROW EXECUTE FUNCTION crm.planted();
RESET ROLE;
SELECT extensions.crm_prepare_import('of_superuser') \g /dev/null
INSERT INTO of_superuser.deals (external_id, pipeline, stage, amount, created_at) VALUES ('4', 'Sales', 'Lead', '1', '2024-01-01');
SELECT throws_ok($$SELECT extensions.crm_import('crm', 'test', 'of_superuser')$$, '42501', 'only the owner of the CRM in schema "crm" can import', 'into the CRM of another');
SELECT throws_ok($$SELECT extensions.crm_import_export('crm', 'of_superuser')$$, '42501', 'only the owner of the CRM in schema "crm" can import', 'of an export');
SELECT is_empty('SELECT * FROM t.ran WHERE is_superuser', 'none of that ran as a superuser either');
SET LOCAL ROLE im_admin;
SELECT is((SELECT count(*) FROM extensions.crm_export('crm', 'jsonl', 'deals')), 1::bigint, 'an export has what the caller sees');

SELECT * FROM finish();
ROLLBACK;
