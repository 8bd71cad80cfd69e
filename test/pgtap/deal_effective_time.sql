-- As of when a deal enters a stage.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(70);

CREATE FUNCTION t.deal(name text, entered timestamptz DEFAULT '2024-01-01') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_entered_at) VALUES (t.id(name), name, entered)
$$;
-- When the deal entered its stage, if the deal, its history and won_at or lost_at agree.
CREATE FUNCTION t.agreed(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN d.stage_entered_at = c.changed_at
            AND coalesce(d.won_at, d.lost_at, c.changed_at) = c.changed_at
        THEN to_char(c.changed_at, 'YYYY-MM-DD HH24:MI:SS.US') ELSE 'they differ' END
    FROM crm.deals AS d JOIN crm.stage_changes AS c ON c.deal_id = d.id AND c.move_no = d.move_no
    WHERE d.id = t.id(deal)
$$;

-- On INSERT.
INSERT INTO deals (id, title) VALUES (id('i1'), 'now');
SELECT ok(entered('i1') BETWEEN now() AND clock_timestamp(), 'INSERT: the clock');
SELECT ok(entered('i1') > now(), 'not when the transaction began');
SET LOCAL crm.effective_at = '2024-05-05';
INSERT INTO deals (id, title) VALUES (id('i2'), 'setting');
SELECT results_eq($$SELECT stage_entered_at, created_at FROM deals WHERE id = id('i2')$$,
    $$VALUES ('2024-05-05'::timestamptz, '2024-05-05'::timestamptz)$$, 'INSERT: the setting dates it');
INSERT INTO deals (id, title, created_at) VALUES (id('i3'), 'created', '2024-04-04');
SELECT is(entered('i3'), '2024-04-04', 'INSERT: created_at, a fact of the row, comes before the setting');
INSERT INTO deals (id, title, created_at, status, won_at) VALUES (id('i4'), 'won', '2024-04-04', 'won', '2024-04-14');
SELECT results_eq($$SELECT stage_entered_at, won_at, created_at FROM deals WHERE id = id('i4')$$,
    $$VALUES ('2024-04-14'::timestamptz, '2024-04-14'::timestamptz, '2024-04-04'::timestamptz)$$, 'INSERT: won_at comes before created_at');
INSERT INTO deals (id, title, created_at, status, pipeline_id, lost_at) VALUES (id('i5'), 'lost', '2024-04-04', 'lost', id('Renewals'), '2024-04-15');
SELECT is(entered('i5'), '2024-04-15', 'INSERT: and lost_at');
INSERT INTO deals (id, title, created_at, status, won_at, stage_entered_at) VALUES (id('i6'), 'all', '2024-04-04', 'won', '2024-04-14', '2024-04-20');
SELECT results_eq($$SELECT stage_entered_at, won_at FROM deals WHERE id = id('i6')$$,
    $$VALUES ('2024-04-20'::timestamptz, '2024-04-14'::timestamptz)$$,
    'INSERT: stage_entered_at comes first; a deal that went on from won to won was won before');
SET LOCAL crm.effective_at = '';
INSERT INTO deals (id, title) VALUES (id('i7'), 'unset');
SELECT ok(entered('i7') > now(), 'an empty setting is unset');
SELECT matches(error_of($$INSERT INTO deals (id, title, stage_entered_at) VALUES (id('x'), 'X', clock_timestamp() + interval '1 hour')$$),
    E'^23514\ndeal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot enter a stage as of 2.*, which is in the future\nThe clock says 2.*\nGive a moment of the past\\.$',
    'INSERT: not in the future');
SELECT throws_like($$INSERT INTO deals (id, title, created_at) VALUES (id('x'), 'X', clock_timestamp() + interval '1 hour')$$,
    'created_at of deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot be %, which is in the future', 'INSERT: by created_at neither');
SELECT throws_like($$INSERT INTO deals (id, title, status, won_at) VALUES (id('x'), 'X', 'won', clock_timestamp() + interval '1 hour')$$,
    'deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot enter a stage as of %, which is in the future', 'INSERT: nor by won_at');
SELECT throws_ok($$INSERT INTO deals (id, title, stage_entered_at) VALUES (id('x'), 'X', 'infinity')$$, '23514',
    'deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot enter a stage at an infinite time', 'INSERT: not at infinity');
SELECT throws_ok($$INSERT INTO deals (id, title, stage_entered_at) VALUES (id('x'), 'X', '-infinity')$$, '23514',
    'deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot enter a stage at an infinite time', 'INSERT: nor before all times');
SELECT lives_ok($$INSERT INTO deals (title, stage_entered_at) VALUES ('now', now()), ('clock', clock_timestamp()), ('old', '1900-01-01')$$,
    'INSERT: now and any time before');

-- On UPDATE: which time it is.
SELECT deal('u1') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('u1');
SELECT ok(entered('u1') BETWEEN now() AND clock_timestamp() AND entered('u1') > now() AND agreed('u1') <> 'they differ', 'UPDATE: the clock');
SELECT deal('u2') \g /dev/null
SET LOCAL crm.effective_at = '2024-05-05 12:00';
UPDATE deals SET stage_id = id('Won') WHERE id = id('u2');
SELECT is(agreed('u2'), '2024-05-05 12:00:00.000000', 'UPDATE: the setting');
SELECT deal('u3') \g /dev/null
UPDATE deals SET stage_id = id('Won'), won_at = '2024-04-14' WHERE id = id('u3');
SELECT is(agreed('u3'), '2024-04-14 00:00:00.000000', 'UPDATE: won_at comes before the setting');
SELECT deal('u4') \g /dev/null
UPDATE deals SET stage_id = id('Lost'), lost_at = '2024-04-15' WHERE id = id('u4');
SELECT is(agreed('u4'), '2024-04-15 00:00:00.000000', 'UPDATE: and lost_at');
SELECT deal('u5') \g /dev/null
UPDATE deals SET status = 'won', stage_entered_at = '2024-04-16' WHERE id = id('u5');
SELECT is(agreed('u5'), '2024-04-16 00:00:00.000000', 'UPDATE: and stage_entered_at');
SELECT deal('u6') \g /dev/null
UPDATE deals SET status = 'won', stage_entered_at = '2024-04-16', won_at = '2024-04-16' WHERE id = id('u6');
SELECT is(agreed('u6'), '2024-04-16 00:00:00.000000', 'UPDATE: both, the same');
SELECT deal('u7') \g /dev/null
SELECT is(error_of($$UPDATE deals SET status = 'won', stage_entered_at = '2024-04-16', won_at = '2024-04-17' WHERE id = id('u7')$$),
    format(E'23514\nstage_entered_at and won_at of deal %s contradict each other\nWrite one of them; the other follows.', id('u7')),
    'UPDATE: both, different');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2024-04-16', lost_at = '2024-04-17' WHERE id = id('u7')$$, '23514',
    format('stage_entered_at and lost_at of deal %s contradict each other', id('u7')), 'UPDATE: lost_at neither');
