-- What crm_install() and crm_upgrade() run, and how its errors are told.
BEGIN;
\ir include/setup.sql
SELECT plan(16);
SET LOCAL search_path = t, extensions, pg_catalog;

-- A version that never was, with that step to the present one.
CREATE FUNCTION t.upgrade(step text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    context text; query text; place text;
BEGIN
    UPDATE pg_trigger SET tgargs = '0.0.1'::bytea || substring(tgargs FROM position('\x00'::bytea IN tgargs))
    WHERE tgnargs > 0 AND tgfoid IN (SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'extensions'::regnamespace);
    ALTER TABLE crm.deals SET (fillfactor = 100);       -- so that this session reads the version again
    EXECUTE format('CREATE OR REPLACE FUNCTION extensions.crm_migrations() RETURNS TABLE (from_version text, to_version text, script text)
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %L', format('SELECT %L, extensions.crm_version(), %L', '0.0.1', step));
    RETURN extensions.crm_upgrade('crm');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(E'\n', SQLERRM, context);
END $$;

-- Errors: the context is the statement, not the script.
SELECT matches(t.upgrade('ALTER TABLE deals ADD COLUMN next_step text; ALTER TABLE deals ADD COLUMN "title" text; COMMENT ON TABLE deals IS ''?'''),
    E'^column "title" of relation "deals" already exists\nSQL statement "ALTER TABLE deals ADD COLUMN "title" text"\n', 'DDL');
SELECT matches(t.upgrade('ALTER TABLE deals ADD COLUMN next_step text; UPDATE deals SET titel = NULL'),
    E'^column "titel" of relation "deals" does not exist', 'DML');
SELECT matches(t.upgrade('COMMENT ON COLUMN deals.titel IS ''?'''),
    E'^column "titel" of relation "deals" does not exist\nSQL statement "COMMENT ON COLUMN deals.titel IS ''\\?''"\n', 'a comment on nothing');
SELECT matches(t.upgrade('COMMENT ON TABLE deal IS ''?'''), '^relation "deal" does not exist\n', 'or on no table');

-- Comments.
SELECT is(t.upgrade($$COMMENT ON COLUMN deals.title IS 'X'; COMMENT ON COLUMN deals.title IS 'T'; COMMENT ON TABLE deals IS 'D'; COMMENT ON VIEW deal_facts IS 'F';
    COMMENT ON COLUMN deal_facts.title IS 'FT'; COMMENT ON DOMAIN deal_status IS 'S'; COMMENT ON COLUMN deals.rank IS NULL;
    COMMENT ON COLUMN crm.deals.status IS 'Q'; COMMENT ON CONSTRAINT deals_pkey ON deals IS 'C'$$), extensions.crm_version(), 'a step of comments');
SELECT results_eq($$SELECT col_description('crm.deals'::regclass, a.attnum) FROM pg_attribute AS a
        WHERE a.attrelid = 'crm.deals'::regclass AND a.attname IN ('title', 'rank', 'status') ORDER BY a.attname$$,
    $$VALUES (NULL), ('Q'), ('T')$$, 'on columns');
SELECT results_eq($$SELECT obj_description('crm.deals'::regclass), obj_description('crm.deal_facts'::regclass), col_description('crm.deal_facts'::regclass, 3),
        obj_description('crm.deal_status'::regtype), (SELECT obj_description(oid) FROM pg_constraint WHERE conname = 'deals_pkey')$$,
    $$VALUES ('D', 'F', 'FT', 'S', 'C')$$, 'and on other objects');

-- Functions that are other than declared: reported, and made anew.
SELECT is_empty('SELECT * FROM crm_check()', 'all is right');
CREATE ROLE scripts_user;
DROP FUNCTION crm.win_rate, crm.deal_history;
CREATE FUNCTION crm.deal_history(a uuid, b timestamptz, c timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION crm.sales_cycle VOLATILE;
GRANT EXECUTE ON FUNCTION crm.sales_cycle TO scripts_user;
SELECT set_eq('SELECT split_part(object, ''('', 1), problem FROM crm_check()',
    $$VALUES ('function win_rate', 'is missing'),
        ('function deal_history', 'has other arguments, defaults or another result than the extension declares')$$, 'crm_check() tells which');
SELECT is(t.upgrade('SELECT 1'), extensions.crm_version(), 'an upgrade');
SELECT is_empty('SELECT * FROM crm_check()', 'makes them anew');
SELECT results_eq($$SELECT provolatile::text, has_function_privilege('scripts_user', oid, 'EXECUTE') FROM pg_proc WHERE oid = 'crm.sales_cycle'::regproc$$,
    $$VALUES ('s', true)$$, 'one is replaced if possible, and keeps its rights');
SELECT ok(NOT has_function_privilege('scripts_user', 'crm.win_rate'::regproc, 'EXECUTE'), 'PUBLIC has none on a new one');

-- The function that PostgREST calls by GET.
SELECT is(obj_description('crm.mcp()'::regprocedure), E'No stream: the status 405\n\nThe endpoint of the Model Context Protocol takes messages by POST and opens no stream of its own.',
    'mcp() is described');
SELECT ok(NOT has_function_privilege('scripts_user', 'crm.mcp()', 'EXECUTE'), 'and is not PUBLIC''s');

-- A query of the extension that is two statements where a line does not end.
CREATE OR REPLACE FUNCTION extensions.crm_query_win_rate() RETURNS text LANGUAGE sql IMMUTABLE AS $body$ SELECT $packed$SELECT 1; SELECT 2;
$packed$ $body$;
SELECT results_eq('SELECT * FROM crm_check()', $$VALUES ('query of crm_win_rate', 'a query of win_rate is not one statement')$$, 'two statements in a line are refused');

SELECT * FROM finish();
ROLLBACK;
