-- Bulk life: many rows by one statement, in every way to write them.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(39);

-- What has to hold after anything: the history of each deal has no gap, each move
-- begins where the one before ended, and the last one ends where the deal is.
CREATE FUNCTION t.broken_histories() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM (
        SELECT c.*, lag(c.to_stage_id) OVER w AS was_in, lag(c.to_status) OVER w AS was, lag(c.changed_at) OVER w AS since,
            lag(c.probability) OVER w AS had, row_number() OVER w AS n, lead(c.id) OVER w IS NULL AS last
        FROM crm.stage_changes AS c WINDOW w AS (PARTITION BY c.deal_id ORDER BY c.move_no)) AS c
    FULL JOIN crm.deals AS d ON d.id = c.deal_id
    WHERE c.n <> c.move_no OR c.was_in <> c.from_stage_id OR c.was <> c.from_status OR c.since <> c.entered_at OR c.had <> c.from_probability
        OR c.changed_at < c.entered_at OR c.from_stage_id = c.to_stage_id
        OR c.last AND (d.move_no, d.stage_id, d.pipeline_id, d.status, d.stage_entered_at)
            IS DISTINCT FROM (c.move_no, c.to_stage_id, c.to_pipeline_id, c.to_status, c.changed_at)
        OR c.id IS NULL AND d.move_no <> 0
$$;

-- INSERT ... SELECT.
INSERT INTO deals (title, external_id, amount, stage_entered_at)
SELECT 'Deal ' || i, i::text, i, '2024-01-01'::timestamptz + i * interval '1 minute' FROM generate_series(1, 100000) AS i;
SELECT results_eq($$SELECT count(*), count(DISTINCT id), sum(amount), min(currency), max(currency), sum(amount * probability), max(move_no), max(version),
        bool_and(created_at = stage_entered_at AND status = 'open' AND pipeline_id = id('Sales') AND stage_id = id('Lead')) FROM deals$$,
    $$VALUES (100000::bigint, 100000::bigint, 5000050000.0000, 'USD', 'USD', 500005000.00000000, 0, 1, true)$$, 'INSERT ... SELECT of 100,000');
SELECT is((SELECT count(*) FROM stage_changes), 0::bigint, 'is no move');

-- COPY, with the stage by its id.
SELECT format('seq 1 100000 | awk -v OFS="\t" ''{ print "Copied " $1, "c" $1, $1, $1 %% 3 == 0 ? "%s" : $1 %% 3 == 1 ? "%s" : "%s", "2024-02-01 00:" int($1 / 60) %% 60 ":" $1 %% 60 }''',
    id('Lead'), id('Won'), id('Churned')) AS program \gset
COPY deals (title, external_id, amount, stage_id, stage_entered_at) FROM PROGRAM :'program';
SELECT results_eq($$SELECT status, count(*), min(currency), count(*) FILTER (WHERE won_at = stage_entered_at), count(*) FILTER (WHERE lost_at = stage_entered_at),
        min(probability), max(probability) FROM deals WHERE title LIKE 'Copied %' GROUP BY status ORDER BY status$$,
    $$VALUES ('lost', 33333::bigint, 'EUR', 0::bigint, 33333::bigint, 0.0000, 0.0000),
        ('open', 33333, 'USD', 0, 0, 0.1000, 0.1000), ('won', 33334, 'USD', 33334, 0, 1.0000, 1.0000)$$, 'COPY of 100,000');
SELECT throws_ok($$COPY crm.deals (title, pipeline_id) FROM PROGRAM 'echo "X\\t00000000-0000-0000-0000-000000000001"'$$, '23503',
    'pipeline 00000000-0000-0000-0000-000000000001 does not exist', 'COPY of what the rules refuse');
DELETE FROM deals WHERE title LIKE 'Copied %';

-- UPDATE of all, each with a date of its own, to different stages.
UPDATE deals SET stage_id = CASE external_id::int % 3 WHEN 0 THEN id('Qualified') WHEN 1 THEN id('Won') ELSE id('Churned') END,
    stage_entered_at = stage_entered_at + external_id::int % 7 * interval '1 day';
SELECT results_eq($$SELECT count(*), count(DISTINCT deal_id), min(move_no), max(move_no), sum(extract(epoch FROM changed_at - entered_at) / 86400)::int FROM stage_changes$$,
    $$SELECT 100000::bigint, 100000::bigint, 1, 1, sum(i % 7)::int FROM generate_series(1, 100000) AS i$$, 'UPDATE of 100,000, each with a date of its own');
SELECT results_eq($$SELECT count(*) FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id
        WHERE c.changed_at = '2024-01-01'::timestamptz + d.external_id::int * interval '1 minute' + d.external_id::int % 7 * interval '1 day'
            AND c.to_stage_id = CASE d.external_id::int % 3 WHEN 0 THEN id('Qualified') WHEN 1 THEN id('Won') ELSE id('Churned') END
            AND c.amount = d.external_id::int AND c.from_probability = 0.1$$, $$VALUES (100000::bigint)$$, 'each row recorded as itself');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

