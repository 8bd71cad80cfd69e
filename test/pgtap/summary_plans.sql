-- How summaries of an installed CRM's deals are read: by several processes, or
-- from an index alone where a user adds the one that docs/performance.md shows.
-- Either way, what comes out is the same.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT plan(12);

CREATE ROLE plans_app;
GRANT USAGE ON SCHEMA crm, extensions, t TO plans_app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA crm TO plans_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO plans_app;
CREATE TABLE t.by_hand AS SELECT NULL::uuid AS stage_id, NULL::text AS currency, NULL::text AS value_period,
    0::bigint AS deals, 0::bigint AS deals_without_amount, 0::bigint AS deals_without_probability, 0::numeric AS value, 0::numeric AS weighted_value WITH NO DATA;
GRANT SELECT, INSERT ON t.by_hand TO plans_app;

-- Two tenants, so that row security has something to hide.
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
INSERT INTO pipelines (id, name) VALUES (id('other'), 'Other');
INSERT INTO stages (id, pipeline_id, name) VALUES (id('other lead'), id('other'), 'Lead');
INSERT INTO deals (pipeline_id, title, amount) SELECT id('other'), 'x', n FROM generate_series(1, 1000) AS n;
SET LOCAL crm.tenant_id = '22222222-2222-4222-8222-222222222222';
SELECT make_pipelines() \g /dev/null
INSERT INTO deals (pipeline_id, stage_id, title, amount, currency, value_period, archived_at)
SELECT id('Sales'), (ARRAY[id('Lead'), id('Qualified'), id('Won'), id('Paused')])[n % 4 + 1], 'Deal', nullif(n % 50, 0) + 0.01,
    (ARRAY['USD', 'EUR', 'JPY'])[n % 3 + 1], (ARRAY['one_time', 'monthly'])[n % 2 + 1],
    CASE WHEN n % 20 = 0 THEN now() END
FROM generate_series(1, 5000) AS n;
ANALYZE deals;

CREATE FUNCTION t.nodes(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN QUERY SELECT concat_ws(' ', nullif(n ->> 'Partial Mode', 'Simple'), n ->> 'Node Type', n ->> 'Index Name')
        FROM jsonb_path_query(plan::jsonb, '$.**') AS n WHERE n ? 'Node Type';
END $$;
CREATE FUNCTION t.summary(query text) RETURNS extensions.crm_summary LANGUAGE plpgsql AS $$
DECLARE
    summary extensions.crm_summary;
BEGIN
    EXECUTE query INTO summary;
    RETURN summary;
END $$;
SELECT format($$SELECT extensions.crm_pipeline_summary(stage_id, amount, currency, probability, value_period)
    FROM crm.deals WHERE pipeline_id = %L AND archived_at IS NULL$$, id('Sales')) AS query \gset

-- By SQL alone, and by one process that reads the table.
SET LOCAL ROLE plans_app;
SET LOCAL max_parallel_workers_per_gather = 0;
INSERT INTO by_hand SELECT stage_id, currency, value_period, count(*), count(*) - count(amount), count(*) - count(probability), coalesce(sum(amount), 0),
    coalesce(sum(amount * probability), 0) FROM deals WHERE pipeline_id = id('Sales') AND archived_at IS NULL GROUP BY 1, 2, 3;
SELECT is((SELECT sum(deals) FROM by_hand), 4750::numeric, 'there are deals to summarise');
SELECT set_eq($$SELECT * FROM extensions.crm_summary_rows(t.summary($$ || quote_literal(:'query') || '))', 'SELECT * FROM by_hand', 'serial: what SQL says');
SELECT summary(:'query') AS serial \gset

-- By several, each adding up its part.
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexonlyscan = off;
SELECT bag_has(format('SELECT t.nodes(%L)', :'query'), $$VALUES ('Finalize Aggregate'), ('Gather'), ('Partial Aggregate'), ('Seq Scan')$$,
    'parallel, under row security');
SELECT is(summary(:'query')::text, :'serial', 'parallel: the same');
SELECT bag_has($$SELECT t.nodes('SELECT * FROM crm.pipeline_stage_summary')$$, $$VALUES ('Gather'), ('Seq Scan')$$, 'so the view over it');
SET LOCAL max_parallel_workers_per_gather = 0;

-- From an index alone.
RESET ROLE;
CREATE INDEX deals_summary_idx ON deals (pipeline_id) INCLUDE (tenant_id, stage_id, amount, currency, probability, value_period)
    WHERE archived_at IS NULL;
-- What VACUUM, which runs in no transaction, would say of the table.
SET LOCAL allow_system_table_mods = on;
UPDATE pg_class SET relallvisible = relpages WHERE oid = 'deals'::regclass;
SET LOCAL ROLE plans_app;
SET LOCAL enable_indexscan = on;
SET LOCAL enable_indexonlyscan = on;
SET LOCAL enable_seqscan = off;
SELECT bag_eq(format('SELECT t.nodes(%L)', :'query'), $$VALUES ('Aggregate'), ('Result'), ('Index Only Scan deals_summary_idx')$$,
    'index only, under row security (the Result is the tenant)');
SELECT is(summary(:'query')::text, :'serial', 'index only: the same');
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT bag_eq(format('SELECT t.nodes(%L)', :'query'),
    $$VALUES ('Finalize Aggregate'), ('Gather'), ('Partial Aggregate'), ('Result'), ('Index Only Scan deals_summary_idx')$$, 'index only and parallel');
SELECT is(summary(:'query')::text, :'serial', 'index only and parallel: the same');
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT bag_has(format('SELECT t.nodes(%L)', format('SELECT * FROM crm.pipeline_stage_summary WHERE pipeline_id = %L', id('Sales'))),
    $$VALUES ('Index Only Scan deals_summary_idx')$$, 'index only: so the view over it');

-- Nothing of it changes what a tenant sees.
SELECT is(summary(replace(:'query', id('Sales')::text, id('other')::text))::text, '[]', 'another tenant''s deals are in no index of ours');
RESET ROLE;
SELECT isnt(summary(replace(:'query', id('Sales')::text, id('other')::text))::text, '[]', 'though they are there');
SELECT * FROM finish();
ROLLBACK;
