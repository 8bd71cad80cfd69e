-- Limits: amounts, probabilities, times, numbers and texts at their ends and beyond.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(53);

CREATE FUNCTION t.deal(name text, amount numeric DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, amount, stage_entered_at) VALUES (t.id(name), name, amount, '2024-01-01')
$$;

-- Amounts: numeric(19,4).
SELECT deal('max', 999999999999999.9999), deal('min', -999999999999999.9999), deal('one', 0.0001), deal('zero', 0) \g /dev/null
SELECT results_eq($$SELECT amount, currency FROM deals ORDER BY amount$$,
    $$VALUES (-999999999999999.9999, 'USD'), (0.0000, 'USD'), (0.0001, 'USD'), (999999999999999.9999, 'USD')$$, 'amounts at their limits');
UPDATE deals SET stage_id = id('Won');
SELECT results_eq($$SELECT amount, probability FROM stage_changes ORDER BY amount$$,
    $$VALUES (-999999999999999.9999, 1.0000), (0.0000, 1.0000), (0.0001, 1.0000), (999999999999999.9999, 1.0000)$$, 'and in the history');
SELECT throws_ok($$SELECT deal('x', 1000000000000000)$$, '22003', 'amount 1000000000000000 is out of range', 'one more is too many');
SELECT throws_ok($$SELECT deal('x', 999999999999999.99995)$$, '22003', 'amount 1000000000000000 is out of range', 'also by rounding');
SELECT throws_ok($$SELECT deal('x', -1e30)$$, '22003', 'amount -1000000000000000000000000000000 is out of range', 'and below zero');
SELECT throws_ok($$UPDATE deals SET amount = 1e15 WHERE id = id('one')$$, '22003', 'amount 1000000000000000 is out of range', 'also by UPDATE');
SELECT throws_ok($$UPDATE deals SET amount = 1e15, stage_id = id('Lead')$$, '22003', 'amount 1000000000000000 is out of range', 'also in a move');
SELECT throws_ok($$SELECT deal('x', 'NaN')$$, '22003', 'amount NaN is out of range', 'NaN is no amount');
SELECT throws_ok($$SELECT deal('x', 'Infinity')$$, '22003', 'numeric field overflow', 'nor is infinity');
SELECT throws_ok($$SELECT deal('x', '-Infinity')$$, '22003', 'numeric field overflow', 'of either sign');
SELECT throws_ok($$UPDATE deals SET amount = 'NaN' WHERE id = id('one')$$, '22003', 'amount NaN is out of range', 'also by UPDATE');
SELECT deal('rounded', 0.00005) \g /dev/null
SELECT is(amount, 0.0001, 'more decimals are rounded, as the type does') FROM deals WHERE id = id('rounded');

-- Probabilities: numeric(5,4), 0 to 1.
SELECT deal('p') \g /dev/null
UPDATE deals SET probability = 0.00005 WHERE id = id('p');
SELECT is(probability, 0.0001, 'more decimals are rounded') FROM deals WHERE id = id('p');
UPDATE deals SET probability = 1.00004 WHERE id = id('p');
SELECT is(probability, 1.0000, 'before they are checked') FROM deals WHERE id = id('p');
SELECT throws_ok($$UPDATE deals SET probability = 1.00005 WHERE id = id('p')$$, '23514', 'probability 1.0001 is not between 0 and 1', 'more than 1');
SELECT throws_ok($$UPDATE deals SET probability = -0.1 WHERE id = id('p')$$, '23514', 'probability -0.1 is not between 0 and 1', 'less than 0');
SELECT throws_ok($$UPDATE deals SET probability = 50 WHERE id = id('p')$$, '23514', 'probability 50 is not between 0 and 1', 'percent');
SELECT throws_ok($$UPDATE deals SET probability = 'NaN' WHERE id = id('p')$$, '23514', 'probability NaN is not between 0 and 1', 'NaN');
SELECT throws_ok($$UPDATE deals SET probability = 'Infinity' WHERE id = id('p')$$, '22003', 'numeric field overflow', 'infinity');
SELECT throws_ok($$UPDATE deals SET probability = 'NaN', stage_id = id('Qualified') WHERE id = id('p')$$, '23514', 'probability NaN is not between 0 and 1', 'NaN in a move');
SELECT throws_ok($$INSERT INTO deals (title, probability) VALUES ('x', 2)$$, '23514', 'probability 2 is not between 0 and 1', 'INSERT: more than 1');
SELECT lives_ok($$UPDATE deals SET probability = 'NaN', stage_id = id('Won') WHERE id = id('p')$$, 'of a closed deal none is taken');
SELECT throws_ok($$UPDATE stages SET probability = 'NaN' WHERE id = id('Lead')$$, '23514', 'probability NaN is not between 0 and 1', 'NaN of a stage');
SELECT throws_ok($$UPDATE stages SET probability = 'NaN', deal_status = 'won' WHERE id = id('Contacted')$$, '23514', 'probability NaN is not between 0 and 1', 'also of one that becomes won');

