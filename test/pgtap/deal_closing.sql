-- won_at, lost_at and lost_reason.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(49);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at) VALUES (t.id(name), name, t.id(stage), '2024-01-01')
$$;
-- How the deal is closed: status, won_at, lost_at, lost_reason.
CREATE FUNCTION t.closing(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', status, 'won ' || won_at, 'lost ' || lost_at, lost_reason) FROM crm.deals WHERE id = t.id(deal)
$$;

-- On INSERT.
INSERT INTO deals (id, title, stage_id, stage_entered_at) VALUES
    (id('i1'), 'I', id('Won'), '2024-02-01'), (id('i2'), 'I', id('Lost'), '2024-02-02'), (id('i3'), 'I', id('Lead'), '2024-02-03');
SELECT is(closing('i1'), 'won won 2024-02-01 00:00:00+00', 'INSERT: won sets won_at');
SELECT is(closing('i2'), 'lost lost 2024-02-02 00:00:00+00', 'INSERT: lost sets lost_at');
SELECT is(closing('i3'), 'open', 'INSERT: open neither');
INSERT INTO deals (id, title, stage_id, lost_reason) VALUES (id('i4'), 'I', id('Won'), 'dear'), (id('i5'), 'I', id('Lead'), 'dear');
SELECT ok(bool_and(lost_reason IS NULL), 'INSERT: a reason is kept of lost deals only') FROM deals WHERE id IN (id('i4'), id('i5'));
INSERT INTO deals (id, title, stage_id, lost_at, lost_reason) VALUES (id('i6'), 'I', id('Lost'), '2024-02-02', 'dear');
SELECT is(closing('i6'), 'lost lost 2024-02-02 00:00:00+00 dear', 'INSERT: of those it is');
SELECT is(error_of($$INSERT INTO deals (id, title, won_at) VALUES (id('x'), 'X', '2024-02-01')$$),
    E'23514\nwon_at is given, but deal 9dd4e461-268c-8034-f5c8-564e155c67a6 enters stage "Lead", where deals are open\n'
    'Name a stage whose deals are won, or leave won_at out.', 'INSERT: won_at of an open deal');
SELECT throws_ok($$INSERT INTO deals (id, title, stage_id, lost_at) VALUES (id('x'), 'X', id('Won'), '2024-02-01')$$, '23514',
    'lost_at is given, but deal 9dd4e461-268c-8034-f5c8-564e155c67a6 enters stage "Won", where deals are won', 'INSERT: lost_at of a won deal');
SELECT throws_ok($$INSERT INTO deals (id, title, stage_id, stage_entered_at, won_at) VALUES (id('x'), 'X', id('Won'), '2024-02-01', 'infinity')$$, '23514',
    'won_at of deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot be infinite', 'INSERT: won at no time');
SELECT throws_like($$INSERT INTO deals (id, title, stage_id, stage_entered_at, lost_at) VALUES (id('x'), 'X', id('Lost'), '2024-02-01', clock_timestamp() + interval '1 day')$$,
    'lost_at of deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot be %, which is in the future', 'INSERT: not lost yet');

SELECT throws_ok($$INSERT INTO deals (id, title, stage_id, created_at, won_at) VALUES (id('x'), 'X', id('Won'), '2024-02-02', '2024-02-01')$$, '23514',
    'won_at of deal 9dd4e461-268c-8034-f5c8-564e155c67a6 cannot be 2024-02-01 00:00:00+00: the deal was created at 2024-02-02 00:00:00+00', 'INSERT: not before it was created');
INSERT INTO deals (id, title, stage_id, stage_entered_at, won_at) VALUES (id('i7'), 'I', id('Renewed'), '2024-02-02', '2024-02-01');
SELECT is(created_at, '2024-02-01', 'INSERT: one that was won in an earlier stage was created by then') FROM deals WHERE id = id('i7');

-- Moves.
SELECT deal('m') \g /dev/null
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-03-01' WHERE id = id('m');
SELECT is(closing('m'), 'won won 2024-03-01 00:00:00+00', 'won');
UPDATE deals SET stage_id = id('Renewed'), stage_entered_at = '2024-03-02' WHERE id = id('m');
SELECT is(closing('m'), 'won won 2024-03-01 00:00:00+00', 'won to won keeps won_at');
SELECT is(entered('m'), '2024-03-02', 'while it enters the stage');
UPDATE deals SET stage_id = id('Won'), won_at = '2024-03-03' WHERE id = id('m');
SELECT ok(closing('m') = 'won won 2024-03-03 00:00:00+00' AND entered('m') = '2024-03-03', 'unless it is written');
UPDATE deals SET stage_id = id('Lost'), lost_reason = 'refund', stage_entered_at = '2024-03-04' WHERE id = id('m');
SELECT is(closing('m'), 'lost lost 2024-03-04 00:00:00+00 refund', 'won to lost clears won_at');
UPDATE deals SET stage_id = id('Disqualified'), stage_entered_at = '2024-03-05' WHERE id = id('m');
SELECT is(closing('m'), 'lost lost 2024-03-04 00:00:00+00 refund', 'lost to lost keeps lost_at and the reason');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2024-03-06', lost_reason = 'other' WHERE id = id('m');
SELECT is(closing('m'), 'lost lost 2024-03-04 00:00:00+00 other', 'unless one is written');
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-03-07' WHERE id = id('m');
SELECT is(closing('m'), 'won won 2024-03-07 00:00:00+00', 'lost to won clears both');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2024-03-08', lost_reason = 'again' WHERE id = id('m');
UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '2024-03-09' WHERE id = id('m');
SELECT is(closing('m'), 'open', 'lost to open clears all');
UPDATE deals SET status = 'won', stage_entered_at = '2024-03-10' WHERE id = id('m');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-03-11' WHERE id = id('m');
SELECT is(closing('m'), 'open', 'won to open too');
UPDATE deals SET stage_id = id('Won'), lost_reason = 'dear', stage_entered_at = '2024-03-12' WHERE id = id('m');
SELECT is(closing('m'), 'won won 2024-03-12 00:00:00+00', 'a reason written on winning is dropped');
UPDATE deals SET stage_id = id('Lost'), won_at = won_at, stage_entered_at = '2024-03-13' WHERE id = id('m');
SELECT is(closing('m'), 'lost lost 2024-03-13 00:00:00+00', 'a won_at resent does not contradict');
UPDATE deals SET stage_id = id('Disqualified'), lost_at = NULL, lost_reason = NULL, stage_entered_at = '2024-03-14' WHERE id = id('m');
SELECT is(closing('m'), 'lost lost 2024-03-13 00:00:00+00', 'NULL as lost_at is not given');
SELECT is(error_of($$UPDATE deals SET stage_id = id('Lead'), won_at = '2024-03-20' WHERE id = id('m')$$),
    format(E'23514\nwon_at is given, but deal %s enters stage "Lead", where deals are open\n'
        'Name a stage whose deals are won, or leave won_at out.', id('m')), 'won_at written on reopening');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Won'), lost_at = '2024-03-20' WHERE id = id('m')$$, '23514',
    format('lost_at is given, but deal %s enters stage "Won", where deals are won', id('m')), 'lost_at written on winning');