UPDATE deals SET pipeline_id = id('Renewals'), stage_entered_at = '2024-04-18', created_at = '2023-01-01' WHERE id = id('u7');
SELECT is(agreed('u7'), '2024-04-18 00:00:00.000000', 'UPDATE: created_at dates no move');
SET LOCAL crm.effective_at = 'never';
SELECT throws_ok($$UPDATE deals SET stage_id = id('Won') WHERE id = id('u7')$$, '22007', NULL, 'a setting that is no time');
SELECT lives_ok($$UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-04-19' WHERE id = id('u7')$$, 'is not looked at if the row says it');
SELECT lives_ok($$UPDATE deals SET description = 'no move' WHERE id = id('u7')$$, 'nor if there is nothing to date');
SELECT throws_ok($$UPDATE deals SET title = 'no move' WHERE id = id('u7')$$, '22007', NULL, 'but for an edit that history records');
SET LOCAL crm.effective_at = 'infinity';
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('u7')$$, '22007', NULL, 'an infinite setting');
SET LOCAL crm.effective_at = '';

-- Earlier than the present stage, or in the future.
SELECT deal('e1', '2024-03-01 10:00') \g /dev/null
SELECT is(error_of($$UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-03-01 09:59:59.999999' WHERE id = id('e1')$$),
    format(E'23514\ndeal %s cannot move as of 2024-03-01 09:59:59.999999+00: it entered its present stage at 2024-03-01 10:00:00+00\n'
        'Give a time not earlier than that, or take the last move back with undo_move first.', id('e1')), 'stage_entered_at too early');
SELECT throws_ok($$UPDATE deals SET status = 'won', won_at = '2024-02-01' WHERE id = id('e1')$$, '23514',
    format('deal %s cannot move as of 2024-02-01 00:00:00+00: it entered its present stage at 2024-03-01 10:00:00+00', id('e1')), 'won_at too early');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lost'), lost_at = '2024-02-01' WHERE id = id('e1')$$, '23514',
    format('deal %s cannot move as of 2024-02-01 00:00:00+00: it entered its present stage at 2024-03-01 10:00:00+00', id('e1')), 'lost_at too early');
