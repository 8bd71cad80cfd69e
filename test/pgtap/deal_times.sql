-- The moments that times of clients mean: clocks that are ahead, dates without a
-- time, now() in a transaction, times cut to milliseconds; and years that no
-- table takes.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(50);

CREATE FUNCTION t.deal(name text, entered timestamptz, created timestamptz DEFAULT NULL, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, created_at) VALUES (t.id(name), name, t.id(stage), entered, created)
$$;
CREATE FUNCTION t.is_now(at timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$ SELECT at BETWEEN now() AND clock_timestamp() $$;

-- A clock that is ahead.
INSERT INTO deals (id, title, created_at) VALUES (id('a'), 'A', clock_timestamp() + interval '5 seconds');
SELECT ok(is_now(created_at) AND stage_entered_at = created_at, 'INSERT: created_at') FROM deals WHERE id = id('a');
SELECT alike(error_of($$UPDATE deals SET created_at = clock_timestamp() + interval '1 minute' WHERE id = id('a')$$),
    E'23514\ncreated_at of deal % cannot be %, which is in the future%', 'created in the future');
SELECT throws_ok($$INSERT INTO deals (title, stage_entered_at, created_at) VALUES ('x', '2024-01-01', '9000-01-01')$$, '23514', NULL, 'nor if it entered its stage before');
INSERT INTO deals (id, title, status, stage_entered_at, won_at) VALUES (id('b'), 'B', 'won', clock_timestamp() + interval '5 seconds', clock_timestamp() + interval '6 seconds');
SELECT ok(is_now(won_at) AND stage_entered_at = won_at AND created_at = won_at, 'INSERT: won_at and stage_entered_at are the same present') FROM deals WHERE id = id('b');
SELECT deal('c', '2024-01-01') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = clock_timestamp() + interval '5 seconds' WHERE id = id('c');
SELECT ok(is_now(stage_entered_at), 'stage_entered_at') FROM deals WHERE id = id('c');
UPDATE deals SET status = 'won', won_at = clock_timestamp() + interval '9 seconds' WHERE id = id('c');
SELECT ok(is_now(won_at) AND stage_entered_at = won_at, 'won_at') FROM deals WHERE id = id('c');
UPDATE deals SET won_at = clock_timestamp() + interval '9 seconds' WHERE id = id('c');
SELECT ok(is_now(won_at), 'won_at alone') FROM deals WHERE id = id('c');
SELECT throws_like($$UPDATE deals SET won_at = clock_timestamp() + interval '15 seconds' WHERE id = id('c')$$, '%which is in the future', 'not further ahead');
SET LOCAL crm.effective_at = '2999-01-01';
SELECT throws_like($$UPDATE deals SET status = 'open' WHERE id = id('c')$$, '%which is in the future', 'nor the setting');
SET LOCAL crm.effective_at = '';
SET LOCAL crm.clock_tolerance = 0;
SELECT throws_like($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = clock_timestamp() + interval '1 second' WHERE id = id('c')$$, '%which is in the future', 'crm.clock_tolerance = 0');
SET LOCAL crm.clock_tolerance = '2min';
SELECT lives_ok($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = clock_timestamp() + interval '1 minute' WHERE id = id('c')$$, 'crm.clock_tolerance = 2min');
RESET crm.clock_tolerance;
SELECT is(current_setting('crm.clock_tolerance'), '10s', 'the default');
SELECT throws_ok($$SET LOCAL crm.clock_tolerance = -1$$, '22023', NULL, 'no negative one');

-- now() in the transaction that has just written the deal.
INSERT INTO deals (id, title) VALUES (id('n'), 'N');
SELECT lives_ok($$UPDATE deals SET status = 'won', won_at = now() WHERE id = id('n')$$, 'won_at = now() after INSERT');
SELECT ok(is_now(won_at) AND won_at >= created_at AND stage_entered_at = won_at, 'is now') FROM deals WHERE id = id('n');
SELECT lives_ok($$UPDATE deals SET stage_id = id('Lead'), stage_entered_at = transaction_timestamp() WHERE id = id('n')$$, 'stage_entered_at = now() after a move');
SELECT lives_ok($$UPDATE deals SET stage_id = id('Lost'), lost_at = now() WHERE id = id('n')$$, 'lost_at = now()');
SELECT is((SELECT count(*) FROM stage_changes WHERE deal_id = id('n') AND changed_at >= entered_at), 3::bigint, 'history does not run backwards');
UPDATE deals SET lost_at = now() WHERE id = id('n');
SELECT ok(lost_at >= created_at, 'nor does a correction') FROM deals WHERE id = id('n');
SELECT deal('n2', '2024-01-01') \g /dev/null
UPDATE deals SET status = 'won', won_at = now() WHERE id = id('n2');
SELECT is(won_at, now(), 'where it is possible, now() is what it says') FROM deals WHERE id = id('n2');

-- A date without a time, in the session's zone.
SET LOCAL TimeZone = 'Europe/Paris';
SELECT deal('d', '2024-05-06 09:30'), deal('d2', '2024-05-06 09:30'), deal('d3', '2024-05-06 00:30'), deal('d4', '2024-05-06 09:30'), deal('d5', '2024-05-07 09:30', '2024-05-06 09:30', 'Won') \g /dev/null
UPDATE deals SET status = 'won', won_at = '2024-05-06' WHERE id = id('d');
SELECT ok(won_at = '2024-05-06 09:30' AND stage_entered_at = won_at, 'won_at: the day that the deal entered its stage is that moment') FROM deals WHERE id = id('d');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = date '2024-05-06' WHERE id = id('d2');
SELECT is(history('d2'), '1: Lead > Qualified at 2024-05-06 09:30:00+02', 'stage_entered_at');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-05-06', created_at = created_at, version = version WHERE id = id('d2');
SELECT is(entered('d2'), '2024-05-06 09:30', 'also in the save of a whole row');
UPDATE deals SET stage_id = id('Lost'), lost_at = '2024-05-07' WHERE id = id('d2');
SELECT is(lost_at, '2024-05-07 00:00', 'a later day is its beginning') FROM deals WHERE id = id('d2');
UPDATE deals SET status = 'won', won_at = '2024-05-06' WHERE id = id('d3');
SELECT is(won_at, '2024-05-06 00:30', 'soon after midnight') FROM deals WHERE id = id('d3');
SELECT throws_like($$UPDATE deals SET status = 'won', won_at = '2024-05-05' WHERE id = id('d4')$$, '%cannot move as of 2024-05-05 %', 'the day before is too early');
SELECT throws_like($$UPDATE deals SET status = 'won', won_at = '2024-05-06 00:00:01' WHERE id = id('d4')$$, '%cannot move as of 2024-05-06 %', 'as is a time of that day');
SELECT throws_like($$UPDATE deals SET status = 'won', won_at = '2024-05-06 00:00+00' WHERE id = id('d4')$$, '%cannot move as of 2024-05-06 %', 'and the midnight of another zone');
SET LOCAL crm.effective_at = '2024-05-06';
UPDATE deals SET status = 'won' WHERE id = id('d4');
SELECT is(won_at, '2024-05-06 09:30', 'the setting') FROM deals WHERE id = id('d4');
SET LOCAL crm.effective_at = '';
UPDATE deals SET won_at = '2024-05-06' WHERE id = id('d5');
SELECT is(won_at, '2024-05-06 09:30', 'a correction: the day that the deal was created') FROM deals WHERE id = id('d5');
SELECT throws_like($$UPDATE deals SET won_at = '2024-05-05' WHERE id = id('d5')$$, 'won_at of deal % cannot be % the deal was created at %', 'not the day before');
INSERT INTO deals (id, title, status, created_at, won_at) VALUES (id('d6'), 'D6', 'won', '2024-05-06 09:30', '2024-05-06');
SELECT ok(won_at = created_at AND stage_entered_at = created_at, 'INSERT: created and won on a day') FROM deals WHERE id = id('d6');
INSERT INTO deals (id, title) VALUES (id('today'), 'today');
SELECT lives_ok($$UPDATE deals SET status = 'won', won_at = current_date WHERE id = id('today')$$, 'closed today, from a date picker');
SELECT ok(won_at = created_at, 'when it was created') FROM deals WHERE id = id('today');
-- The night when clocks change.
SET LOCAL TimeZone = 'America/Havana';
SELECT deal('dst', '2024-03-10 09:30') \g /dev/null
SELECT lives_ok($$UPDATE deals SET status = 'won', won_at = '2024-03-11' WHERE id = id('dst')$$, 'around a change of clocks');
SET LOCAL TimeZone = 'UTC';

-- A time cut to milliseconds.
SELECT deal('m', '2024-05-06 09:30:00.123456'), deal('m2', '2024-05-06 09:30:00.123456') \g /dev/null
UPDATE deals SET status = 'won', won_at = '2024-05-06 09:30:00.123' WHERE id = id('m');
SELECT is(won_at, '2024-05-06 09:30:00.123456', 'won when it entered, as JavaScript has read it') FROM deals WHERE id = id('m');
SELECT throws_like($$UPDATE deals SET status = 'won', won_at = '2024-05-06 09:30:00.122' WHERE id = id('m2')$$, '%cannot move as of%', 'a millisecond earlier is earlier');

-- Years, in every table.
SELECT is_empty($$SELECT c.table_name, c.column_name FROM information_schema.columns AS c
        JOIN information_schema.tables AS t USING (table_schema, table_name)
    WHERE c.table_schema = 'crm' AND t.table_type = 'BASE TABLE' AND c.data_type IN ('date', 'timestamp with time zone')
        AND c.table_name NOT IN ('stage_changes', 'deal_changes', 'stage_totals')
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = format('crm.%I', c.table_name)::regclass
            AND pg_get_constraintdef(oid) ~ 'crm_(are_times|check_deal)\(' AND pg_get_constraintdef(oid) ~ ('[ (]' || c.column_name || '[,)]'))$$,
    'each date and time that users write has its CHECK');