-- Times: from 1900 to 9999, as far as they are past.
INSERT INTO deals (id, title, stage_entered_at) VALUES (id('ancient'), 'ancient', '1900-01-01 00:00:00');
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '1900-01-01 00:00:00.000001' WHERE id = id('ancient');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '1901-02-03 04:05:06.7', lost_reason = 'old' WHERE id = id('ancient');
SELECT extensions.crm_undo_move('crm', id('ancient')) \g /dev/null
SELECT results_eq($$SELECT stage_entered_at, won_at FROM deals WHERE id = id('ancient')$$,
    $$VALUES ('1900-01-01 00:00:00.000001'::timestamptz, '1900-01-01 00:00:00.000001'::timestamptz)$$, 'the earliest times, there and back');
SELECT extensions.crm_undo_move('crm', id('ancient')) \g /dev/null
SELECT is(entered('ancient'), '1900-01-01 00:00:00', 'and again');
SET LOCAL TimeZone = 'Asia/Kolkata';
INSERT INTO deals (id, title, stage_id, stage_entered_at) VALUES (id('zone'), 'zone', id('Won'), '1900-01-01 00:00:00.123456+00');
UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '1900-01-02' WHERE id = id('zone');
SET LOCAL TimeZone = 'America/St_Johns';
SET LOCAL DateStyle = 'SQL, DMY';
SELECT extensions.crm_undo_move('crm', id('zone')) \g /dev/null
SELECT is(won_at, '1900-01-01 00:00:00.123456+00', 'won_at comes back through any time zone and date style') FROM deals WHERE id = id('zone');
SET LOCAL crm.effective_at = '03/02/1900';
SELECT lives_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('zone')$$, 'the setting is read in the session''s date style');
SET LOCAL crm.effective_at = '';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SELECT is(entered('zone'), '1900-02-03 03:30:52+00', '(and zone)');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '294276-12-31' WHERE id = id('zone')$$, '23514', NULL, 'the latest time is the future');
SELECT throws_ok($$INSERT INTO deals (title, created_at) VALUES ('x', '-infinity')$$, '23514', NULL, 'created_at without end');
SELECT throws_ok($$UPDATE deals SET stage_entered_at = '-infinity' WHERE id = id('zone')$$, '23514', NULL, 'stage_entered_at without end');
SELECT lives_ok($$UPDATE deals SET expected_close_date = '9999-12-31' WHERE id = id('zone')$$, 'what is expected may be late');
SELECT throws_ok($$UPDATE stages SET archived_at = 'infinity' WHERE id = id('Paused')$$, '23514',
    'archived_at must be in the years 1900 to 9999', 'but nothing is archived at no time');
SELECT lives_ok($$UPDATE deals SET stage_id = id('Paused') WHERE id = id('zone')$$, '(takes deals)');