SET LOCAL crm.effective_at = '2024-02-01';
SELECT throws_ok($$UPDATE deals SET status = 'won' WHERE id = id('e1')$$, '23514',
    format('deal %s cannot move as of 2024-02-01 00:00:00+00: it entered its present stage at 2024-03-01 10:00:00+00', id('e1')), 'the setting too early');
SET LOCAL crm.effective_at = '2999-01-01';
SELECT matches(error_of($$UPDATE deals SET stage_id = id('Qualified') WHERE id = id('e1')$$),
    E'^23514\ndeal ' || id('e1') || E' cannot enter a stage as of 2999-01-01 00:00:00\\+00, which is in the future\nThe clock says 2.*\nGive a moment of the past\\.$', 'the setting in the future');
SET LOCAL crm.effective_at = '';
SELECT throws_like($$UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = clock_timestamp() + interval '15 seconds' WHERE id = id('e1')$$,
    format('deal %s cannot enter a stage as of %%, which is in the future', id('e1')), 'stage_entered_at in the future');
SELECT throws_like($$UPDATE deals SET status = 'won', won_at = clock_timestamp() + interval '15 seconds' WHERE id = id('e1')$$,
    format('deal %s cannot enter a stage as of %%, which is in the future', id('e1')), 'won_at in the future');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = 'infinity' WHERE id = id('e1')$$, '23514',
    format('deal %s cannot enter a stage at an infinite time', id('e1')), 'stage_entered_at at infinity');
SELECT is(history('e1'), 'none', 'what was refused left nothing');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = clock_timestamp() WHERE id = id('e1');
SELECT isnt(history('e1'), 'none', 'the clock''s time itself is not the future');