-- Corrections.
SELECT deal('c', 'Won') \g /dev/null
SELECT is(error_of($$UPDATE deals SET won_at = '2023-12-24' WHERE id = id('c')$$),
    format(E'23514\nwon_at of deal %s cannot be 2023-12-24 00:00:00+00: the deal was created at 2024-01-01 00:00:00+00\n'
        'Give a time not earlier than that, or write an earlier created_at as well.', id('c')), 'won before it was created');
UPDATE deals SET won_at = '2023-12-24', created_at = '2023-12-01' WHERE id = id('c');
SELECT throws_ok($$UPDATE deals SET created_at = '2023-12-25' WHERE id = id('c')$$, '23514',
    format('won_at of deal %s cannot be 2023-12-24 00:00:00+00: the deal was created at 2023-12-25 00:00:00+00', id('c')), 'created after it was won');
SELECT is(closing('c'), 'won won 2023-12-24 00:00:00+00', 'won_at alone may be corrected');
SELECT ok(entered('c') = '2023-12-24' AND history('c') = 'none', 'that is no move, but the deal entered its stage then');
UPDATE deals SET won_at = NULL WHERE id = id('c');
SELECT is(closing('c'), 'won won 2023-12-24 00:00:00+00', 'NULL as won_at is not given');
SELECT throws_ok($$UPDATE deals SET won_at = '-infinity' WHERE id = id('c')$$, '23514',
    format('won_at of deal %s cannot be infinite', id('c')), 'won at no time');
