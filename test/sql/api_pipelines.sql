-- create_pipeline() and set_default_pipeline()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm_install('api_pipelines');
SET search_path = api_pipelines, public;
CREATE FUNCTION pg_temp.pipeline(text) RETURNS uuid STABLE LANGUAGE sql
	AS $$ SELECT id FROM api_pipelines.pipelines WHERE name = $1 $$;

-- only the name is required
SELECT name, description, is_default, currency, external_id, metadata, archived_at
FROM create_pipeline('Bare');
SELECT count(*) FROM stages;

-- all of it, in the order given
SELECT name, description, is_default, currency, external_id, metadata
FROM create_pipeline(
	name => 'Full',
	stages => '["Lead",
		{"name": "Proposal", "probability": 0.6, "rotting_days": 14, "external_id": "s2", "metadata": {"a": [1]}},
		{"name": "Talks", "probability": null, "deal_status": null, "metadata": null, "rotting_days": 3.0},
		{"deal_status": "won", "name": "Won"},
		{"deal_status": "lost", "name": "Lost", "probability": 0}]',
	is_default => true, currency => 'EUR', description => 'All there is', external_id => 'p1',
	metadata => '{"team": "north"}');
SELECT s.name, position, deal_status, probability, rotting_days, s.external_id, s.metadata
FROM stages AS s JOIN pipelines AS p ON p.id = pipeline_id WHERE p.name = 'Full' ORDER BY position;

-- nothing given is nothing, and the default is not taken away
SELECT name, is_default, currency, description, metadata
FROM create_pipeline('Nulls', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT name FROM create_pipeline('Null', 'null');
SELECT name FROM create_pipeline('Empty', '[]');
-- the column's default is the user's to change
ALTER TABLE pipelines ALTER currency SET DEFAULT 'CHF';
SELECT currency FROM create_pipeline('Swiss');
SELECT name, is_default FROM pipelines ORDER BY name;

-- the new default takes the old one's place
SELECT name, is_default FROM create_pipeline('Newest', '["One"]', true);
SELECT name FROM pipelines WHERE is_default;

-- wrong input
\set VERBOSITY terse
SELECT create_pipeline(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline(' ');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('FULL');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', external_id => 'p1');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', currency => 'usd');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', metadata => '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', '["A", "a"]');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', '[{"name": "Won", "deal_status": "won", "probability": 0.9}]');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT create_pipeline('Other', '"A"');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', '{"name": "A"}');
SELECT create_pipeline('Other', '["A", 7]');
SELECT create_pipeline('Other', '["A", null]');
SELECT create_pipeline('Other', '["A", ["B"]]');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', '["A", {"nme": "B"}]');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', '["A", {}]');
\echo :LAST_ERROR_SQLSTATE
SELECT create_pipeline('Other', '["A", {"name": null}]');
SELECT create_pipeline('Other', '["A", "\t "]');
SELECT create_pipeline('Other', '["A", ""]');
SELECT create_pipeline('Other', '[{"name": 5}]');
SELECT create_pipeline('Other', '[{"name": "A", "deal_status": "Won"}]');
SELECT create_pipeline('Other', '[{"name": "A", "deal_status": true}]');
SELECT create_pipeline('Other', '[{"name": "A", "probability": "0.5"}]');
SELECT create_pipeline('Other', '[{"name": "A", "probability": 60}]');
SELECT create_pipeline('Other', '[{"name": "A", "probability": -0.1}]');
SELECT create_pipeline('Other', '[{"name": "A", "rotting_days": 0}]');
SELECT create_pipeline('Other', '[{"name": "A", "rotting_days": 1.5}]');
SELECT create_pipeline('Other', '[{"name": "A", "rotting_days": 1e12}]');
SELECT create_pipeline('Other', '[{"name": "A", "rotting_days": "7"}]');
SELECT create_pipeline('Other', '[{"name": "A", "external_id": 7}]');
SELECT create_pipeline('Other', '[{"name": "A", "metadata": []}]');
\echo :LAST_ERROR_SQLSTATE
-- of which nothing is left
SELECT count(*) FROM pipelines WHERE name = 'Other';
SELECT name FROM pipelines WHERE is_default;

