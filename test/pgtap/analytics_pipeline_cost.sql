-- Reports on the past read what the deals of their pipeline have, not what all other deals
-- have, also of a pipeline of more than a thousand deals beside a large one; and they tell the same.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

-- Each deal was worth 90 until June, and 100 since.  The share of the small pipeline is an estimate
-- from a sample: well below one in 64.
SET LOCAL session_replication_role = replica;
CREATE TABLE t.new_deals AS
    SELECT id('deal ' || n) AS id, p AS pipeline_id, s AS stage_id, timestamptz '2024-01-01' + n * interval '1 second' AS at
    FROM generate_series(1, 101100) AS n,
        LATERAL (SELECT id(CASE WHEN n > 1100 THEN 'Sales' ELSE 'Renewals' END), id(CASE WHEN n > 1100 THEN 'Lead' ELSE 'Due' END)) AS x (p, s);
INSERT INTO deals (id, tenant_id, pipeline_id, stage_id, title, amount, currency, status, probability, stage_entered_at, created_at)
    SELECT id, '00000000-0000-0000-0000-000000000000', pipeline_id, stage_id, 'x', 100, 'EUR', 'open', 0.5, at, at FROM t.new_deals;
INSERT INTO deal_changes (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, recorded_at, move_no, version, change, status,
        old_amount, new_amount, old_currency, new_currency, old_probability, new_probability, old_value_period, new_value_period, changed_by, recorded_by)
    SELECT '00000000-0000-0000-0000-000000000000', d.id, d.pipeline_id, d.stage_id, d.at, c.at, c.at, 0, c.version, c.change, 'open',
        c.old_amount, c.new_amount, c.old_currency, 'EUR', c.old_probability, 0.5, c.old_period, 'one_time', 'test', 'test'
    FROM t.new_deals AS d,
        LATERAL (VALUES ('created', 1, d.at, NULL, 90, NULL, NULL, NULL),
            ('updated', 2, timestamptz '2024-06-01', 90, 100, 'EUR', 0.5, 'one_time'))
            AS c (change, version, at, old_amount, new_amount, old_currency, old_probability, old_period);
SET LOCAL session_replication_role = origin;
ANALYZE deals, stage_changes, deal_changes;
-- By the default, which is for disks that turn, reading all is about as cheap as looking up so many deals.
SET LOCAL random_page_cost = 1.1;

-- How many rows of the changes a query reads.
CREATE FUNCTION t.rows_read(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    counter CONSTANT text := 'SELECT pg_stat_get_xact_tuples_returned(c) + pg_stat_get_xact_tuples_fetched(c)
        FROM (SELECT ''crm.deal_changes''::regclass UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = ''crm.deal_changes''::regclass) AS t (c)';
    after bigint;
BEGIN
    EXECUTE 'SELECT sum(n) FROM (' || counter || ') AS x (n)' INTO before;
    EXECUTE query;
    EXECUTE 'SELECT sum(n) FROM (' || counter || ') AS x (n)' INTO after;
    RETURN after - before;
END $$;

SELECT cmp_ok(rows_read(format('SELECT * FROM crm.%s', call)), '<', 20000::bigint, call)
    FROM unnest(ARRAY[$$pipeline_summary_as_of(t.id('Renewals'), '2024-03-01')$$,
        $$pipeline_trend(t.id('Renewals'), '2024-03-01', '2024-07-01', 'month')$$,
        $$pipeline_waterfall(t.id('Renewals'), '2024-03-01')$$,
        $$stage_flow(t.id('Renewals'))$$]) AS c (call);
SELECT cmp_ok(rows_read($$SELECT * FROM crm.pipeline_summary_as_of(t.id('Sales'), '2024-03-01')$$), '>', 80000::bigint, '(of the large one all)');

SELECT is((s -> 'open' ->> 'total_deals')::int || ' ' || (s -> 'open' ->> 'total_value')::numeric::int, '1100 99000', 'as of March')
    FROM pipeline_summary_as_of(id('Renewals'), '2024-03-01') AS s;
SELECT is((s -> 'open' ->> 'total_deals')::int || ' ' || (s -> 'open' ->> 'total_value')::numeric::int, '1100 110000', 'as of July')
    FROM pipeline_summary_as_of(id('Renewals'), '2024-07-01') AS s;
SELECT is(string_agg(concat_ws(' ', s.open_deals, s.open_value::int), ', ' ORDER BY s.at), '1100 99000, 1100 99000, 1100 99000, 1100 110000, 1100 110000', 'trend')
    FROM pipeline_trend(id('Renewals'), '2024-03-01', '2024-07-01', 'month') AS s;
SELECT is(string_agg(concat_ws(' ', w.bar, w.deals, w.value::int), ', ' ORDER BY w.bar_no) FILTER (WHERE w.value <> 0),
        'opening 1100 99000, amount_up 0 11000, closing 1100 110000', 'waterfall')
    FROM pipeline_waterfall(id('Renewals'), '2024-03-01') AS w;
SELECT is(string_agg(concat_ws(' ', f.stage_name, f.entered, f.entered_value::int), ', '), 'Due 1100 99000', 'stage flow, by the amounts of then')
    FROM stage_flow(id('Renewals')) AS f;
SELECT * FROM finish();
ROLLBACK;
