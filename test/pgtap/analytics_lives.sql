-- A deal that was deleted and inserted again under its old id is a new one: reports on the deals
-- that there are tell what they would if it had another id.  One that is put back as it was goes on:
-- they tell what they would if nothing had happened.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

CREATE FUNCTION t.flow() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', extract(year FROM f.period_start), f.stage_name, f.entered, f.entered_value, f.left_forward, f.forward_value)
    FROM crm.stage_flow(t.id('Sales'), 'year') AS f
$$;
CREATE FUNCTION t.steps() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', f.stage_name, f.deals, f.converted) FROM crm.funnel(t.id('Sales')) AS f WHERE f.deals > 0
$$;
CREATE FUNCTION t.visits() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', v.visit_no, s.name, v.entered_at::date, v.exited_at::date) FROM crm.stage_visits AS v JOIN crm.stages AS s ON s.id = v.stage_id
$$;

-- One that never moved.
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('a'), 'a', id('Lead'), 100, '2024-01-01');
DELETE FROM deals WHERE id = id('a');
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('a'), 'a', id('Lead'), 999, '2025-01-01');
SELECT set_eq('SELECT flow()', ARRAY['2025 Lead 1 999 0 0'], 'it entered with the amount of its present life');
UPDATE deals SET amount = 1 WHERE id = id('a');
DELETE FROM deals WHERE id = id('a');
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('a'), 'a', id('Qualified'), 5, '2026-01-01');
UPDATE deals SET amount = 6 WHERE id = id('a');
SELECT set_eq('SELECT flow()', ARRAY['2026 Qualified 1 5 0 0'], 'and of the last one');
DELETE FROM deals WHERE id = id('a');
SELECT is_empty('SELECT flow()', 'a deleted deal does not count');

-- One that moved.
INSERT INTO deals (id, title, stage_id, amount, created_at, expected_close_date) VALUES (id('b'), 'b', id('Lead'), 100, '2024-01-01', '2024-05-01');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id('b');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-03-01' WHERE id = id('b');
UPDATE deals SET expected_close_date = '2024-07-01' WHERE id = id('b');
CREATE TEMP TABLE kept AS TABLE deals;
DELETE FROM deals WHERE id = id('b');
SELECT set_eq('SELECT visits()', ARRAY['1 Lead 2024-01-01 2024-02-01', '2 Qualified 2024-02-01 2024-03-01'], 'the visits of a deleted deal that had ended');
SELECT isnt_empty('SELECT FROM deal_pushes', 'and its pushes');
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('b'), 'b', id('Lead'), 999, '2025-01-01');
SELECT set_eq('SELECT flow()', ARRAY['2025 Lead 1 999 0 0'], 'inserted again: no move of before');
SELECT set_eq('SELECT steps()', ARRAY['Lead 1 0'], 'no step');
SELECT set_eq('SELECT visits()', ARRAY['3 Lead 2025-01-01'], 'no visit');
SELECT is_empty('SELECT FROM deal_pushes', 'no push');
SELECT is_empty($$SELECT FROM stage_conversion(id('Sales')) WHERE deals > 0 AND from_stage_name <> 'Lead' OR converted > 0$$, 'no conversion');
SELECT is_empty(format($$SELECT FROM time_in_stage(id('Sales'), %L) WHERE visits > 0$$, m), 'no time: ' || m) FROM unnest('{visit,first,latest,cumulative}'::text[]) AS m;
SELECT results_eq($$SELECT open_deals::int, open_value FROM pipeline_trend(id('Sales'), '2024-02-10', '2024-02-10')$$, 'VALUES (2, 200::numeric)', 'the trend knows the lives of then');
SELECT results_eq($$SELECT group_key, open_deals::int FROM pipeline_trend(id('Sales'), '2024-02-10', '2024-02-10', group_by => 'title') WHERE NOT is_total$$,
    'VALUES (NULL::text, 2)', 'and not their titles');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2025-02-01' WHERE id = id('b');
SELECT set_eq('SELECT flow()', ARRAY['2025 Lead 1 999 1 999', '2025 Qualified 1 999 0 0'], 'then it moves');
SELECT set_eq('SELECT steps()', ARRAY['Lead 1 1', 'Qualified 1 0'], 'and gets further');
SELECT set_eq('SELECT visits()', ARRAY['3 Lead 2025-01-01 2025-02-01', '4 Qualified 2025-02-01'], 'and has visits');
SELECT undo_move(id('b')) \g /dev/null
SELECT set_eq('SELECT steps()', ARRAY['Lead 1 0'], 'a move that was taken back');

