-- A CRM on a node of a Citus cluster, as far as a stub of Citus's catalogs, settings and
-- functions goes: test/citus/run tries the rest on a cluster.
SET client_min_messages = warning;
-- Before the library is loaded, as Citus is by the server.
SET citus.propagate_set_commands = 'none';
SET citus.enable_schema_based_sharding = 'off';
CREATE EXTENSION pgtap;
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SET search_path = extensions, public;

SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass NOT NULL, shardid bigint NOT NULL);
CREATE INDEX pg_dist_shard_logical_relid_index ON pg_catalog.pg_dist_shard (logicalrelid);
CREATE UNIQUE INDEX pg_dist_shard_shardid_index ON pg_catalog.pg_dist_shard (shardid);
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, repmodel "char" NOT NULL);
CREATE UNIQUE INDEX pg_dist_partition_logical_relid_index ON pg_catalog.pg_dist_partition (logicalrelid);
CREATE TABLE pg_catalog.pg_dist_placement (shardid bigint NOT NULL, groupid integer NOT NULL);
CREATE INDEX pg_dist_placement_shardid_index ON pg_catalog.pg_dist_placement (shardid);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid integer NOT NULL);
CREATE TABLE pg_catalog.pg_dist_schema (schemaid oid NOT NULL, colocationid integer);
CREATE TABLE pg_catalog.pg_dist_node (nodeid integer NOT NULL, nodename text, nodeport integer);
INSERT INTO pg_catalog.pg_dist_local_group VALUES (1);
INSERT INTO pg_catalog.pg_dist_node VALUES (1, 'here', 5432);
CREATE TABLE public.stub (answer text, distributes boolean);
INSERT INTO public.stub VALUES ('f', false);
CREATE FUNCTION pg_catalog.run_command_on_all_nodes(command text) RETURNS TABLE (nodeid integer, success boolean, result text)
	LANGUAGE sql AS $$ SELECT 1, true, answer FROM public.stub $$;
-- How crm takes the settings of a session to other nodes.
CREATE FUNCTION pg_catalog.create_intermediate_result(result_id text, query text) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
-- Puts the rows of each table into a shard, as Citus does it on one node.
CREATE FUNCTION pg_catalog.citus_schema_distribute(name regnamespace) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT c.oid, c.relname FROM pg_class AS c, public.stub WHERE c.relnamespace = name AND c.relkind = 'r' AND distributes LOOP
		INSERT INTO pg_catalog.pg_dist_shard VALUES (t.oid, 100000 + t.oid::bigint);
		INSERT INTO pg_catalog.pg_dist_placement VALUES (100000 + t.oid::bigint, 1);
	END LOOP;
	INSERT INTO pg_catalog.pg_dist_schema SELECT name, 1 FROM public.stub WHERE distributes;
END $$;

SELECT plan(54);

-- ---- installing ----

SELECT lives_ok($$ SELECT crm_install('local') $$, 'While Citus does not distribute schemas, a CRM stays local');
SELECT is((SELECT count(*) FROM pg_catalog.pg_dist_shard), 0::bigint, 'none of its tables is distributed');

SET citus.enable_schema_based_sharding = 'on';
SELECT throws_ok($$ SELECT crm_install('shared', 'shared') $$, '0A000', 'a CRM of tenancy "shared" cannot be distributed',
	'Shared tenancy is not for Citus');
SELECT throws_ok($$ SELECT crm_install('crm') $$, '55000', 'node here:5432 does not load the library of crm for each session',
	'A node that would lose the settings of sessions is refused');
UPDATE public.stub SET answer = 't';
SELECT throws_ok($$ SELECT crm_install('crm') $$, '55000', 'the CRM in schema "crm" is not distributed',
	'A schema that stays local while sharding is on is an error');
SELECT hasnt_schema('crm', 'and leaves nothing behind');
UPDATE public.stub SET distributes = true;
SELECT lives_ok($$ SELECT crm_install('crm') $$, 'A CRM is distributed when it is installed');
SELECT is((SELECT count(*) FROM pg_catalog.pg_dist_shard), 10::bigint, 'all its tables are');
SELECT is((SELECT count(*) FROM pg_policy WHERE polrelid IN ('crm.stage_changes'::regclass, 'crm.deal_changes'::regclass)
	AND pg_get_expr(polqual, polrelid) = 'crm_sees_all_deals((tableoid)::regclass)'), 2::bigint, 'its policies have no sub-query');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')), 0::bigint,
	'PUBLIC has no right on a function of it');