-- the default
SELECT name, is_default FROM set_default_pipeline(pg_temp.pipeline('Bare'));
SELECT name FROM pipelines WHERE is_default;
-- again: nothing is written
CREATE TEMP TABLE before AS SELECT id, xmin::text AS written_by FROM pipelines;
SELECT name, is_default FROM set_default_pipeline(pg_temp.pipeline('Bare'));
SELECT p.name FROM pipelines AS p JOIN before AS b USING (id) WHERE p.xmin::text <> b.written_by;
SELECT set_default_pipeline(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT set_default_pipeline('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
UPDATE pipelines SET archived_at = '2026-01-01' WHERE name = 'Swiss';
\set VERBOSITY sqlstate
SELECT set_default_pipeline(pg_temp.pipeline('Swiss')) IS NULL;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT name FROM pipelines WHERE is_default;

-- whoever may write the tables may call it, no others
CREATE ROLE regress_api_pipelines;
GRANT USAGE ON SCHEMA api_pipelines TO regress_api_pipelines;
SET ROLE regress_api_pipelines;
SELECT create_pipeline('Mine');
SELECT set_default_pipeline('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api_pipelines TO regress_api_pipelines;
SET ROLE regress_api_pipelines;
SELECT create_pipeline('Mine');
SELECT set_default_pipeline('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT, INSERT ON pipelines TO regress_api_pipelines;
GRANT SELECT, INSERT ON stages TO regress_api_pipelines;
SET ROLE regress_api_pipelines;
SELECT name FROM create_pipeline('Mine', '["A"]');
SELECT create_pipeline('Ours', is_default => true);
\echo :LAST_ERROR_SQLSTATE
SELECT set_default_pipeline(pg_temp.pipeline('Mine')) IS NULL;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT UPDATE ON pipelines TO regress_api_pipelines;
SET ROLE regress_api_pipelines;
SELECT name, is_default FROM create_pipeline('Ours', is_default => true);
SELECT name, is_default FROM set_default_pipeline(pg_temp.pipeline('Mine'));
RESET ROLE;

-- policies of one's own: what is hidden is not there, what is kept stays
SELECT pg_temp.pipeline('Full') AS hidden, pg_temp.pipeline('Null') AS kept \gset
ALTER TABLE pipelines ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON pipelines FOR SELECT USING (name <> 'Full');
CREATE POLICY keep ON pipelines FOR UPDATE USING (name <> 'Null');
SET ROLE regress_api_pipelines;
SELECT name FROM set_default_pipeline(pg_temp.pipeline('Bare'));
\set VERBOSITY sqlstate
SELECT set_default_pipeline(:'hidden');
SELECT set_default_pipeline(:'kept');
\set VERBOSITY default
SELECT name FROM pipelines WHERE is_default;
RESET ROLE;
ALTER TABLE pipelines DISABLE ROW LEVEL SECURITY;
DROP POLICY see ON pipelines;
DROP POLICY keep ON pipelines;

-- tenants have their own
SELECT crm_install('api_pipelines_shared', 'shared');
SET search_path = api_pipelines_shared, public;
GRANT USAGE ON SCHEMA api_pipelines_shared TO regress_api_pipelines;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api_pipelines_shared TO regress_api_pipelines;
GRANT ALL ON pipelines, stages TO regress_api_pipelines;
SET ROLE regress_api_pipelines;
SELECT create_pipeline('Nobody''s');
\echo :LAST_ERROR_SQLSTATE
SET crm.tenant_id = 'one';
SELECT name, is_default FROM create_pipeline('Sales', '["A"]', true);
SET crm.tenant_id = 'two';
SELECT name, is_default FROM create_pipeline('Sales', '["A"]', true);
SELECT name, is_default FROM create_pipeline('More', '["A"]', true);
SELECT name, is_default FROM pipelines ORDER BY name;
RESET ROLE;
-- so has the owner, who sees them all
SELECT is_default FROM set_default_pipeline((SELECT id FROM pipelines
	WHERE name = 'Sales' AND tenant_id = crm_external_uuid('tenant', 'two')));
SELECT name, is_default, tenant_id = crm_external_uuid('tenant', 'one') AS one FROM pipelines ORDER BY 1, 3;
-- a stranger's is as good as none
SELECT id AS stranger FROM pipelines WHERE tenant_id = crm_external_uuid('tenant', 'one') \gset
SET ROLE regress_api_pipelines;
SELECT count(*) FROM pipelines WHERE id = :'stranger';
\set VERBOSITY sqlstate
SELECT set_default_pipeline(:'stranger');
RESET ROLE;

SET client_min_messages = error;
DROP SCHEMA api_pipelines, api_pipelines_shared CASCADE;
DROP ROLE regress_api_pipelines;