-- Put back as it was it goes on, with all that it did; not after another life.
DELETE FROM deals WHERE id = id('b');
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT flow()', ARRAY['2024 Paused 1 100 0 0'], 'as it was two lives ago: it is new');
DELETE FROM deals WHERE id = id('b');
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('b'), 'b', id('Lead'), 10, '2025-01-01');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2025-02-01 12:00:00.123456', expected_close_date = '2025-05-01' WHERE id = id('b');
UPDATE deals SET expected_close_date = '2025-07-01' WHERE id = id('b');
UPDATE kept AS k SET stage_id = d.stage_id, stage_entered_at = d.stage_entered_at, created_at = d.created_at, amount = d.amount FROM deals AS d;
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT flow()', ARRAY['2025 Lead 1 10 1 10', '2025 Qualified 1 10 0 0'], 'put back as it was');
SELECT set_eq('SELECT steps()', ARRAY['Lead 1 1', 'Qualified 1 0'], 'with its steps');
SELECT is((SELECT count(*) FROM deal_pushes), 1::bigint, 'and its push');
UPDATE kept SET stage_entered_at = date_trunc('milliseconds', stage_entered_at);
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT steps()', ARRAY['Lead 1 1', 'Qualified 1 0'], 'by a client without microseconds');
UPDATE kept SET stage_entered_at = '2025-02-02';
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT flow()', ARRAY['2025 Qualified 1 10 0 0'], 'since another time: it is new');
UPDATE kept SET stage_id = id('Paused');
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT flow()', ARRAY['2025 Paused 1 10 0 0'], 'in another stage');

-- Lost.
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2025-04-01' WHERE id = id('b');
SELECT results_eq($$SELECT stage_name FROM lost_reasons(by_stage => true)$$, $$VALUES ('Paused'::text)$$, 'lost from there');
DELETE FROM deals WHERE id = id('b');
INSERT INTO deals (id, title, stage_id, created_at) VALUES (id('b'), 'b', id('Lost'), '2025-01-01');
SELECT results_eq($$SELECT stage_name, deals::int FROM lost_reasons(id('Sales'), by_stage => true)$$, $$VALUES (NULL::text, 1)$$, 'created as lost');
DELETE FROM deals;

-- Groups of a trend: what goes on has what it has now.
CREATE FUNCTION t.titles() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', g.group_key, g.open_deals) FROM crm.pipeline_trend(t.id('Sales'), '2023-02-10', '2023-02-10', group_by => 'title') AS g WHERE NOT g.is_total
$$;
INSERT INTO deals (id, title, stage_id, created_at) VALUES (id('c'), 'c', id('Lead'), '2023-01-01');
SELECT set_eq('SELECT titles()', '{c 1}'::text[], 'a deal in its first life');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2023-03-01 12:00:00.123456' WHERE id = id('c');
DELETE FROM kept;
INSERT INTO kept TABLE deals;
DELETE FROM deals;
SELECT set_eq('SELECT titles()', '{1}'::text[], 'deleted');
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT titles()', '{c 1}'::text[], 'put back as it was');
UPDATE kept SET stage_entered_at = date_trunc('milliseconds', stage_entered_at), title = 'd';
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT titles()', '{d 1}'::text[], 'by a client without microseconds, twice');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('c');
SELECT set_eq('SELECT titles()', '{d 1}'::text[], 'and moved');
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('SELECT titles()', '{1}'::text[], 'as it was before it moved: it is new');
DELETE FROM deals;