SELECT is((SELECT count(*) FROM crm_check('crm')), 0::bigint, 'crm_check() finds nothing');
-- Citus looks for the types of a table in what it and its indexes depend on.
PREPARE domains AS SELECT t.typname FROM pg_depend AS d JOIN pg_type AS t ON t.oid = d.refobjid
	WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass($1) AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'n' ORDER BY 1;
SELECT results_eq($$ EXECUTE domains('crm.deals_pkey') $$, $$ VALUES ('deal_metadata'::name), ('deal_status'), ('forecast_category'), ('value_period') $$,
	'The primary key of deals depends on the domains of its CHECK');

-- ---- links and imports ----

CREATE TABLE public.people (id uuid PRIMARY KEY, name text);
SELECT throws_ok($$ SELECT crm_link('crm', 'deals.owner_id', 'public.people') $$, '0A000',
	'a CRM that Citus has distributed cannot be linked to table "people"', 'A table of one node is not linked');
INSERT INTO pg_catalog.pg_dist_shard VALUES ('public.people', 90001);
INSERT INTO pg_catalog.pg_dist_partition VALUES ('public.people', 's');
SELECT throws_ok($$ SELECT crm_link('crm', 'deals.owner_id', 'public.people') $$, '0A000', NULL, 'nor is one that may be on another node');
UPDATE pg_catalog.pg_dist_partition SET repmodel = 't';
SELECT lives_ok($$ SELECT crm_link('crm', 'deals.owner_id', 'public.people') $$, 'A reference table is');
SELECT crm_unlink('crm', 'deals.owner_id');
CREATE TABLE crm.people (id uuid PRIMARY KEY, name text);
INSERT INTO pg_catalog.pg_dist_shard VALUES ('crm.people', 90002);
SELECT lives_ok($$ SELECT crm_link('crm', 'deals.owner_id', 'crm.people') $$, 'as is a table of the CRM''s schema');
SELECT crm_unlink('crm', 'deals.owner_id');
DROP TABLE crm.people;
SELECT throws_ok($$ SELECT crm_link('local', 'deals.owner_id', 'public.people') $$, '0A000',
	'a CRM that Citus has not distributed cannot be linked to reference table "people"', 'A CRM that is local takes no reference table');
CREATE TABLE public.colleagues (id uuid PRIMARY KEY, name text);
SELECT lives_ok($$ SELECT crm_link('local', 'deals.owner_id', 'public.colleagues') $$, 'but any other');
SELECT crm_unlink('local', 'deals.owner_id');
SELECT crm_prepare_import('imp');
INSERT INTO imp.deals (external_id) VALUES ('a');
SELECT throws_ok($$ SELECT crm_import('crm', 'test', 'imp') $$, '0A000', 'nothing can be imported into schema "crm", which Citus has distributed',
	'Files are not imported into a distributed CRM');
SELECT isnt((SELECT number FROM crm_import('local', 'test', 'imp', check_only => true) LIMIT 1), NULL, 'but into one that is local');
DROP SCHEMA imp CASCADE;

-- ---- partitions ----

SELECT crm_install('parts') FROM set_config('citus.enable_schema_based_sharding', 'off', false);
SET citus.enable_schema_based_sharding = 'on';
DO $$
BEGIN
	SET LOCAL search_path = parts, extensions;
	ALTER TABLE stage_changes RENAME TO stage_changes_before;
	CREATE TABLE stage_changes (LIKE stage_changes_before) PARTITION BY RANGE (changed_at);
	ALTER TABLE stage_changes ATTACH PARTITION stage_changes_before DEFAULT;
END $$;
SELECT is((SELECT count(*) FROM crm_distribute_commands('parts'::regnamespace, 'extensions'::regnamespace, true, true) AS c
	WHERE c LIKE 'ALTER POLICY deals ON parts.stage_changes_before %'), 1::bigint, 'The policy of a partition loses its sub-query, too');

INSERT INTO local.pipelines (name) VALUES ('Sales');
SELECT lives_ok($$ SELECT crm_distribute('local') $$, 'An existing CRM is distributed');
SELECT is((SELECT count(*) FROM crm_check('local')), 0::bigint, 'its triggers are there again');
SELECT lives_ok($$ SELECT crm_distribute('local') $$, 'crm_distribute() may be repeated');
SELECT results_eq($$ EXECUTE domains('local.deals_pkey') $$, $$ EXECUTE domains('crm.deals_pkey') $$, 'it records each domain once');

