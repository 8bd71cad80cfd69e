-- A table of deals that the user made anew: partitioned, with its columns in
-- another order, among columns of their own.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(21);

-- By status, so that closing a deal moves it to another partition.
CREATE FUNCTION t.make_partitioned_deals() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    columns text;
    trigger_definitions text[];
    definition text;
BEGIN
    SELECT string_agg(format('%I %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod),
            'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), CASE WHEN a.attnotnull THEN 'NOT NULL' END), ', ' ORDER BY a.attname DESC)
    INTO columns
    FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = 'crm.deals'::regclass AND a.attnum > 0;
    SELECT array_agg(pg_get_triggerdef(oid)) INTO trigger_definitions
    FROM pg_trigger WHERE tgrelid = 'crm.deals'::regclass AND NOT tgisinternal;
    DROP TABLE crm.deals CASCADE;
    EXECUTE format('CREATE TABLE crm.deals (mine text DEFAULT ''x'', %s, PRIMARY KEY (id, status)) PARTITION BY LIST (status)', columns);
    CREATE TABLE crm.deals_open PARTITION OF crm.deals FOR VALUES IN ('open');
    -- One that had other columns before it was attached.
    CREATE TABLE crm.deals_won (gone int, LIKE crm.deals INCLUDING DEFAULTS);
    ALTER TABLE crm.deals_won DROP gone, DROP id, DROP status, ADD status text NOT NULL DEFAULT 'open', ADD id uuid NOT NULL;
    ALTER TABLE crm.deals ATTACH PARTITION crm.deals_won FOR VALUES IN ('won');
    CREATE TABLE crm.deals_lost PARTITION OF crm.deals FOR VALUES IN ('lost');
    ALTER TABLE crm.deals ADD FOREIGN KEY (stage_id) REFERENCES crm.stages, ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines;
    FOREACH definition IN ARRAY trigger_definitions LOOP
        EXECUTE definition;
    END LOOP;
END $$;
SELECT make_partitioned_deals() \g /dev/null

CREATE FUNCTION t.deal(title text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, status, amount)
    SELECT t.id(deal.title), deal.title, s.id, '2024-01-01', s.deal_status, 100 FROM crm.stages AS s WHERE s.id = t.id(deal.stage)
$$;

-- The rules.
SELECT deal('a') \g /dev/null
SELECT is(place('a'), 'Sales / Lead / open / 0.1000', 'inserted');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-01-02' WHERE id = id('a');
SELECT is(place('a'), 'Sales / Qualified / open / 0.5000', 'moved within its partition');
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-01-03' WHERE id = id('a');
SELECT is(place('a'), 'Sales / Won / won / 1.0000', 'moved to another partition');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2024-01-04', lost_reason = 'refund' WHERE id = id('a');
SELECT is(place('a'), 'Sales / Lost / lost / 0.0000', 'and to a third');
UPDATE deals SET status = 'open', stage_entered_at = '2024-01-05' WHERE id = id('a');
SELECT is(place('a'), 'Sales / Qualified / open / 0.5000', 'and back by its status');
SELECT is(history('a'), '1: Lead > Qualified at 2024-01-02 00:00:00+00
2: Qualified > Won at 2024-01-03 00:00:00+00
3: Won > Lost at 2024-01-04 00:00:00+00
4: Lost > Qualified at 2024-01-05 00:00:00+00', 'all recorded');
SELECT results_eq($$SELECT move_no, version, stage_entered_at, created_at, mine FROM deals WHERE id = id('a')$$,
    $$VALUES (4, 5, '2024-01-05'::timestamptz, '2024-01-01'::timestamptz, 'x')$$, 'and counted, across partitions');
SELECT results_eq($$SELECT closing FROM stage_changes WHERE deal_id = id('a') ORDER BY move_no$$,
    $$VALUES (NULL::jsonb), (NULL), ('{"won_at": "2024-01-03T00:00:00+00:00"}'), ('{"lost_at": "2024-01-04T00:00:00+00:00", "lost_reason": "refund"}')$$,
    'with what was cleared');
SELECT extensions.crm_undo_move('crm', id('a')) \g /dev/null
SELECT ok(d.status = 'lost' AND d.lost_reason = 'refund' AND d.stage_entered_at = '2024-01-04' AND c.reverts_id IS NOT NULL, 'undo_move, across partitions')
FROM deals AS d JOIN stage_changes AS c ON c.deal_id = d.id AND c.move_no = d.move_no WHERE d.id = id('a');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2023-01-01' WHERE id = id('a')$$, '23514', NULL, 'the rules hold');
SELECT throws_ok($$DELETE FROM stages WHERE id = id('Lost')$$, '23503', 'stage "Lost" cannot be deleted while deals stand in it', 'for stages as well');

-- Many rows, some of which change their partition.
SELECT deal('m' || i) FROM generate_series(1, 20) AS i \g /dev/null
UPDATE deals SET stage_id = CASE ntile WHEN 1 THEN id('Qualified') WHEN 2 THEN id('Won') WHEN 3 THEN id('Lost') ELSE stage_id END,
    stage_entered_at = CASE WHEN ntile < 4 THEN '2024-02-01'::timestamptz + n * interval '1 hour' ELSE stage_entered_at END
FROM (SELECT id, right(title, 1)::int % 4 + 1 AS ntile, substr(title, 2)::int AS n FROM deals WHERE title LIKE 'm%') AS v
WHERE v.id = deals.id;
SELECT is(count(*), 16::bigint, 'of 20 rows 16 moved') FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.title LIKE 'm%';
SELECT is(count(*), 16::bigint, 'each recorded as it stands') FROM stage_changes AS c
    JOIN deals AS d ON d.id = c.deal_id AND d.stage_id = c.to_stage_id AND d.stage_entered_at = c.changed_at AND d.status = c.to_status AND d.move_no = c.move_no
WHERE d.title LIKE 'm%' AND c.from_stage_id = id('Lead') AND c.entered_at = '2024-01-01';

-- A trigger that suppresses the new row in the partition where it was to go: the
-- server then has an old row without a new one.
CREATE FUNCTION t.skip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN NEW.title IN ('s2', 's5', 's6') THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER mine BEFORE INSERT ON deals_won FOR EACH ROW EXECUTE FUNCTION t.skip();
SELECT deal('s' || i) FROM generate_series(1, 9) AS i \g /dev/null
UPDATE deals SET stage_id = CASE WHEN title = 's9' THEN stage_id WHEN title IN ('s3', 's8') THEN id('Qualified') ELSE id('Won') END,
    stage_entered_at = CASE WHEN title = 's9' THEN stage_entered_at ELSE '2024-02-01'::timestamptz + right(title, 1)::int * interval '1 hour' END
WHERE title LIKE 's_';
SELECT set_eq($$SELECT title FROM deals WHERE title LIKE 's_'$$, ARRAY['s1', 's3', 's4', 's7', 's8', 's9'], 'what was suppressed is gone');
SELECT set_eq($$SELECT deal_id, to_stage_id, changed_at FROM stage_changes WHERE deal_id IN (SELECT id('s' || i) FROM generate_series(1, 9) AS i)$$,
    $$SELECT id('s' || i) AS deal_id, id(stage), '2024-02-01'::timestamptz + i * interval '1 hour'
    FROM (VALUES (1, 'Won'), (3, 'Qualified'), (4, 'Won'), (7, 'Won'), (8, 'Qualified')) AS v (i, stage)$$,
    'the others are recorded, each as itself');
SELECT is((SELECT count(*) FROM deals AS d LEFT JOIN stage_changes AS c ON c.deal_id = d.id AND c.move_no = d.move_no AND c.to_stage_id = d.stage_id
    WHERE d.title LIKE 's_' AND (c.id IS NULL) <> (d.title = 's9')), 0::bigint, 'history and deals agree');
SELECT set_eq($$SELECT deal_id, version, old_amount FROM deal_changes WHERE change = 'deleted' AND deal_id IN (SELECT id('s' || i) FROM generate_series(1, 9) AS i)$$,
    $$SELECT id('s' || i), 2, (SELECT new_amount FROM deal_changes WHERE change = 'created' AND deal_id = id('s' || i)) FROM unnest(ARRAY[2, 5, 6]) AS i$$,
    'what was suppressed is recorded as deleted');
UPDATE deals SET amount = 77, stage_id = id('Lost') WHERE title = 's1';
SELECT is((SELECT (c.change, c.new_amount, c.stage_id = id('Won'))::text FROM deal_changes AS c WHERE c.deal_id = id('s1') ORDER BY c.version DESC LIMIT 1),
    '(updated,77.0000,t)', 'an edit across partitions');
-- All of them suppressed.
SELECT deal('s2'), deal('s5') \g /dev/null
UPDATE deals SET stage_id = id('Won') WHERE title IN ('s2', 's5');
SELECT is((SELECT count(*) FROM stage_changes WHERE deal_id IN (id('s2'), id('s5'))), 0::bigint, 'no row at all is left');
DROP TRIGGER mine ON deals_won;

-- A trigger on one partition that skips rows before the rules.
CREATE TRIGGER mine BEFORE UPDATE ON deals_open FOR EACH ROW EXECUTE FUNCTION t.skip();
SELECT deal('s2'), deal('s5') \g /dev/null
UPDATE deals SET stage_id = id('Won') WHERE title IN ('s2', 's5', 's3');
SELECT is((SELECT string_agg(title || ' ' || status, ', ' ORDER BY title) FROM deals WHERE title IN ('s2', 's3', 's5')), 's2 open, s3 won, s5 open', 'rows skipped on one partition stay');
SELECT is((SELECT count(*) FROM stage_changes WHERE deal_id IN (id('s2'), id('s3'), id('s5')) AND to_stage_id = id('Won')), 1::bigint, 'and are not recorded');

SELECT * FROM finish();
ROLLBACK;
