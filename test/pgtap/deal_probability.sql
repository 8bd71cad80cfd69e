-- The probability of a deal: the stage's on entering, unless written.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(34);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, amount) VALUES (t.id(name), name, t.id(stage), '2024-01-01', 100)
$$;
CREATE FUNCTION t.probability(deal text) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT probability FROM crm.deals WHERE id = t.id(deal)
$$;

-- On INSERT.
INSERT INTO deals (id, title, stage_id, probability) VALUES (id('i1'), 'I', id('Lead'), 0.33);
SELECT is(probability('i1'), 0.33, 'INSERT: as written');
INSERT INTO deals (id, title, stage_id, probability) VALUES (id('i2'), 'I', id('Lead'), NULL);
SELECT is(probability('i2'), 0.1, 'INSERT: NULL is not given');
INSERT INTO deals (id, title, stage_id) VALUES (id('i3'), 'I', id('Paused'));
SELECT is(probability('i3'), NULL, 'INSERT: none where the stage has none');
INSERT INTO deals (id, title, stage_id, probability) VALUES (id('i4'), 'I', id('Paused'), 0.33);
SELECT is(probability('i4'), 0.33, 'INSERT: as written where the stage has none');
INSERT INTO deals (id, title, stage_id, probability) VALUES (id('i5'), 'I', id('Won'), 0.33), (id('i6'), 'I', id('Lost'), 0.33);
SELECT is(probability('i5'), 1::numeric, 'INSERT: 1 when won, whatever is written');
SELECT is(probability('i6'), 0::numeric, 'INSERT: 0 when lost, whatever is written');
INSERT INTO deals (id, title, probability) VALUES (id('i7'), 'I', 0), (id('i8'), 'I', 1);
SELECT ok(probability('i7') = 0 AND probability('i8') = 1, 'INSERT: open deals may be hopeless or certain');

-- On entering a stage.
SELECT deal('m') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('m');
SELECT is(probability('m'), 0.5, 'a move: the stage''s');
UPDATE deals SET stage_id = id('Lead'), probability = 0.25 WHERE id = id('m');
SELECT is(probability('m'), 0.25, 'a move: as written');
UPDATE deals SET stage_id = id('Qualified'), probability = 0.2500 WHERE id = id('m');
SELECT is(probability('m'), 0.5, 'a move: the old value resent is not written');
UPDATE deals SET stage_id = id('Lead'), probability = NULL WHERE id = id('m');
SELECT is(probability('m'), 0.1, 'a move: nor is NULL');
UPDATE deals SET stage_id = id('Paused') WHERE id = id('m');
SELECT is(probability('m'), 0.1, 'a move to a stage that has none: the deal''s');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('m');
UPDATE deals SET stage_id = id('Paused'), probability = NULL WHERE id = id('m');
SELECT is(probability('m'), 0.5, 'a move to a stage that has none, with NULL: the deal''s');
UPDATE deals SET stage_id = id('Won'), probability = 0.7 WHERE id = id('m');
SELECT is(probability('m'), 1::numeric, 'won: 1, whatever is written');
UPDATE deals SET stage_id = id('Lost'), probability = 0.7 WHERE id = id('m');
SELECT is(probability('m'), 0::numeric, 'lost: 0, whatever is written');
UPDATE deals SET stage_id = id('Paused') WHERE id = id('m');
SELECT is(probability('m'), NULL, 'reopened where the stage has none: the 0 of a lost deal says nothing');
UPDATE deals SET stage_id = id('Won') WHERE id = id('m');
UPDATE deals SET stage_id = id('Paused'), probability = 0.6 WHERE id = id('m');
SELECT is(probability('m'), 0.6, 'reopened where the stage has none: as written');
UPDATE deals SET stage_id = id('Won') WHERE id = id('m');
UPDATE deals SET status = 'open' WHERE id = id('m');
SELECT is(probability('m'), NULL, 'reopened by status: the same');
UPDATE deals SET stage_id = id('Won') WHERE id = id('m');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('m');
SELECT is(probability('m'), 0.1, 'reopened where the stage has one: that');

-- While it stays.
SELECT deal('s', 'Qualified') \g /dev/null
UPDATE deals SET probability = 0.4 WHERE id = id('s');
SELECT is(probability('s'), 0.4, 'a salesperson knows better');
UPDATE deals SET title = 'S' WHERE id = id('s');
SELECT is(probability('s'), 0.4, 'that stays');
UPDATE deals SET probability = NULL WHERE id = id('s');
SELECT is(probability('s'), 0.4, 'NULL: not given');
SELECT throws_ok($$UPDATE deals SET probability = 1.0001 WHERE id = id('s')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_probability_check"', 'no more than 1');
SELECT throws_ok($$UPDATE deals SET probability = -0.0001 WHERE id = id('s')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_probability_check"', 'no less than 0');
UPDATE stages SET probability = 0.9 WHERE id = id('Qualified');
SELECT is(probability('s'), 0.4, 'a stage''s new probability leaves the deals in it alone');
SELECT deal('s2', 'Lead') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('s2');
SELECT is(probability('s2'), 0.9, 'and counts from the next entry on');

-- Closed deals.
SELECT deal('w', 'Won'), deal('l', 'Lost') \g /dev/null
UPDATE deals SET probability = NULL WHERE id IN (id('w'), id('l'));
SELECT ok(probability('w') = 1 AND probability('l') = 0, 'NULL: not given, also for closed deals');
UPDATE deals SET probability = 1 WHERE id = id('w');
UPDATE deals SET probability = 0.0 WHERE id = id('l');
SELECT ok(probability('w') = 1 AND probability('l') = 0, 'the same again is nothing');
SELECT throws_ok($$UPDATE deals SET probability = 0.9 WHERE id = id('w')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_probability_check"', 'won is certain');
SELECT throws_ok($$UPDATE deals SET probability = 0.1 WHERE id = id('l')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_probability_check"', 'lost is hopeless');
UPDATE deals SET stage_id = id('Renewed') WHERE id = id('w');
SELECT is(probability('w'), 1::numeric, 'won to won: 1');
UPDATE deals SET stage_id = id('Disqualified') WHERE id = id('l');
SELECT is(probability('l'), 0::numeric, 'lost to lost: 0');

-- So the weighted value needs no join.
SELECT is(sum(amount * probability), 100::numeric, 'amount * probability is the weighted value') FROM deals WHERE id IN (id('w'), id('l'));
-- As the type has it, not as the literal was.
SELECT results_eq($$SELECT DISTINCT scale(probability) FROM deals WHERE probability IS NOT NULL UNION SELECT scale(probability) FROM stages WHERE probability IS NOT NULL$$,
    $$VALUES (4)$$, 'stored with four decimals');

SELECT * FROM finish();
ROLLBACK;
