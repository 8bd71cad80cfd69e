-- Whoever owns a table may attach the trigger functions to it, however odd the
-- table is: that ends in a clean error, or works; never in a crash.
BEGIN;
SET client_min_messages = warning;
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
CREATE EXTENSION pgtap;
SELECT no_plan();

-- The triggers need the version as their argument.
CREATE FUNCTION attach(function_name text, tab regclass, timing text, rest text DEFAULT '')
	RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER zz_%s %s ON %s %s EXECUTE FUNCTION extensions.%s(%L)',
		regexp_replace(function_name || timing || random(), '\W', '_', 'g'), timing, tab,
		coalesce(nullif(rest, ''), 'FOR EACH ROW'), function_name, extensions.crm_version());
END $$;

CREATE FUNCTION attach_stage_rules(tab regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER zz_stage_rules BEFORE INSERT OR UPDATE OR DELETE ON %s
		FOR EACH ROW EXECUTE FUNCTION extensions.crm_stage_rules(%L, %L)',
		tab, extensions.crm_version(), 'pipeline_id');
END $$;

-- Partitioned tables: rows are found in the partitions, whatever the order of
-- their columns.
CREATE SCHEMA parts;
SET search_path = parts, extensions, public;
CREATE TABLE pipelines (id uuid PRIMARY KEY, tenant_id uuid, name text, is_default bool,
	currency text, archived_at timestamptz, updated_at timestamptz) PARTITION BY HASH (id);
CREATE TABLE pipelines_0 PARTITION OF pipelines FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE pipelines_1 (junk int, updated_at timestamptz, archived_at timestamptz, currency text,
	is_default bool, name text, tenant_id uuid, id uuid NOT NULL);
ALTER TABLE pipelines_1 DROP junk;
ALTER TABLE pipelines ATTACH PARTITION pipelines_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE stages (id uuid PRIMARY KEY, tenant_id uuid, pipeline_id uuid REFERENCES pipelines,
	name text, position int, deal_status text, probability numeric, archived_at timestamptz,
	updated_at timestamptz) PARTITION BY HASH (id);
CREATE TABLE stages_0 PARTITION OF stages FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE stages_1 PARTITION OF stages FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT attach('crm_pipeline_rules', 'pipelines', 'BEFORE INSERT OR UPDATE');
SELECT attach_stage_rules('stages');

INSERT INTO pipelines SELECT extensions.crm_external_uuid('p', n::text), extensions.crm_external_uuid('t', '1'),
	'pipeline ' || n, false, 'EUR' FROM generate_series(1, 20) AS n;
SELECT ok((SELECT count(DISTINCT tableoid) = 2 FROM pipelines), 'both partitions hold pipelines');
SELECT lives_ok($$INSERT INTO stages SELECT gen_random_uuid(), tenant_id, id, 'stage', 1, 'open' FROM pipelines$$,
	'parents are found in a partitioned table');
SELECT throws_ok($$INSERT INTO stages SELECT gen_random_uuid(), gen_random_uuid(), id, 'stage', 1, 'open' FROM pipelines LIMIT 1$$,
	'23503', NULL, 'and their tenant is known');

SELECT * FROM finish();
ROLLBACK;
