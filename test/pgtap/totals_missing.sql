-- Totals that are not there, as after a restore without their data, are not taken
-- for totals: neither before the first write nor after it.
BEGIN;
\ir include/setup.sql
SELECT plan(11);
SELECT make_pipelines();

CREATE FUNCTION t.used() RETURNS boolean LANGUAGE sql
AS $$ SELECT extensions.crm_pipeline_totals('crm', t.id('Sales')) IS NOT NULL $$;
CREATE FUNCTION t.deals() RETURNS integer LANGUAGE sql
AS $$ SELECT (pipeline_summary(t.id('Sales')) ->> 'total_deals')::integer $$;

SELECT ok(used(), 'the totals of a new CRM count');
INSERT INTO deals (title, amount) SELECT 'Deal ' || i, i FROM generate_series(1, 10) AS i;
SELECT ok(used(), 'those of deals as well');

DELETE FROM stage_totals;
SELECT ok(NOT used(), 'without their data they are not used');
SELECT is(deals(), 10, 'the summary is that of the deals');
INSERT INTO deals (title, amount) VALUES ('One more', 11);
SELECT ok(NOT used(), 'nor after a write that begins to count');
SELECT is(deals(), 11, 'the summary is right');

SELECT is(extensions.crm_rebuild_totals('crm'), 11::bigint, 'they are computed anew');
SELECT ok(used() AND deals() = 11, 'and used again');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'and exact');

TRUNCATE deals, stage_totals CASCADE;
INSERT INTO deals (title, amount) VALUES ('A new one', 1);
SELECT ok(used() AND deals() = 1, 'after TRUNCATE of both they are complete');
TRUNCATE deals CASCADE;
INSERT INTO deals (title, amount) VALUES ('A new one', 1);
SELECT ok(used() AND deals() = 1, 'and after TRUNCATE of deals');

SELECT * FROM finish();
ROLLBACK;
