-- Percentiles of time_in_stage by groups, in memory and from a file, are percentile_cont()'s.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(7);

-- Three owners: two with more durations than are sorted at once, and one with few.
CREATE TABLE t.truth AS
    SELECT n, t.id('deal ' || n) AS id, t.id(CASE WHEN n <= 100 THEN 'Few' WHEN n % 2 = 0 THEN 'Even' ELSE 'Odd' END) AS owner_id,
        '2024-01-01'::timestamptz AS began, '2024-01-01'::timestamptz + floor(n::numeric * n * 7919 % 86400000000) * interval '100 microseconds' AS moved
    FROM generate_series(1, 22000) AS n;
INSERT INTO deals (id, title, owner_id, stage_id, stage_entered_at) SELECT id, 'x', owner_id, id('Lead'), began FROM t.truth;
UPDATE deals AS d SET stage_id = id('Qualified'), stage_entered_at = t.moved FROM t.truth AS t WHERE t.id = d.id;

CREATE FUNCTION t.told() RETURNS TABLE (owner uuid, visits bigint, median numeric, p90 numeric) LANGUAGE sql AS $$
    SELECT group_key::uuid, visits, median_days, p90_days
    FROM time_in_stage(t.id('Sales'), with_current => false, group_by => 'owner') WHERE stage_id = t.id('Lead') AND NOT is_total $$;
CREATE FUNCTION t.expected() RETURNS TABLE (owner uuid, visits bigint, median numeric, p90 numeric) LANGUAGE sql AS $$
    SELECT owner_id, count(*), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY days))::numeric, 6), round((percentile_cont(0.9) WITHIN GROUP (ORDER BY days))::numeric, 6)
    FROM (SELECT owner_id, extract(epoch FROM moved - began) / 86400 AS days FROM t.truth) AS x GROUP BY owner_id $$;

SELECT set_eq('SELECT * FROM t.told()', 'SELECT * FROM t.expected()', 'in memory');
SET LOCAL work_mem = '64kB';
SELECT set_eq('SELECT * FROM t.told()', 'SELECT * FROM t.expected()', 'from a file, of which each group uses the blocks anew');
SELECT results_eq($$SELECT visits, median_days, p90_days FROM time_in_stage(id('Sales'), with_current => false) WHERE stage_id = id('Lead')$$,
    $$SELECT count(*), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY days))::numeric, 6), round((percentile_cont(0.9) WITHIN GROUP (ORDER BY days))::numeric, 6)
        FROM (SELECT extract(epoch FROM moved - began) / 86400 AS days FROM t.truth) AS x$$, 'of all deals');
SELECT results_eq(format($$SELECT visits, median_days, p90_days FROM time_in_stage(id('Sales'), measure => %L, with_current => false) WHERE stage_id = id('Lead')$$, measure),
    $$SELECT visits, median_days, p90_days FROM time_in_stage(id('Sales'), with_current => false) WHERE stage_id = id('Lead')$$, 'measure ' || measure)
FROM unnest('{first,latest,cumulative}'::text[]) AS measure;
SET LOCAL temp_file_limit = 0;
SELECT throws_ok($$SELECT count(*) FROM crm.time_in_stage(t.id('Sales'))$$, '53400', NULL, 'the limit of temporary files holds');
SELECT * FROM finish();
ROLLBACK;