-- Counters.
SET LOCAL crm.restoring = on;
INSERT INTO deals (id, title, version, move_no, pipeline_id, stage_id, status, stage_entered_at, created_at)
SELECT id(title), title, version, move_no, id('Sales'), id('Lead'), 'open', '2024-01-01', '2024-01-01'
FROM (VALUES ('counter', 2147483646, 2147483646), ('negative', -2147483648, 0)) AS v (title, version, move_no);
SET LOCAL crm.restoring = off;
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('counter');
SELECT results_eq($$SELECT version, move_no FROM deals WHERE id = id('counter')$$, $$VALUES (2147483647, 2147483647)$$, 'the last version and move');
SELECT throws_ok($$UPDATE deals SET title = 'c' WHERE id = id('counter')$$, '22003', format('version of deal %s is out of range', id('counter')), 'no version is left');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('counter')$$, '22003', format('move_no of deal %s is out of range', id('counter')), 'no move is left');
SELECT throws_ok($$INSERT INTO deals (title, version) VALUES ('x', 2147483648)$$, '22003', 'integer out of range', 'no integer');
UPDATE deals SET title = 'n' WHERE id = id('negative');
SELECT is(version, -2147483647, 'a version is whatever it was, and one more') FROM deals WHERE id = id('negative');
SELECT throws_ok($$UPDATE stages SET position = 2147483648 WHERE id = id('Lead')$$, '22003', 'integer out of range', 'no such position');
SELECT lives_ok($$UPDATE stages SET position = -2147483648 WHERE id = id('Qualified')$$, 'the first position');
INSERT INTO deals (id, title) VALUES (id('first'), 'first');
SELECT is(place('first'), 'Sales / Qualified / open / 0.5000', 'it is the first');

-- Texts as long as they may be.
SELECT set_config('t.long', string_agg(md5(i::text), ''), true) FROM generate_series(1, 4000) AS i \g /dev/null
INSERT INTO deals (id, title, stage_id, description, lost_reason, metadata) SELECT id('long'), left(long, 2000), id('Lost'), long, left(long, 10000), jsonb_build_object('a', long)
FROM current_setting('t.long') AS long;
UPDATE deals SET stage_id = id('Lead') WHERE id = id('long');
SELECT ok(length(title) = 2000 AND length(description) = 128000 AND lost_reason IS NULL, 'long texts') FROM deals WHERE id = id('long');
SELECT ok(closing ->> 'lost_reason' = left(current_setting('t.long'), 10000), 'a reason as long is kept in the history') FROM stage_changes WHERE deal_id = id('long');
SELECT extensions.crm_undo_move('crm', id('long')) \g /dev/null
SELECT ok(lost_reason = left(current_setting('t.long'), 10000), 'and comes back') FROM deals WHERE id = id('long');
UPDATE deals SET title = repeat('ü', 100) WHERE id = id('long');
SELECT alike(error_of($$DELETE FROM stages WHERE id = id('Lost')$$), '%''' || repeat('ü', 40) || '''.%', 'messages cut it, between characters');
SET LOCAL crm.actor TO DEFAULT;
SELECT set_config('crm.actor', current_setting('t.long'), true) \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('long');
SELECT ok(changed_by = left(current_setting('t.long'), 2000), 'so is the beginning of the name of who did it') FROM stage_changes WHERE deal_id = id('long') AND move_no = 3;
SET LOCAL crm.actor = '';
SELECT throws_ok($$UPDATE deals SET external_id = current_setting('t.long') WHERE id = id('long')$$, '22001', NULL, 'what is in an index may not');
SELECT throws_ok($$INSERT INTO pipelines (name) VALUES (current_setting('t.long'))$$, '22001', NULL, 'such as a name');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('Sales'), current_setting('t.long'))$$, '22001', NULL, 'of a stage as well');

-- Strange texts.
INSERT INTO deals (id, title, stage_id, lost_reason) VALUES (id('odd'), E'%s %d "\\ \t\n\u0001 \U0001F600 \u202e', id('Lost'), E'"\\ \t\n\u0001 \U0001F600 \u2028 </script>');
INSERT INTO stages (id, pipeline_id, name) VALUES (id('Odd'), id('Sales'), E'%s %n "x"\n');
UPDATE deals SET stage_id = id('Odd') WHERE id = id('odd');
SELECT is(closing ->> 'lost_reason', E'"\\ \t\n\u0001 \U0001F600 \u2028 </script>', 'a reason of any characters') FROM stage_changes WHERE deal_id = id('odd');
SELECT is(error_of($$UPDATE stages SET deal_status = 'won' WHERE id = id('Odd')$$), E'23514\ndeal_status of stage "%s %n "x"\n" cannot change while deals stand in it\n'
    'Deals in it: E''%s %d "\\\\ \t\n\u0001 \U0001F600 \u202e''.\nMove the deals first, or add another stage.', 'names with percent signs in messages');

SELECT * FROM finish();
ROLLBACK;