-- Of one that goes on, the move that closed it was made before.
INSERT INTO deals (id, title, stage_id, created_at) VALUES (id('e'), 'e', id('Lead'), '2023-01-01');
SELECT move_deal(id('e'), id('Lost'), '2023-02-01') \g /dev/null
UPDATE deals SET lost_at = '2023-02-02' WHERE id = id('e');
DELETE FROM kept;
INSERT INTO kept TABLE deals;
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT throws_matching($$UPDATE deals SET lost_at = '2023-03-01' WHERE id = id('e')$$, 'that move of deal [0-9a-f-]+ cannot be corrected', 'lost before it was deleted');
SELECT throws_ok($$UPDATE deals SET lost_at = '2023-03-01' WHERE id = id('e')$$, 'PT409');
SELECT throws_ok($$SELECT correct_move(id('e'), '2023-03-01')$$, 'PT409');
SELECT is_empty($$SELECT FROM stage_visits AS v JOIN stage_visits AS n ON n.visit_no = v.visit_no + 1 WHERE v.exited_at <> n.entered_at$$, 'so no visit begins before the last one ended');
SELECT move_deal(id('e'), id('Lead')), move_deal(id('e'), id('Lost')) \g /dev/null
SELECT lives_ok($$UPDATE deals SET lost_at = stage_entered_at - interval '1 microsecond' WHERE id = id('e')$$, 'lost since it was put back');
SELECT is((SELECT count(*) FROM stage_changes AS c JOIN deals AS d ON c.changed_at = d.lost_at AND d.lost_at = d.stage_entered_at), 1::bigint, 'the move has the same time');
DELETE FROM deals;
INSERT INTO deals (id, title, stage_id, created_at) VALUES (id('f'), 'f', id('Lead'), '2023-01-01');
SELECT move_deal(id('f'), id('Lost'), '2023-02-01'), move_deal(id('f'), id('Qualified'), '2023-03-01') \g /dev/null
DELETE FROM kept;
INSERT INTO kept TABLE deals;
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT undo_move(id('f')) \g /dev/null
SELECT throws_ok($$UPDATE deals SET lost_at = '2023-03-01' WHERE id = id('f')$$, 'PT409');
SELECT move_deal(id('f'), id('Lead')) \g /dev/null
SELECT correct_move(id('f'), clock_timestamp()) \g /dev/null
SELECT results_eq($$SELECT s.name, v.entered_at::date FROM stage_visits AS v JOIN stages AS s ON s.id = v.stage_id WHERE v.deal_id = id('f') AND v.exited_at IS NOT NULL ORDER BY v.visit_no$$,
    $$VALUES ('Lead', '2023-01-01'::date), ('Lost', '2023-02-01')$$, 'lost as it had been, after a move of then was taken back');
DELETE FROM deals;
INSERT INTO deals (id, title, stage_id) VALUES (id('e'), 'e', id('Lost'));
SELECT lives_ok($$UPDATE deals SET created_at = '2023-01-01', lost_at = '2023-02-01' WHERE id = id('e')$$, 'inserted again as lost, as a new one');
DELETE FROM deals;

--
-- Two CRMs in which the same happens, but that in the second one what is inserted again
-- has another id, and what is put back as it was is not deleted.
--
SELECT extensions.crm_install('twin') \g /dev/null
INSERT INTO twin.pipelines SELECT * FROM pipelines;
INSERT INTO twin.stages SELECT * FROM stages;
CREATE TABLE t.lives (title text PRIMARY KEY, life int NOT NULL DEFAULT 0, stands boolean NOT NULL DEFAULT false);
INSERT INTO t.lives SELECT 'deal ' || n FROM generate_series(1, 15) AS n;