-- Ties: a move at the very time the deal entered its stage.
SELECT deal('t1', '2024-03-01 10:00:00.5') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-03-01 10:00:00.5' WHERE id = id('t1');
SELECT is(agreed('t1'), '2024-03-01 10:00:00.500000', 'a tie by stage_entered_at');
UPDATE deals SET stage_entered_at = stage_entered_at, stage_id = id('Paused') WHERE id = id('t1');
SELECT is(agreed('t1'), '2024-03-01 10:00:00.500000', 'written so as well');
SET LOCAL crm.effective_at = '2024-03-01 10:00:00.5';
UPDATE deals SET stage_id = id('Lead') WHERE id = id('t1');
SELECT is(agreed('t1'), '2024-03-01 10:00:00.500000', 'a tie by the setting');
SET LOCAL crm.effective_at = '';
UPDATE deals SET status = 'won', won_at = '2024-03-01 10:00:00.5' WHERE id = id('t1');
SELECT is(agreed('t1'), '2024-03-01 10:00:00.500000', 'a tie by won_at');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2024-03-01 10:00:00.5', lost_at = '2024-03-01 10:00:00.5' WHERE id = id('t1');
SELECT is(agreed('t1'), '2024-03-01 10:00:00.500000', 'a tie by both');
SELECT is((SELECT count(*) FROM stage_changes WHERE deal_id = id('t1') AND entered_at = changed_at), 5::bigint, 'in no time at all');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('t1');
SELECT ok(entered('t1') > now(), 'without a time it is the clock again');
SELECT deal('t2', '2024-03-01 10:00') \g /dev/null
UPDATE deals SET pipeline_id = id('Renewals'), stage_entered_at = '2024-03-01 10:00' WHERE id = id('t2');
UPDATE deals SET status = 'lost', stage_entered_at = '2024-03-01 10:00' WHERE id = id('t2');
SELECT is(history('t2'), E'1: Lead > Due at 2024-03-01 10:00:00+00\n2: Due > Churned at 2024-03-01 10:00:00+00', 'ties of moves by pipeline and by status');
INSERT INTO deals (id, title, external_id, stage_entered_at) VALUES (id('t3'), 'T3', 't3', '2024-03-01');
INSERT INTO deals (title, external_id, stage_id, stage_entered_at) VALUES ('T3', 't3', id('Qualified'), '2024-03-01')
ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = EXCLUDED.stage_id, stage_entered_at = EXCLUDED.stage_entered_at;
SELECT is(agreed('t3'), '2024-03-01 00:00:00.000000', 'a tie by ON CONFLICT DO UPDATE');
MERGE INTO deals AS d USING (VALUES (id('t3'), id('Paused'), '2024-03-01'::timestamptz)) AS s (id, stage_id, at) ON d.id = s.id
WHEN MATCHED THEN UPDATE SET stage_id = s.stage_id, stage_entered_at = s.at;
SELECT is(agreed('t3'), '2024-03-01 00:00:00.000000', 'a tie by MERGE');

-- now() is when the transaction began, earlier than the clock of a move within it.
SELECT deal('n1') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = now() WHERE id = id('n1');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = now() WHERE id = id('n1');
SELECT ok(entered('n1') = now() AND agreed('n1') <> 'they differ', 'now() twice in a transaction is a tie');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('n1');
SELECT lives_ok($$UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = now() WHERE id = id('n1')$$, 'after a move by the clock now() is the clock, too');
SELECT ok(entered('n1') > now() AND agreed('n1') <> 'they differ', '(later than now())');

-- The clock was set back: history does not run backwards.
SELECT deal('c1') \g /dev/null
SET LOCAL session_replication_role = replica;
UPDATE deals SET stage_entered_at = date_trunc('day', now()) + interval '2 days' WHERE id = id('c1');
SET LOCAL session_replication_role = origin;
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('c1');
SELECT ok(entered('c1') = date_trunc('day', now()) + interval '2 days' AND agreed('c1') <> 'they differ', 'a move while the clock is behind: as of the present stage');
SELECT lives_ok($$UPDATE deals SET status = 'won', won_at = date_trunc('day', now()) + interval '2 days' WHERE id = id('c1')$$, 'which may also be written');
SELECT throws_like($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = date_trunc('day', now()) + interval '3 days' WHERE id = id('c1')$$,
    format('deal %s cannot enter a stage as of %%, which is in the future', id('c1')), 'later is still the future');
SELECT throws_like($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = now() WHERE id = id('c1')$$,
    format('deal %s cannot move as of %%: it entered its present stage at %%', id('c1')), 'earlier is still too early');

