-- The moves of a period are read as a range of blocks, where the BRIN index tells that they
-- stand together: the same is told as by any other way of reading, and as by the visits.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

-- More deals than a small pipeline has; 60 of them move each day.
INSERT INTO deals (id, title, stage_id, amount, currency, stage_entered_at)
    SELECT id('deal ' || n), 'x', id('Lead'), n, (ARRAY['USD', 'EUR', NULL])[1 + n % 3], timestamptz '2024-01-01' + n * interval '1 minute'
    FROM generate_series(1, 1200) AS n;
DO $$
BEGIN
    FOR day IN 1 .. 100 LOOP
        PERFORM set_config('crm.effective_at', (timestamptz '2024-01-02' + day * interval '1 day')::text, true);
        UPDATE crm.deals SET stage_id = t.id((ARRAY['Lead', 'Qualified', 'Paused', 'Won', 'Lost'])[1 + (day + move_no) % 5])
            WHERE id IN (SELECT t.id('deal ' || 1 + (day * 60 + n) % 1200) FROM generate_series(1, 60) AS n);
    END LOOP;
    PERFORM set_config('crm.effective_at', '', true);
END $$;
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 2);
SELECT brin_summarize_new_values('stage_changes_changed_at_idx') \g /dev/null
ANALYZE deals, stage_changes, deal_changes;
SELECT cmp_ok(pg_relation_size('stage_changes') / 8192, '>', 140::bigint, '(many blocks)');

CREATE FUNCTION t.by_visits() RETURNS TABLE (at timestamptz, currency text, stage_id uuid, deals bigint, value numeric) LANGUAGE sql AS $$
    SELECT p.at, coalesce(d.currency, 'USD'), v.stage_id, count(*), sum(d.amount)
    FROM generate_series(timestamptz '2024-03-20', '2024-04-08', '1 day') AS p (at)
        JOIN crm.stage_visits AS v ON v.entered_at <= p.at AND (v.exited_at IS NULL OR v.exited_at > p.at)
        JOIN crm.deals AS d ON d.id = v.deal_id
    GROUP BY 1, 2, 3
$$;
CREATE FUNCTION t.by_trend() RETURNS TABLE (at timestamptz, currency text, stage_id uuid, deals bigint, value numeric) LANGUAGE sql AS $$
    SELECT r.at, r.value_currency, r.stage_id, sum(r.open_deals + r.won_deals + r.lost_deals)::bigint, sum(r.open_value + r.won_value + r.lost_value)
    FROM crm.pipeline_trend(t.id('Sales'), '2024-03-20', '2024-04-08', by_stage => true) AS r
    GROUP BY 1, 2, 3
    HAVING sum(r.open_deals + r.won_deals + r.lost_deals) > 0
$$;
CREATE TABLE t.expected AS SELECT * FROM t.by_visits();
CREATE TABLE t.converted AS SELECT sum(value * CASE currency WHEN 'EUR' THEN 2 ELSE 1 END) FROM t.expected;
CREATE FUNCTION t.untrue() RETURNS SETOF t.expected LANGUAGE sql AS $$
    (TABLE t.expected EXCEPT SELECT * FROM t.by_trend()) UNION ALL (SELECT * FROM t.by_trend() EXCEPT TABLE t.expected)
$$;
-- How many rows of the moves a trend reads in the order in which they stand.
CREATE FUNCTION t.rows_in_order(OUT rows_read bigint) LANGUAGE plpgsql AS $$
DECLARE
    before bigint := pg_stat_get_xact_tuples_returned('crm.stage_changes'::regclass);
BEGIN
    PERFORM t.by_trend();
    rows_read := pg_stat_get_xact_tuples_returned('crm.stage_changes'::regclass) - before;
END $$;

SELECT cmp_ok((SELECT count(*) FROM t.expected), '>', 150::bigint, '(many sums)');
SELECT is_empty('SELECT * FROM t.untrue()', 'the trend is what the visits add up to');
SELECT ok(n BETWEEN 1000 AND 4500, 'from some of the blocks: ' || n || ' rows') FROM rows_in_order() AS r (n);
SELECT is((SELECT sum(open_value + won_value + lost_value) FROM pipeline_trend(id('Sales'), '2024-03-20', '2024-04-08', in_currency => 'USD')), (SELECT sum FROM t.converted),
    'and so it is converted');