CREATE FUNCTION t.both(statement text, title text, life int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL search_path = crm, t');
    EXECUTE replace(statement, '$id', quote_literal(t.id(title)));
    EXECUTE format('SET LOCAL search_path = twin, t');
    EXECUTE replace(statement, '$id', quote_literal(t.id(title || ' ' || life)));
    EXECUTE format('SET LOCAL search_path = crm, t');
END $$;

CREATE FUNCTION t.act(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := timestamptz '2023-01-01' + n * interval '13 hours';
    deal t.lives;
    stage uuid := (SELECT s.id FROM crm.stages AS s ORDER BY random() LIMIT 1);
    what float := random();
BEGIN
    SELECT l.* INTO deal FROM t.lives AS l ORDER BY random() LIMIT 1;
    IF NOT deal.stands THEN
        UPDATE t.lives SET life = life + 1, stands = true WHERE title = deal.title;
        PERFORM t.both(format('INSERT INTO deals (id, title, stage_id, amount, owner_id, expected_close_date, created_at) VALUES ($id, %L, %L, %L, %L, %L, %L)',
            deal.title, stage, CASE WHEN random() < 0.8 THEN n END, t.id('owner ' || n % 3), CASE WHEN random() < 0.7 THEN at::date + 20 END, at), deal.title, deal.life + 1);
        RETURN;
    END IF;
    IF what < 0.15 THEN
        UPDATE t.lives SET stands = false WHERE title = deal.title;
        PERFORM t.both('DELETE FROM deals WHERE id = $id', deal.title, deal.life);
    ELSIF what < 0.22 THEN
        -- put back as it was: nothing has happened
        CREATE TEMP TABLE saved ON COMMIT DROP AS SELECT d.* FROM crm.deals AS d WHERE d.id = t.id(deal.title);
        DELETE FROM crm.deals AS d WHERE d.id = t.id(deal.title);
        PERFORM set_config('crm.restoring', CASE WHEN what < 0.18 THEN 'on' ELSE 'off' END, true);
        INSERT INTO crm.deals SELECT s.* FROM saved AS s;
        PERFORM set_config('crm.restoring', 'off', true);
        DROP TABLE saved;
    ELSIF what < 0.27 THEN
        -- what cannot be taken back here cannot be there
        PERFORM t.both('DO $do$ BEGIN PERFORM undo_move($id); EXCEPTION WHEN SQLSTATE ''PT409'' THEN NULL; END $do$', deal.title, deal.life);
    ELSIF what < 0.37 THEN
        PERFORM t.both(format('UPDATE deals SET expected_close_date = %L WHERE id = $id', at::date + (random() * 90)::int), deal.title, deal.life);
    ELSIF what < 0.47 THEN
        PERFORM t.both(format('UPDATE deals SET amount = %L WHERE id = $id', n), deal.title, deal.life);
    ELSE
        PERFORM t.both(format('UPDATE deals SET stage_id = %L, stage_entered_at = %L WHERE id = $id AND stage_id <> %L', stage, at, stage), deal.title, deal.life);
    END IF;
END $$;
SELECT count(act(n)) FROM generate_series(1, 700) AS n \g /dev/null
SELECT cmp_ok((SELECT count(*) FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE c.change = 'recreated'), '>', 15::bigint, '(deals were inserted again)');
SELECT is_empty($$SELECT FROM twin.deal_changes WHERE change IN ('restored', 'recreated')$$, '(but not in the twin)');
SELECT cmp_ok((SELECT count(*) FROM stage_changes WHERE reverts_no IS NOT NULL), '>', 3::bigint, '(moves were taken back)');

CREATE FUNCTION t.same(query text, label text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT set_eq(replace(query, '@', 'crm'), replace(query, '@', 'twin'), label || ': ' || query)
$$;
CREATE FUNCTION t.all_same(label text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT t.same(format(query, p.pipeline), label)
    FROM (VALUES ('Sales'), ('Renewals')) AS p (pipeline),
        (SELECT format('SELECT * FROM @.%s(t.id(%%L), rule => %L, cohort => %L, period_from => %L, period_before => %L, group_by => %L)', report, rule, cohort, f, b, g)
        FROM unnest('{funnel,stage_conversion}'::text[]) AS report, unnest('{direct,reached}'::text[]) AS rule, unnest('{created,entered}'::text[]) AS cohort,
            (VALUES (NULL, NULL, 'title'), ('2023-05-01', '2023-11-01', 'owner')) AS v (f, b, g)
        UNION ALL
        SELECT format('SELECT * FROM @.time_in_stage(t.id(%%L), %L, %L, group_by => %L)', measure, present, g)
        FROM unnest('{visit,first,latest,cumulative}'::text[]) AS measure, unnest('{true,false}'::boolean[]) AS present, unnest('{title,NULL}'::text[]) AS g
        UNION ALL
        SELECT format('SELECT * FROM @.stage_flow(t.id(%%L), %L, group_by => %L)', p, g) FROM unnest('{week,quarter}'::text[]) AS p, unnest('{title,NULL}'::text[]) AS g
        UNION ALL
        SELECT 'SELECT * FROM @.lost_reasons(t.id(%L), by_stage => true, group_by => ''title'')'
        UNION ALL
        SELECT 'SELECT * FROM @.stage_probabilities(t.id(%L), 1)'
        UNION ALL
        SELECT format('SELECT * FROM @.%s(t.id(%%L), group_by => ''title'')', report) FROM unnest('{slippage,win_rate,sales_cycle,sales_velocity}'::text[]) AS report) AS r (query)
    UNION ALL
    SELECT t.same(query, label)
    FROM (VALUES ('SELECT d.title, v.stage_id, v.status, v.entered_at, v.exited_at, v.next_stage_id FROM @.stage_visits AS v JOIN @.deals AS d ON d.id = v.deal_id'),
        ('SELECT d.title, u.old_expected_close_date, u.new_expected_close_date FROM @.deal_pushes AS u JOIN @.deals AS d ON d.id = u.deal_id')) AS v (query)
$$;
SELECT all_same('few deals');

-- Of more deals the rows are not found by their ids.
INSERT INTO deals (id, title, stage_id, amount, created_at) SELECT id('more ' || n), 'more', id('Due'), 1, '2023-05-05' FROM generate_series(1, 1100) AS n;
INSERT INTO twin.deals (id, title, stage_id, amount, created_at) SELECT id('more ' || n), 'more', id('Due'), 1, '2023-05-05' FROM generate_series(1, 1100) AS n;
ANALYZE deals, stage_changes, deal_changes, twin.deals, twin.stage_changes, twin.deal_changes;
SELECT all_same('many deals');

SELECT * FROM finish();
ROLLBACK;