-- Microseconds and milliseconds: a later time is a later time, however near.
SELECT deal('m1', '2024-03-01 10:00:00.000500') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-03-01 10:00:00.001' WHERE id = id('m1');
SELECT is(agreed('m1'), '2024-03-01 10:00:00.001000', 'half a millisecond later');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-03-01 10:00:00.001001' WHERE id = id('m1');
SELECT is(agreed('m1'), '2024-03-01 10:00:00.001001', 'a microsecond later');
SELECT throws_like($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '2024-03-01 10:00:00.000999' WHERE id = id('m1')$$,
    '%cannot move as of 2024-03-01 10:00:00.000999+00%', 'two microseconds earlier');
UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '2024-03-01 10:00:00.001' WHERE id = id('m1');
SELECT is(agreed('m1'), '2024-03-01 10:00:00.001001', 'the time it entered, cut to milliseconds, is that time');
SELECT deal('m2', '1999-03-01 10:00:00.000500') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '1999-03-01 10:00:00' WHERE id = id('m2');
SELECT is(agreed('m2'), '1999-03-01 10:00:00.000500', 'also before 2000');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '1999-03-01 09:59:59.999' WHERE id = id('m2')$$, '23514', NULL, 'not a millisecond more');

-- Without a move.
SELECT deal('s1') \g /dev/null
SELECT is(error_of($$UPDATE deals SET stage_entered_at = '2024-02-02' WHERE id = id('s1')$$),
    format(E'23514\nstage_entered_at of deal %s changes only when the deal moves\n'
        'Correct when it moved with correct_move.', id('s1')), 'stage_entered_at alone');
SELECT throws_ok($$UPDATE deals SET stage_entered_at = '2024-02-02', stage_id = stage_id WHERE id = id('s1')$$, '23514',
    format('stage_entered_at of deal %s changes only when the deal moves', id('s1')), 'or with the stage it stands in');
SELECT lives_ok($$UPDATE deals SET stage_entered_at = '2024-01-01' WHERE id = id('s1')$$, 'the same again is nothing');
SELECT lives_ok($$UPDATE deals SET stage_entered_at = NULL WHERE id = id('s1')$$, 'nor is NULL');
SELECT is(entered('s1'), '2024-01-01', 'it stays');
UPDATE deals SET created_at = '2020-02-02' WHERE id = id('s1');
SELECT is(created_at, '2020-02-02', 'created_at may be corrected') FROM deals WHERE id = id('s1');

-- A date of its own for each row of one statement.
SELECT deal('r' || i, '2024-01-01'::timestamptz + i * interval '1 day') FROM generate_series(1, 5) AS i \g /dev/null
UPDATE deals AS d SET stage_id = id('Won'), stage_entered_at = v.at
FROM (SELECT id('r' || i) AS id, '2024-02-01'::timestamptz + i * interval '1 hour' AS at FROM generate_series(1, 5) AS i) AS v
WHERE d.id = v.id;
SELECT is((SELECT string_agg(agreed('r' || i), ' ' ORDER BY i) FROM generate_series(1, 5) AS i),
    (SELECT string_agg(to_char('2024-02-01'::timestamptz + i * interval '1 hour', 'YYYY-MM-DD HH24:MI:SS.US'), ' ' ORDER BY i) FROM generate_series(1, 5) AS i),
    'a date of its own for each row');
SELECT throws_ok($$UPDATE deals AS d SET stage_id = id('Lost'), stage_entered_at = CASE title WHEN 'r3' THEN '2024-01-01'::timestamptz ELSE '2024-03-01' END
    WHERE title LIKE 'r_'$$, '23514',
    format('deal %s cannot move as of 2024-01-01 00:00:00+00: it entered its present stage at 2024-02-01 03:00:00+00', id('r3')), 'one bad row fails the statement');
SELECT is((SELECT count(*) FROM deals WHERE title LIKE 'r_' AND status = 'won'), 5::bigint, 'and nothing is half done');

SELECT * FROM finish();
ROLLBACK;