SELECT throws_like($$UPDATE deals SET won_at = clock_timestamp() + interval '1 day' WHERE id = id('c')$$,
    format('won_at of deal %s cannot be %%, which is in the future', id('c')), 'not won yet');
SELECT deal('d', 'Lost') \g /dev/null
SELECT throws_ok($$UPDATE deals SET lost_at = '2023-12-25' WHERE id = id('d')$$, '23514',
    format('lost_at of deal %s cannot be 2023-12-25 00:00:00+00: the deal was created at 2024-01-01 00:00:00+00', id('d')), 'lost before it was created');
UPDATE deals SET lost_at = '2023-12-25', lost_reason = 'late', created_at = '2023-12-01' WHERE id = id('d');
SELECT is(closing('d'), 'lost lost 2023-12-25 00:00:00+00 late', 'lost_at may be corrected, and the reason');
UPDATE deals SET lost_reason = NULL WHERE id = id('d');
SELECT is(closing('d'), 'lost lost 2023-12-25 00:00:00+00', 'the reason may be taken away');
UPDATE deals SET title = 'D' WHERE id = id('d');
SELECT is(closing('d'), 'lost lost 2023-12-25 00:00:00+00', 'another update changes nothing');

-- What one might write to close a deal, and what then is said.
SELECT deal('o') \g /dev/null
SELECT is(error_of($$UPDATE deals SET won_at = '2024-02-01' WHERE id = id('o')$$),
    format(E'23514\nwon_at is given, but deal %s is open\nWrite status or stage_id as well, or leave won_at out.', id('o')), 'won_at of an open deal');
SELECT is(error_of($$UPDATE deals SET lost_at = '2024-02-01', lost_reason = 'dear' WHERE id = id('o')$$),
    format(E'23514\nlost_at is given, but deal %s is open\nWrite status or stage_id as well, or leave lost_at out.', id('o')), 'lost_at of an open deal');
SELECT throws_ok($$UPDATE deals SET lost_at = '2024-02-01' WHERE id = id('c')$$, '23514',
    format('lost_at is given, but deal %s is won', id('c')), 'lost_at of a won deal');
SELECT is(error_of($$UPDATE deals SET lost_reason = 'dear' WHERE id = id('o')$$),
    format(E'23514\nlost_reason is given, but deal %s is open\nWrite status or stage_id as well, or leave lost_reason out.', id('o')), 'a reason of an open deal');
UPDATE deals SET status = 'won', won_at = '2024-02-01' WHERE id = id('o');
SELECT is(closing('o'), 'won won 2024-02-01 00:00:00+00', 'status and won_at');
SELECT deal('p', 'Due') \g /dev/null
UPDATE deals SET status = 'lost', lost_reason = 'dear', lost_at = '2024-02-01' WHERE id = id('p');
SELECT is(closing('p'), 'lost lost 2024-02-01 00:00:00+00 dear', 'status, lost_at and lost_reason');

-- The CHECKs tie them together, whoever writes past the rules.
SET LOCAL session_replication_role = replica;
SELECT throws_ok($$UPDATE deals SET won_at = NULL WHERE id = id('c')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_won_at_check"', 'won without won_at');
SELECT throws_ok($$UPDATE deals SET won_at = now() WHERE id = id('p')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_won_at_check"', 'lost with won_at');
SELECT throws_ok($$UPDATE deals SET lost_at = NULL WHERE id = id('p')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_lost_at_check"', 'lost without lost_at');
SELECT throws_ok($$UPDATE deals SET lost_at = now() WHERE id = id('c')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_lost_at_check"', 'won with lost_at');
SELECT throws_ok($$UPDATE deals SET lost_reason = 'dear' WHERE id = id('c')$$, '23514',
    'new row for relation "deals" violates check constraint "deals_lost_reason_check"', 'won with a reason of losing');
SELECT throws_ok($$UPDATE deals SET status = 'open' WHERE id = id('c')$$, '23514', NULL, 'open with won_at');
SET LOCAL session_replication_role = origin;

SELECT * FROM finish();
ROLLBACK;
