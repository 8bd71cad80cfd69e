-- The replay behind pipeline_summary_as_of() and pipeline_waterfall(): several
-- lives of a deal, rows that nobody would expect, and being cancelled.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(24);

-- Open deals of a pipeline at a moment, by each of the two.
CREATE FUNCTION t.as_of(at timestamptz, pipeline uuid DEFAULT t.id('Sales')) RETURNS text LANGUAGE sql AS $$
    SELECT concat(r -> 'open' ->> 'total_deals', ' deals, ', trim_scale((r -> 'open' ->> 'total_value')::numeric))
    FROM crm.pipeline_summary_as_of(pipeline, at) AS r
$$;
CREATE FUNCTION t.bar(name text, from_at timestamptz, to_at timestamptz, pipeline uuid DEFAULT t.id('Sales')) RETURNS text LANGUAGE sql AS $$
    SELECT concat(coalesce(sum(w.deals), 0), ' deals, ', trim_scale(coalesce(sum(w.value), 0)))
    FROM crm.pipeline_waterfall(pipeline, from_at, to_at) AS w WHERE w.bar = name
$$;
-- Every moment at which something happened, and just before it.
CREATE FUNCTION t.moments() RETURNS SETOF timestamptz LANGUAGE sql AS $$
    SELECT DISTINCT m.at FROM (SELECT changed_at FROM crm.stage_changes UNION SELECT entered_at FROM crm.stage_changes
            UNION SELECT changed_at FROM crm.deal_changes UNION SELECT stage_entered_at FROM crm.deals) AS c (at),
        LATERAL (VALUES (c.at), (c.at - interval '1 microsecond')) AS m (at)
    WHERE m.at < clock_timestamp()
$$;
-- Waterfalls from one moment to the next whose ends are not what was there then.
CREATE FUNCTION t.disagreements() RETURNS TABLE (pipeline uuid, at timestamptz, bar text, told text, expected text) LANGUAGE sql AS $$
    WITH pipelines (id) AS (VALUES (t.id('Sales')), (t.id('Renewals'))),
        moments AS MATERIALIZED (SELECT m.at, lead(m.at) OVER (ORDER BY m.at) AS next FROM t.moments() AS m (at)),
        states AS MATERIALIZED (SELECT p.id, m.at, t.as_of(m.at, p.id) AS told FROM pipelines AS p, moments AS m),
        ends AS MATERIALIZED (
            SELECT p.id, CASE w.bar WHEN 'opening' THEN m.at ELSE m.next END AS at, w.bar, concat(w.deals, ' deals, ', trim_scale(w.value)) AS told
            FROM pipelines AS p, moments AS m, LATERAL crm.pipeline_waterfall(p.id, m.at, m.next) AS w
            WHERE m.next IS NOT NULL AND w.bar IN ('opening', 'closing'))
    SELECT s.id, s.at, b.bar, e.told, s.told
    FROM states AS s CROSS JOIN (VALUES ('opening'), ('closing')) AS b (bar) LEFT JOIN ends AS e ON e.id = s.id AND e.at = s.at AND e.bar = b.bar
    WHERE coalesce(e.told, '0 deals, 0') <> s.told
        AND s.at <> CASE b.bar WHEN 'opening' THEN (SELECT max(m.at) FROM moments AS m) ELSE (SELECT min(m.at) FROM moments AS m) END
$$;
-- Bars of the whole time that are not the sum of those of its parts.
CREATE FUNCTION t.differences() RETURNS TABLE (pipeline uuid, bar text, deals numeric, value numeric) LANGUAGE sql AS $$
    WITH pipelines (id) AS (VALUES (t.id('Sales')), (t.id('Renewals'))),
        periods AS MATERIALIZED (SELECT m.at AS a, lead(m.at, 1, 'infinity') OVER (ORDER BY m.at) AS b, 1 AS sign FROM (SELECT t.moments() UNION SELECT '-infinity') AS m (at)
            UNION ALL SELECT '-infinity', 'infinity', -1)
    SELECT p.id, w.bar, sum(d.sign * w.deals), sum(d.sign * w.value)
    FROM pipelines AS p, periods AS d, LATERAL crm.pipeline_waterfall(p.id, d.a, d.b) AS w
    WHERE w.bar NOT IN ('opening', 'closing')
    GROUP BY 1, 2 HAVING sum(d.sign * w.deals) <> 0 OR sum(d.sign * w.value) <> 0