-- ---- writing to shards ----

-- The tables become shards, beside empty tables of their names.
DO $$
DECLARE
	t record;
BEGIN
	SET LOCAL search_path = crm, extensions;
	FOR t IN SELECT s.shardid, c.oid, c.relname FROM pg_catalog.pg_dist_shard AS s JOIN pg_class AS c ON c.oid = s.logicalrelid::oid
		WHERE c.relnamespace = 'crm'::regnamespace LOOP
		EXECUTE format('ALTER TABLE %I RENAME TO %I', t.relname, t.relname || '_' || t.shardid);
		EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', t.relname, t.relname || '_' || t.shardid);
		EXECUTE format('UPDATE pg_catalog.pg_dist_shard SET logicalrelid = %L WHERE shardid = %s', t.relname, t.shardid);
		PERFORM set_config('shard.' || t.relname, t.relname || '_' || t.shardid, false);
	END LOOP;
END $$;
SELECT current_setting('shard.pipelines') AS pipelines, current_setting('shard.stages') AS stages, current_setting('shard.deals') AS deals,
	current_setting('shard.stage_changes') AS stage_changes, current_setting('shard.deal_changes') AS deal_changes,
	current_setting('shard.stage_totals') AS stage_totals \gset
SET search_path = crm, extensions, public;
INSERT INTO :pipelines (id, name, is_default) VALUES ('00000000-0000-0000-0000-000000000001', 'Sales', true);
INSERT INTO :stages (id, pipeline_id, name, deal_status) VALUES
	('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001', 'Lead', 'open'),
	('00000000-0000-0000-0000-0000000000a2', '00000000-0000-0000-0000-000000000001', 'Won', 'won');
INSERT INTO :deals (id, title, amount) VALUES ('00000000-0000-0000-0000-0000000000d1', 'One', 100);
UPDATE :deals SET status = 'won';
SELECT is((SELECT count(*) FROM :deal_changes WHERE change = 'created'), 1::bigint, 'A deal of a shard is recorded in the shard beside it');
SELECT is((SELECT count(*) FROM :stage_changes), 1::bigint, 'as is its move');
SELECT is((SELECT sum(t.deals) FROM :stage_totals AS t), 1::numeric, 'and it is in the totals');
SELECT is((SELECT count(*) FROM deal_changes), 0::bigint, 'the table itself stays empty');

UPDATE :deals SET status = 'undo';
SELECT is((SELECT status || ' ' || move_no FROM :deals), 'open 2', 'The request to take a move back is part of the row');
SELECT is((SELECT reverts_no FROM :stage_changes WHERE move_no = 2), 1, 'and is recorded as such');
SELECT throws_ok(format($$ UPDATE %I SET status = 'undo' $$, :'deals'), 'PT409', NULL, 'There is nothing more to take back');
UPDATE :deals SET stage_id = '00000000-0000-0000-0000-0000000000a2';
SELECT is((SELECT reverts_no FROM :stage_changes WHERE move_no = 3), NULL, 'The next move takes nothing back');
SELECT throws_ok(format($$ INSERT INTO %I (title, status) VALUES ('Two', 'undo') $$, :'deals'), '23514', NULL, 'A new deal has no move to take back');

-- ---- the clock of another node ----

BEGIN;
UPDATE :deals SET stage_id = '00000000-0000-0000-0000-0000000000a1';
SELECT throws_ok(format($$ UPDATE %I SET status = 'won', stage_entered_at = now() - interval '1 minute' $$, :'deals'), '23514', NULL,
	'A time before the deal entered its stage is refused');
SET LOCAL crm.transaction_start = 0;
SELECT lives_ok(format($$ UPDATE %I SET status = 'won', stage_entered_at = now() - interval '1 minute' $$, :'deals'),
	'unless it may be now() of the session''s node');
ROLLBACK;

-- ---- totals ----

