-- CRMs of other versions than the library: older ones are served, without what
-- their tables lack; newer ones are refused with a hint.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(28);

SET LOCAL search_path = crm, t, extensions;

-- Makes the CRM one of another version, as its triggers tell.
CREATE FUNCTION t.set_version(version text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    definition text;
BEGIN
    FOR definition IN
        SELECT pg_get_triggerdef(g.oid)
        FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE c.relnamespace = 'crm'::regnamespace AND g.tgnargs > 0 AND NOT g.tgisinternal
    LOOP
        EXECUTE regexp_replace(replace(definition, 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER'),
            $q$\('[^']*'$q$, format('(%L', version));
    END LOOP;
END $$;

-- One of before deal_changes: its triggers do not ask for that.
SELECT set_version('0.0.9') \g /dev/null
SET LOCAL client_min_messages = error;
DROP TABLE deal_changes CASCADE;
RESET client_min_messages;
DROP TRIGGER zz_crm_deal_truncate ON deals;
CREATE OR REPLACE TRIGGER zz_crm_deal_audit_insert AFTER INSERT ON deals
    REFERENCING NEW TABLE AS new_deals
    FOR EACH STATEMENT EXECUTE FUNCTION crm_deal_audit('0.0.9', 'totals');
CREATE OR REPLACE TRIGGER zz_crm_deal_audit_update AFTER UPDATE ON deals
    REFERENCING OLD TABLE AS old_deals NEW TABLE AS new_deals
    FOR EACH STATEMENT EXECUTE FUNCTION crm_deal_audit('0.0.9', 'history', 'totals');
CREATE OR REPLACE TRIGGER zz_crm_deal_audit_delete AFTER DELETE ON deals
    REFERENCING OLD TABLE AS old_deals
    FOR EACH STATEMENT EXECUTE FUNCTION crm_deal_audit('0.0.9', 'totals');

SELECT is(crm_installed_version('crm'), '0.0.9', 'an older CRM');
SELECT lives_ok($$INSERT INTO deals (id, title, amount, currency)
    VALUES (id('a'), 'a', 1, 'EUR'), (id('b'), 'b', 2, 'EUR')$$, 'takes deals');
SELECT lives_ok($$UPDATE deals SET stage_id = id('Qualified')$$, 'moves them');
SELECT lives_ok($$SELECT move_deal(id('a'), id('Won'))$$, 'also by function');
SELECT lives_ok($$UPDATE deals SET amount = 3, title = 'c'$$, 'changes them');
SELECT is(place('a'), 'Sales / Won / won / 1.0000', 'as the rules say');
SELECT lives_ok($$SELECT undo_move(id('a'))$$, 'takes a move back');
SELECT is(place('a'), 'Sales / Qualified / open / 0.5000', 'to where the deal was');
SELECT results_eq($$SELECT move_no FROM stage_changes WHERE deal_id = id('a') ORDER BY move_no$$,
    'VALUES (1), (2), (3)', 'records it all');
SELECT lives_ok($$DELETE FROM deals WHERE id = id('b')$$, 'deletes a deal');
SELECT lives_ok($$INSERT INTO deals (id, title) VALUES (id('b'), 'again')$$, 'takes it again');
SELECT results_eq($$SELECT move_no FROM deals WHERE id = id('b')$$, 'VALUES (1)', 'which goes on where it ended');
SELECT lives_ok($$INSERT INTO tags (name) VALUES ('hot')$$, 'takes tags');
SELECT lives_ok($$UPDATE stages SET name = 'New' WHERE id = id('Lead')$$, 'changes stages');
SELECT is(pipeline_summary(id('Sales')) ->> 'total_deals', '2', 'sums up');
SELECT is_empty($$SELECT * FROM crm_check_totals('crm')$$, 'with totals that are right');
SELECT is(error_of($$SELECT crm_upgrade('crm')$$),
    format(E'PT409\ncannot upgrade the CRM in schema "crm" from version "0.0.9"\n'
        'The extension is of version %s and knows no steps.', crm_version()), 'is not upgraded without a step from there')
    WHERE NOT EXISTS (SELECT FROM crm_migrations())
UNION ALL
SELECT alike(error_of($$SELECT crm_upgrade('crm')$$),
    E'PT409\ncannot upgrade the CRM in schema "crm" from version "0.0.9"\nThe extension is of version % and knows the steps %',
    'is not upgraded without a step from there')
    WHERE EXISTS (SELECT FROM crm_migrations());

-- A newer one.
SELECT set_version('99.0') \g /dev/null
SELECT is(error_of($$UPDATE deals SET amount = 4$$),
    format(E'PT503\nthe CRM in schema "crm" is newer than the library\n'
        'The CRM is of version 99.0; this session has loaded version %1$s of the library.\n'
        'Install crm 99.0 or later on this server, whose library is of version %1$s. If that was done already, reconnect.',
        crm_version()), 'a newer CRM is not written to');
SELECT alike(error_of($$INSERT INTO tags (name) VALUES ('x')$$), E'PT503\nthe CRM in schema "crm" is newer%', 'in any table');
SELECT is(error_of($$SELECT crm_upgrade('crm')$$),
    format(E'PT409\nthe CRM in schema "crm" is newer than extension crm\n'
        'The CRM''s version is 99.0, the extension''s %s.\n'
        'Install crm 99.0 or later on this server and run ALTER EXTENSION crm UPDATE.', crm_version()), 'nor upgraded');
SELECT set_version('1.x') \g /dev/null
SELECT is(error_of($$INSERT INTO tags (name) VALUES ('x')$$),
    E'39P01\ntrigger function "crm_row_rules" needs the version of the CRM as its argument', 'what is no version');

-- SQL and library.
SELECT is(error_of($$SELECT crm_require_library('99.0')$$),
    format(E'PT503\nthe SQL of extension crm is newer than the library\n'
        'The SQL is of version 99.0; this session has loaded version %1$s of the library.\n'
        'Install crm 99.0 or later on this server, whose library is of version %1$s. If that was done already, reconnect.',
        crm_version()), 'newer SQL says which library it needs');
SELECT alike(error_of(format('SELECT crm_require_library(%L)', v)), 'PT503%', v || ' is newer')
    FROM unnest(ARRAY[crm_version() || '.1', '99999999999999999999.0', 'x']) AS v;
SELECT is(error_of(format('SELECT crm_require_library(%L)', v)), 'no error', v || ' is not')
    FROM unnest(ARRAY[crm_version() || '.0', '0.0.99999999999999999999', '0']) AS v;

SELECT * FROM finish();
ROLLBACK;