$$;

-- A move that is taken back after its deal was deleted and put back: in the
-- first life it happened, in the second one it did not.
CREATE TABLE t.kept (LIKE deals);
INSERT INTO deals (id, title, stage_id, amount, stage_entered_at) VALUES (id('first'), 'First', id('Lead'), 100, '2024-01-01');
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-02-01' WHERE id = id('first');
CREATE TABLE t.times AS SELECT clock_timestamp() AS won, NULL::timestamptz AS back, NULL::timestamptz AS undone;
WITH gone AS (DELETE FROM deals WHERE id = id('first') RETURNING *) INSERT INTO t.kept SELECT * FROM gone;
INSERT INTO deals SELECT * FROM t.kept;
UPDATE t.times SET back = clock_timestamp();
SELECT undo_move(id('first')) \g /dev/null
UPDATE t.times SET undone = clock_timestamp();
SELECT is(as_of('2024-01-15'), '1 deals, 100', 'before the move it was open');
SELECT is(as_of('2024-02-01'), '0 deals, 0', 'then won, in its first life');
SELECT is(as_of(back), '1 deals, 100', 'in its second life it was never won') FROM t.times;
SELECT is(bar('won', '2024-01-15', '2024-02-15'), '-1 deals, -100', 'the move is in the bar of what happened');
SELECT is(bar('new', won, undone), '1 deals, 100', 'and the deal is new when it was put back') FROM t.times;
SELECT is_empty('SELECT * FROM t.disagreements()', 'both agree at every moment');
SELECT is_empty('SELECT * FROM t.differences()', 'and periods add up');

-- Put back with dates that lie in its first life, and moved with such dates.
INSERT INTO deals (id, title, stage_id, amount, stage_entered_at) VALUES (id('second'), 'Second', id('Lead'), 40, '2024-03-01');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-03-10' WHERE id = id('second');
SELECT is(as_of('2024-03-05'), '1 deals, 40', 'one deal in its first stay');
DELETE FROM deals WHERE id = id('second');
INSERT INTO deals (id, title, stage_id, amount, stage_entered_at, created_at) VALUES (id('second'), 'Second', id('Lead'), 50, '2024-03-02', '2024-03-02');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-03-20' WHERE id = id('second');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('second');
SELECT is(as_of('2024-03-05'), '1 deals, 40', 'and is counted once after it was put back with a date of then');
SELECT is(as_of('2024-03-25'), '1 deals, 40', 'later, too');
SELECT is_empty('SELECT * FROM t.disagreements()', 'both agree at every moment');