-- Citus takes statements on the tables to the shards; the rows of totals are stored without it.
INSERT INTO local.stages (pipeline_id, name) SELECT id, 'Lead' FROM local.pipelines;
INSERT INTO local.deals (title, amount, pipeline_id) SELECT 'Counted', 77, id FROM local.pipelines;
SELECT format('CREATE TABLE local.%1$I (LIKE local.%2$I INCLUDING DEFAULTS)', relname || '_' || shardid, relname)
FROM pg_catalog.pg_dist_shard AS s JOIN pg_class AS c ON c.oid = s.logicalrelid::oid
WHERE c.relnamespace = 'local'::regnamespace AND c.relname IN ('deals', 'stage_totals') \gexec
SELECT relname || '_' || shardid AS local_totals FROM pg_catalog.pg_dist_shard AS s JOIN pg_class AS c ON c.oid = s.logicalrelid::oid
WHERE c.relnamespace = 'local'::regnamespace AND c.relname = 'stage_totals' \gset
SELECT is(crm_rebuild_totals('local'), 1::bigint, 'Totals are computed on the node that has the shards');
SELECT is((SELECT count(*) FROM local.:local_totals AS t WHERE t.value = 77), 1::bigint, 'and stored in the shard');
SELECT is((SELECT count(*) FROM local.stage_totals AS t WHERE t.deals > 0), 0::bigint, 'not in the table of its name');

-- ---- reading from shards ----

SELECT is(pipeline_summary('00000000-0000-0000-0000-000000000001') ->> 'total_value', '100', 'A report reads the shards that are here');
SELECT is((SELECT count(*) FROM funnel('00000000-0000-0000-0000-000000000001')), 2::bigint, 'another one, too');
UPDATE pg_catalog.pg_dist_placement SET groupid = 2;
SELECT throws_ok($$ SELECT pipeline_summary('00000000-0000-0000-0000-000000000001') $$, 'PT404', NULL,
	'What was moved to another node is left to Citus');

INSERT INTO pg_catalog.pg_dist_placement SELECT shardid, 1 FROM pg_catalog.pg_dist_placement;
SELECT is(pipeline_summary('00000000-0000-0000-0000-000000000001') ->> 'total_value', '100', 'A table of which several nodes have the rows is read here');
DELETE FROM pg_catalog.pg_dist_placement WHERE groupid = 1;

-- ---- what Citus refuses ----

CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = current_setting('stub.message');
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON local.pipelines FOR EACH ROW EXECUTE FUNCTION public.refuse();
SET stub.message = 'cannot execute a distributed query from a query on a shard';
SELECT throws_ok($$ SELECT local.create_pipeline('New') $$, '0A000', 'create_pipeline() cannot be called for the rows of a query on distributed tables',
	'A function that writes, called on a shard, says so');
SET stub.message = 'another one';
SELECT throws_ok($$ SELECT local.create_pipeline('New') $$, 'XX000', 'another one', 'Other errors stay as they are');
DROP TRIGGER refuse ON local.pipelines;

-- ---- the context ----

SELECT throws_ok($$ SELECT crm_rebuild_totals('local') $$, '55000', 'the totals of schema "local" are on another node',
	'Totals are computed on the node that has them');
SET crm.actor = 'anna';
SELECT set_config('crm.effective_at', '2026-01-01 00:00+00', false) \g /dev/null
SELECT lives_ok($$ SELECT crm_propagate_context() $$, 'The settings of the session are taken along');
SELECT is(current_setting('crm.actor') || ' ' || current_setting('citus.propagate_set_commands'), 'anna none', 'and stay as they were');

-- A role or a database may have a wrong one, which only the reports refuse that go by it.
SELECT throws_ok($$ SET crm.week_start = 'someday' $$, '22023', NULL, 'A wrong setting is refused');
SET application_name = 'citus_internal gpid=10000000001';
SELECT lives_ok($$ SET crm.week_start = 'someday' $$, 'but not on the node that it is taken to');
RESET application_name;
SELECT lives_ok($$ SELECT crm_propagate_context() $$, 'nor does it stop the other settings');
RESET crm.week_start;

-- a node to which Citus takes a function, by a session of its own
SET application_name = 'citus_internal gpid=10000000001';
COMMENT ON COLUMN deals.title IS NULL;
DROP FUNCTION mcp(json);
CREATE FUNCTION mcp(json) RETURNS json LANGUAGE crm AS '';
SELECT ok(obj_description('crm.mcp(json)'::regprocedure, 'pg_proc') LIKE '%Model Context Protocol%', 'There, a function gets its comment');
SELECT is(col_description('crm.deals'::regclass, 14), 'Short name of the deal', 'and the columns theirs');
CREATE SCHEMA new;
SELECT lives_ok($$ CREATE FUNCTION new.mcp(json) RETURNS json LANGUAGE crm AS '' $$, 'A node that is added may get the function before the tables');

SELECT * FROM finish();