SET LOCAL enable_tidscan = off;
SELECT is_empty('SELECT * FROM t.untrue()', 'the same by another plan');
SELECT ok(n IN (0, (SELECT count(*) FROM stage_changes)), '(which is another: ' || n || ' rows)') FROM rows_in_order() AS r (n);
RESET enable_tidscan;

-- Rows that came after the index was summarized, in blocks of their own and in old ones.
DELETE FROM deals WHERE id IN (SELECT id('deal ' || n * 7) FROM generate_series(1, 50) AS n);
INSERT INTO deals (id, title, stage_id, amount, currency, stage_entered_at)
    SELECT id('late ' || n), 'x', id('Lead'), n, 'USD', timestamptz '2024-03-01' FROM generate_series(1, 300) AS n;
SELECT set_config('crm.effective_at', '2024-04-01', true) \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE stage_entered_at = '2024-03-01';
SELECT set_config('crm.effective_at', '', true) \g /dev/null
DELETE FROM t.expected;
INSERT INTO t.expected SELECT * FROM t.by_visits();
SELECT is((SELECT sum(deals) FROM t.by_trend()) - (SELECT sum(deals) FROM t.expected), 50 * 20::numeric, 'rows that came later, and deals deleted since');

-- An index that tells otherwise, or nothing; or of some rows only.
CREATE TABLE t.told AS SELECT * FROM t.by_trend();
CREATE FUNCTION t.changed() RETURNS SETOF t.told LANGUAGE sql AS $$
    (TABLE t.told EXCEPT SELECT * FROM t.by_trend()) UNION ALL (SELECT * FROM t.by_trend() EXCEPT TABLE t.told)
$$;
DROP INDEX stage_changes_changed_at_idx;
SELECT is_empty('SELECT * FROM t.changed()', 'no index');
SELECT ok(n IN (0, (SELECT count(*) FROM stage_changes)), '(no range: ' || n || ' rows)') FROM rows_in_order() AS r (n);
CREATE INDEX other_idx ON stage_changes USING brin (entered_at timestamptz_bloom_ops, changed_at timestamptz_bloom_ops);
SELECT is_empty('SELECT * FROM t.changed()', 'an index that knows no order');
SELECT ok(n IN (0, (SELECT count(*) FROM stage_changes)), '(no range: ' || n || ' rows)') FROM rows_in_order() AS r (n);
DROP INDEX other_idx;
CREATE INDEX other_idx ON stage_changes USING brin (changed_at, entered_at) WHERE changed_at < '2024-04-01';
SELECT is_empty('SELECT * FROM t.changed()', 'an index of some rows');
SELECT ok(n IN (0, (SELECT count(*) FROM stage_changes)), '(no range: ' || n || ' rows)') FROM rows_in_order() AS r (n);
DROP INDEX other_idx;
CREATE INDEX other_idx ON stage_changes USING brin (deal_id, entered_at timestamptz_minmax_multi_ops, changed_at timestamptz_minmax_multi_ops) WITH (pages_per_range = 4);
SELECT is_empty('SELECT * FROM t.changed()', 'an index of more columns, in another order');
SELECT ok(n BETWEEN 1000 AND 5000, '(a range: ' || n || ' rows)') FROM rows_in_order() AS r (n);

-- Rows in no order.
CREATE TABLE t.rows AS SELECT * FROM stage_changes;
ALTER TABLE stage_changes DISABLE TRIGGER USER;
DELETE FROM stage_changes;
INSERT INTO stage_changes SELECT * FROM t.rows ORDER BY md5(id::text);
SELECT is_empty('SELECT * FROM t.changed()', 'rows in no order');

-- Rows of a child stand in blocks of another table.
CREATE TABLE child () INHERITS (stage_changes);
WITH moved AS (DELETE FROM ONLY stage_changes WHERE move_no % 2 = 0 RETURNING *) INSERT INTO child SELECT * FROM moved;
SELECT cmp_ok((SELECT count(*) FROM child), '>', 1000::bigint, '(a child)');
SELECT is_empty('SELECT * FROM t.changed()', 'rows of a child');
DROP TABLE child CASCADE;
DELETE FROM stage_changes;
SELECT lives_ok('SELECT * FROM t.by_trend()', 'no rows');

SELECT * FROM finish();
ROLLBACK;