-- At random: a few deals that go, come back as they were or with other dates,
-- move, and have moves taken back.
CREATE FUNCTION t.act(deal uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stage uuid := t.id((ARRAY['Lead', 'Qualified', 'Paused', 'Won', 'Lost', 'Due', 'Contacted'])[1 + floor(random() * 7)::int]);
    at timestamptz := timestamptz '2024-01-01' + random() * interval '300 days';
BEGIN
    CASE floor(random() * 8)::int
        WHEN 0, 1 THEN UPDATE crm.deals SET stage_id = stage WHERE id = deal;
        WHEN 2 THEN UPDATE crm.deals SET stage_id = stage, stage_entered_at = greatest(stage_entered_at, at) WHERE id = deal;
        WHEN 3, 4 THEN PERFORM crm.undo_move(deal);
        WHEN 5 THEN UPDATE crm.deals SET amount = (random() * 100)::int, archived_at = CASE WHEN random() < 0.2 THEN clock_timestamp() END WHERE id = deal;
        WHEN 6 THEN
            DELETE FROM t.kept WHERE id = deal;
            WITH gone AS (DELETE FROM crm.deals WHERE id = deal RETURNING *) INSERT INTO t.kept SELECT * FROM gone;
        WHEN 7 THEN
            IF random() < 0.6 THEN
                INSERT INTO crm.deals SELECT * FROM t.kept AS k WHERE k.id = deal AND NOT EXISTS (SELECT FROM crm.deals AS d WHERE d.id = deal);
                IF FOUND AND random() < 0.5 THEN
                    PERFORM crm.undo_move(deal);
                END IF;
            ELSE
                INSERT INTO crm.deals (id, title, stage_id, amount, currency, stage_entered_at, created_at)
                SELECT deal, 'Back', stage, 7, 'USD', at, at WHERE NOT EXISTS (SELECT FROM crm.deals AS d WHERE d.id = deal);
            END IF;
    END CASE;
EXCEPTION WHEN check_violation OR SQLSTATE 'PT409' OR SQLSTATE 'PT404' OR datetime_field_overflow THEN NULL;
END $$;
SELECT setseed(0.7) \g /dev/null
SELECT t.act(t.id('random ' || n % 5)) FROM generate_series(1, 300) AS n \g /dev/null
SELECT ok((SELECT count(*) FROM stage_changes AS r JOIN stage_changes AS m ON m.id = r.reverts_id
        WHERE EXISTS (SELECT FROM deal_changes AS c WHERE c.deal_id = r.deal_id AND c.change = 'deleted' AND c.move_no >= m.move_no AND c.move_no < r.move_no)) > 2,
    'some moves were taken back in a later life');
SELECT is_empty('SELECT * FROM t.disagreements()', 'both agree at every moment');
SELECT is_empty('SELECT * FROM t.differences()', 'and periods add up');

-- Rows that nobody would expect, of deals there are and of none.
CREATE TABLE t.before AS SELECT pipeline_summary_as_of(id('Sales'), '2024-03-05') AS report, to_jsonb(array_agg(w)) AS bars
    FROM pipeline_waterfall(id('Sales'), '2024-03-05', '2024-06-01') AS w;
INSERT INTO stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id, entered_at, changed_at, move_no, from_status, to_status, changed_by, recorded_by)
SELECT d.tenant_id, v.deal, id('Sales'), id('Lead'), id('Sales'), id('Won'), v.entered_at::timestamptz, v.changed_at::timestamptz, v.move_no, 'open', 'won', 'x', 'x'
FROM (SELECT tenant_id FROM deals LIMIT 1) AS d, (VALUES (id('none'), '-infinity', 'infinity', 700000000), (id('none'), '294276-01-01', '294276-12-31', 2147483647),
    (id('nobody'), '4713-01-01 BC', '2024-04-01', 1)) AS v (deal, entered_at, changed_at, move_no);
INSERT INTO deal_changes (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, move_no, version, change, status, changed_by, recorded_by)
SELECT d.tenant_id, v.deal, id('Sales'), id('Lead'), v.entered_at::timestamptz, v.changed_at::timestamptz, v.no, v.no, v.change, 'open', 'x', 'x'
FROM (SELECT tenant_id FROM deals LIMIT 1) AS d, (VALUES (id('none'), 'infinity', 'infinity', 2147483647, 'deleted'), (id('none'), '-infinity', '294276-12-31', -2147483648, 'recreated'),
    (id('none'), '-infinity', 'infinity', 0, 'updated')) AS v (deal, entered_at, changed_at, no, change);
SELECT is(pipeline_summary_as_of(id('Sales'), '2024-03-05'), (SELECT report FROM t.before), 'a move number of 700,000,000 and times without end change nothing for others');
SELECT is((SELECT to_jsonb(array_agg(w)) FROM pipeline_waterfall(id('Sales'), '2024-03-05', '2024-06-01') AS w), (SELECT bars FROM t.before), 'nor for the waterfall');
SELECT lives_ok($$SELECT * FROM pipeline_waterfall(id('Sales'), '-infinity', 'infinity')$$, 'nor do they make it fail');

-- Rows are read as they are stored by a caller who may read all columns; else, and
-- from tables without some column, by the columns that are needed.  The result is the same.
CREATE FUNCTION t.reports() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(r ORDER BY r.at) FROM (SELECT m.at, crm.pipeline_summary_as_of(t.id('Sales'), m.at) AS sums, crm.pipeline_summary_as_of(t.id('Sales'), m.at, 'USD') AS converted,
            (SELECT jsonb_agg(w) FROM crm.pipeline_waterfall(t.id('Sales'), m.at, owner_id => t.id('ann')) AS w) AS bars
        FROM (VALUES ('2024-03-05'::timestamptz), ('2024-06-01'), ('2024-09-01')) AS m (at)) AS r
