-- The locks of a transaction are few, whatever it writes: 30,000 tenants, each
-- with a pipeline of its own, are loaded and moved in one statement each.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT plan(9);

-- Of the kind that the CRM takes: on an object, but not on one of a catalog.
CREATE FUNCTION t.locks() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'object'
        AND classid >= 16384
$$;
CREATE FUNCTION t.few_locks(after text) RETURNS text LANGUAGE sql AS $$
    SELECT cmp_ok(locks(), '<', 1000::bigint, 'a transaction holds few locks after ' || after)
$$;

SELECT lives_ok($$
    INSERT INTO pipelines (id, tenant_id, name, is_default)
    SELECT t.id('p' || i), t.id('tenant ' || i), 'Sales', true FROM generate_series(1, 30000) AS i
$$, '30,000 default pipelines');
SELECT few_locks('adding pipelines');
SELECT lives_ok($$
    INSERT INTO stages (id, tenant_id, pipeline_id, name, position)
    SELECT t.id(s.name || i), t.id('tenant ' || i), t.id('p' || i), s.name, s.position
    FROM generate_series(1, 30000) AS i, (VALUES ('Lead', 1), ('Next', 2)) AS s (name, position)
$$, '60,000 stages');
SELECT lives_ok($$
    INSERT INTO deals (id, tenant_id, stage_id, title)
    SELECT t.id('d' || i), t.id('tenant ' || i), t.id('Lead' || i), 'Deal' FROM generate_series(1, 30000) AS i
$$, '30,000 deals');
SELECT few_locks('adding deals');
SELECT lives_ok($$ UPDATE deals AS d SET stage_id = s.id FROM stages AS s WHERE s.pipeline_id = d.pipeline_id AND s.name = 'Next' $$,
    'all of them move');
SELECT is((SELECT count(*) FROM stage_changes), 30000::bigint, 'each move is recorded');
SELECT few_locks('moving them');

-- Status changes are few in any transaction, and each takes a lock.
SELECT throws_ok($$ UPDATE stages SET deal_status = 'lost' WHERE name = 'Lead' $$, '54000', NULL,
    'the status of thousands of stages is not changed in one transaction');

SELECT * FROM finish();
ROLLBACK;