DELETE FROM deals WHERE external_id::int > 20000;
DELETE FROM stage_changes AS c WHERE NOT EXISTS (SELECT FROM deals WHERE id = c.deal_id);

-- By pipeline and by status alone.
UPDATE deals SET status = 'open' WHERE external_id::int % 3 <> 0;
SELECT results_eq($$SELECT stage_id, count(*) FROM deals GROUP BY stage_id ORDER BY count(*)$$,
    $$VALUES (id('Qualified'), 6666::bigint), (id('Lead'), 13334)$$, '13,334 reopened where they stood before');
UPDATE deals SET pipeline_id = id('Renewals') WHERE external_id::int <= 6000;
UPDATE deals SET status = 'won' WHERE external_id::int <= 12000;
SELECT results_eq($$SELECT stage_id, count(*) FROM deals WHERE external_id::int <= 12000 GROUP BY stage_id ORDER BY stage_id = id('Won')$$,
    $$VALUES (id('Renewed'), 6000::bigint), (id('Won'), 6000)$$, '6,000 to another pipeline, 12,000 won');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

-- Numbers of rows around the size of what is written at once.
CREATE FUNCTION t.moves(n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT count(*) FROM crm.stage_changes);
BEGIN
    UPDATE crm.deals SET stage_id = CASE stage_id WHEN t.id('Paused') THEN t.id('Lead') ELSE t.id('Paused') END, description = n
    WHERE external_id::int <= n;
    RETURN (SELECT count(*) FROM crm.stage_changes) - before;
END $$;
SELECT is(moves(n), n::bigint, n || ' moves by one statement') FROM unnest(ARRAY[0, 1, 2, 4095, 4096, 4097, 8192, 8193]) AS n;
SELECT is(broken_histories(), 0::bigint, 'no history is broken');
-- Where few of many rows move.
UPDATE deals SET stage_id = CASE WHEN external_id::int % 2000 = 0 THEN id('Disqualified') ELSE stage_id END, description = 'seen';
SELECT is((SELECT count(*) FROM deals WHERE stage_id = id('Disqualified')), 10::bigint, 'ten of 20,000');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

-- Upsert by (tenant_id, external_id): half are there.
INSERT INTO deals (external_id, title, amount, stage_id, stage_entered_at)
SELECT i::text, 'Upserted ' || i, i * 2, CASE i % 2 WHEN 0 THEN id('Qualified') ELSE id('Won') END, clock_timestamp()
FROM generate_series(10001, 30000) AS i
ON CONFLICT (tenant_id, external_id) DO UPDATE
    SET title = EXCLUDED.title, amount = EXCLUDED.amount, stage_id = EXCLUDED.stage_id, stage_entered_at = EXCLUDED.stage_entered_at
    WHERE deals.stage_id <> EXCLUDED.stage_id;
SELECT results_eq($$SELECT count(*), count(*) FILTER (WHERE title LIKE 'Upserted %'), count(*) FILTER (WHERE title LIKE 'Upserted %' AND move_no = 0) FROM deals$$,
    $$SELECT 30000::bigint, 20000 - count(*), 10000::bigint FROM deals WHERE external_id::int BETWEEN 10001 AND 20000 AND title NOT LIKE 'Upserted %'$$, 'ON CONFLICT DO UPDATE, some there, some not');
SELECT is((SELECT count(*) FROM deals WHERE external_id::int > 10000 AND stage_id <> CASE external_id::int % 2 WHEN 0 THEN id('Qualified') ELSE id('Won') END), 0::bigint, 'all stand where they should');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');
INSERT INTO deals (external_id, title) SELECT i::text, 'Ignored' FROM generate_series(1, 30001) AS i ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM deals WHERE title = 'Ignored'), 1::bigint, 'ON CONFLICT DO NOTHING');

-- MERGE: some are updated, some moved, some inserted, some deleted.
MERGE INTO deals AS d
USING (SELECT i::text AS external_id, i FROM generate_series(25001, 35000) AS i) AS s ON d.external_id = s.external_id
WHEN MATCHED AND i % 4 = 0 THEN DELETE
WHEN MATCHED AND i % 4 = 1 THEN UPDATE SET title = 'Merged ' || i
WHEN MATCHED AND i % 4 = 2 THEN UPDATE SET stage_id = id('Paused'), stage_entered_at = d.stage_entered_at
WHEN MATCHED THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (external_id, title, stage_id) VALUES (s.external_id, 'New ' || i, id('Due'));
SELECT results_eq($$SELECT count(*) FILTER (WHERE title LIKE 'Merged %'), count(*) FILTER (WHERE stage_id = id('Paused') AND external_id::int > 25000),
        count(*) FILTER (WHERE title LIKE 'New %' AND stage_id = id('Due')), count(*) FILTER (WHERE external_id::int > 25000) FROM deals$$,
    $$VALUES (1251::bigint, 1250::bigint, 4999::bigint, 8750::bigint)$$, 'MERGE');