$$;
UPDATE deals SET owner_id = id('ann') WHERE pipeline_id = id('Sales');
CREATE TABLE t.told AS SELECT t.reports() AS told;
CREATE ROLE replay_some;
GRANT USAGE ON SCHEMA crm, t TO replay_some;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm, t TO replay_some;
GRANT SELECT ON crm.pipelines, crm.stages, crm.exchange_rates, t.told TO replay_some;
GRANT SELECT (id, tenant_id, pipeline_id, stage_id, archived_at, amount, currency, probability, value_period, status, stage_entered_at,
    owner_id, won_at, lost_at) ON crm.deals TO replay_some;
GRANT SELECT (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, entered_at, changed_at, move_no, reverts_no, from_status,
    to_status, from_probability, closing) ON crm.stage_changes TO replay_some;
GRANT SELECT (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, move_no, version, change, status, old_amount,
    old_currency, old_value_period, old_archived_at, old_probability, old_owner_id) ON crm.deal_changes TO replay_some;
SET LOCAL ROLE replay_some;
SELECT throws_ok('SELECT title FROM crm.deals', '42501', NULL, 'who may read some columns only');
SELECT is(reports(), told, 'gets the same') FROM t.told;
RESET ROLE;
SELECT isnt(told #>> '{0,bars}', NULL, 'which is something') FROM t.told;
-- a row of another tenant that names the pipeline, as only a superuser could write it
SET LOCAL session_replication_role = replica;
INSERT INTO deals SELECT (jsonb_populate_record(d, jsonb_build_object('id', id('other'), 'tenant_id', id('other'), 'external_id', NULL))).*
FROM deals AS d WHERE d.pipeline_id = id('Sales') LIMIT 1;
SET LOCAL session_replication_role = origin;
SELECT is(reports(), told, 'a deal of another tenant does not count') FROM t.told;
ALTER TABLE deals ADD COLUMN gone integer;
ALTER TABLE stage_changes ADD COLUMN gone integer;
ALTER TABLE deal_changes ADD COLUMN gone integer;
ALTER TABLE deals DROP COLUMN gone;
ALTER TABLE stage_changes DROP COLUMN gone;
ALTER TABLE deal_changes DROP COLUMN gone;
SELECT is(reports(), told, 'tables that had another column tell the same') FROM t.told;

-- A deal of very many events, which have to be sorted.
INSERT INTO stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id, entered_at, changed_at, move_no, from_status, to_status, changed_by, recorded_by)
SELECT d.tenant_id, d.id, id('Sales'), id('Lead'), id('Sales'), id('Won'), '2024-01-01', timestamptz '2024-01-01' + n::bigint * 7919 % 400000 * interval '1 minute', n, 'open', 'won', 'x', 'x'
FROM (SELECT tenant_id, id FROM deals LIMIT 1) AS d, generate_series(10000, 400000) AS n;
CREATE FUNCTION t.cancelled() RETURNS interval LANGUAGE plpgsql AS $$
BEGIN
    PERFORM crm.pipeline_waterfall(t.id('Sales'), '-infinity', 'infinity');
    RETURN NULL;
EXCEPTION WHEN query_canceled THEN
    RETURN clock_timestamp() - statement_timestamp();
END $$;
CREATE TABLE t.cancels (took interval);
SET LOCAL statement_timeout = 100;
INSERT INTO t.cancels SELECT t.cancelled();
INSERT INTO t.cancels SELECT t.cancelled();
INSERT INTO t.cancels SELECT t.cancelled();
SET LOCAL statement_timeout = 0;
SELECT is(count(took), 3::bigint, 'it can be cancelled') FROM t.cancels;
-- the best of three, as the machine may be busy
SELECT cmp_ok(min(took), '<', interval '300 milliseconds', 'within 200 ms') FROM t.cancels;

SELECT * FROM finish();
ROLLBACK;