SELECT throws_ok($$UPDATE deals SET expected_close_date = '294277-01-01' WHERE id = id('m')$$, '23514',
    'expected_close_date must be in the years 1900 to 9999', 'expected in the year 294277');
SET LOCAL session_replication_role = replica;
SELECT throws_ok($$UPDATE deals SET expected_close_date = '294277-01-01' WHERE id = id('m')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_times_check"', 'nor by a write that the triggers do not see');
SET LOCAL session_replication_role = origin;
SELECT throws_ok($$UPDATE deals SET expected_close_date = 'infinity' WHERE id = id('m')$$, '23514', NULL, 'expected at no time');
SELECT throws_ok($$UPDATE deals SET expected_close_date = '1899-12-31' WHERE id = id('m')$$, '23514', NULL, 'expected in 1899');
SELECT lives_ok($$UPDATE deals SET expected_close_date = '1900-01-01' WHERE id = id('m')$$, 'expected in 1900');
SELECT throws_ok($$UPDATE deals SET archived_at = '10000-01-01' WHERE id = id('m')$$, '23514', NULL, 'archived in 10000');
SELECT throws_ok($$INSERT INTO deals (title, created_at) VALUES ('x', '0001-01-01')$$, '23514', NULL, 'created in the year 1');
SELECT throws_ok($$UPDATE pipelines SET archived_at = 'infinity' WHERE id = id('Sales')$$, '23514', 'archived_at must be in the years 1900 to 9999', 'a pipeline archived at no time');
SELECT throws_ok($$INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '-infinity', 1)$$, '23514', NULL, 'a rate without a beginning');
SELECT throws_ok($$INSERT INTO tags (name, created_at) VALUES ('x', 'infinity')$$, '23514', NULL, 'a tag of no time');
SELECT is((SELECT string_agg(extensions.crm_are_times(d, at)::text, ' ' ORDER BY n) FROM (VALUES (1, date '1899-12-31', timestamptz '2024-01-01'), (2, '1900-01-01', '1900-01-01'),
    (3, '9999-12-31', '9999-12-31 23:59:59.999999'), (4, '2024-01-01', '10000-01-01'), (5, NULL, NULL), (6, 'infinity', NULL), (7, NULL, '-infinity')) AS v (n, d, at)),
    'false true true false true false false', 'crm_are_times');
SELECT throws_ok($$SELECT extensions.crm_are_times(1)$$, '42804', NULL, 'of times only');

SELECT * FROM finish();
ROLLBACK;