SELECT is((SELECT count(*) FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id::int > 25000 AND c.to_stage_id = id('Paused') AND c.changed_at = c.entered_at), 1250::bigint,
    'each move recorded, at the time that was named');
DELETE FROM stage_changes AS c WHERE NOT EXISTS (SELECT FROM deals WHERE id = c.deal_id);
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

-- Data-modifying CTEs: several statements on deals in one.
WITH inserted AS (
    INSERT INTO deals (title, stage_id, stage_entered_at) SELECT 'CTE ' || i, id('Lead'), '2024-01-01' FROM generate_series(1, 5000) AS i RETURNING id
), moved AS (
    UPDATE deals SET stage_id = id('Churned') WHERE external_id::int <= 5000 RETURNING id
), moved_too AS (
    UPDATE deals SET stage_id = id('Disqualified') WHERE external_id::int BETWEEN 5001 AND 10000 AND stage_id <> id('Disqualified') RETURNING id
), deleted AS (
    DELETE FROM deals WHERE external_id::int BETWEEN 10001 AND 11000 RETURNING id
)
SELECT (SELECT count(*) FROM inserted) || ' ' || (SELECT count(*) FROM moved) || ' ' || (SELECT count(*) FROM moved_too) || ' ' || (SELECT count(*) FROM deleted) AS counts \gset
SELECT is(:'counts'::text, '5000 5000 4997 1000', 'four statements in one');
SELECT is((SELECT count(*) FROM deals WHERE stage_id IN (id('Churned'), id('Disqualified')) AND external_id::int <= 10000), 10000::bigint, 'all moved');
DELETE FROM stage_changes AS c WHERE NOT EXISTS (SELECT FROM deals WHERE id = c.deal_id);
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

-- Savepoints, rolled back.
SELECT sum(move_no) AS moves, count(*) AS deals FROM deals \gset before_
SAVEPOINT outer_one;
UPDATE deals SET stage_id = id('Lead');
SAVEPOINT inner_one;
UPDATE deals SET stage_id = id('Qualified');
INSERT INTO deals (title) SELECT 'rolled back' FROM generate_series(1, 1000);
ROLLBACK TO inner_one;
UPDATE deals SET stage_id = id('Paused') WHERE external_id::int <= 100;
RELEASE inner_one;
ROLLBACK TO outer_one;
SELECT results_eq($$SELECT sum(move_no), count(*) FROM deals$$, format($$VALUES (%s::bigint, %s::bigint)$$, :before_moves, :before_deals), 'as before the savepoint');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');
DO $$
BEGIN
    FOR i IN 1..20 LOOP
        BEGIN
            UPDATE crm.deals SET stage_id = CASE WHEN i % 2 = 0 THEN t.id('Lead') ELSE t.id('Paused') END WHERE external_id::int <= 50;
            IF i % 3 = 0 THEN RAISE EXCEPTION 'back'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT is(broken_histories(), 0::bigint, 'nor by exceptions that are caught');

-- One bad row fails the statement, whichever it is.
SELECT throws_ok($$UPDATE deals SET stage_id = CASE external_id WHEN '19999' THEN id('nowhere') ELSE id('Qualified') END$$, '23503', NULL, 'a bad row of many');
SELECT throws_ok($$INSERT INTO deals (title, stage_id) SELECT 'x', CASE i WHEN 9999 THEN id('nowhere') ELSE id('Lead') END FROM generate_series(1, 10000) AS i$$, '23503',
    format('stage %s does not exist', id('nowhere')), 'a bad row of many inserted');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

-- Thousands of stages and pipelines by one statement: no lock for each.
INSERT INTO pipelines (id, name) SELECT id('P' || i), 'P' || i FROM generate_series(1, 8000) AS i;
INSERT INTO stages (id, pipeline_id, name) SELECT id(n || i), id('P' || i), n FROM generate_series(1, 8000) AS i, unnest(ARRAY['A', 'B']) AS n;
INSERT INTO deals (title, stage_id) SELECT 'Spread', id('A' || i) FROM generate_series(1, 8000) AS i;
UPDATE deals SET stage_id = s.id FROM stages AS s WHERE deals.title = 'Spread' AND s.pipeline_id = deals.pipeline_id AND s.name = 'B';
SELECT cmp_ok((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'object' AND classid = 'stages'::regclass), '<=', 256::bigint, 'deals in 16,000 stages: few locks');
SELECT is(broken_histories(), 0::bigint, 'no history is broken');

SELECT * FROM finish();
ROLLBACK;
