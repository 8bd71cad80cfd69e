-- Rows are taken as they are where crm.restoring says so, for the owner alone; no
-- other row is recognised as restored, whatever columns it comes with.
BEGIN;
\set owner rs_owner
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(31);
CREATE ROLE rs_admin;
CREATE ROLE rs_member IN ROLE rs_owner;
SELECT extensions.crm_grant_access('crm', 'rs_admin', 'admin') \g /dev/null
GRANT USAGE ON SCHEMA t TO PUBLIC;

UPDATE stages SET archived_at = '2024-01-01' WHERE id = id('Qualified');
UPDATE pipelines SET archived_at = '2024-01-01' WHERE id = id('Renewals');
CREATE FUNCTION t.restore(deal text, stage text, more text DEFAULT 'null', more_columns text DEFAULT 'description')
RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO deals (id, title, stage_id, pipeline_id, created_at, stage_entered_at, updated_at, %s)
        VALUES (id(%L), %2$L, id(%3$L), (SELECT pipeline_id FROM stages WHERE id = id(%3$L)), %4$L, %5$L, %6$L, %7$s)',
        more_columns, deal, stage, '2024-02-01', '2024-02-02 00:00:00.000001', '2024-02-03', more)
$$;

-- Without the setting the rules apply.
SELECT matches(error_of(restore('x', 'Qualified')), 'stage "Qualified" is archived', 'an archived stage takes no new deals');
SELECT is(error_of(restore('a', 'Won', '''2024-02-01'', 7, 9', 'won_at, move_no, version')), 'no error', 'a row with all times of its own');
SELECT results_eq($$SELECT place('a'), d.move_no, d.version, d.updated_at > now(), c.change FROM deals AS d JOIN deal_changes AS c ON c.deal_id = d.id WHERE d.id = id('a')$$,
    $$SELECT 'Sales / Won / won / 1.0000', 0, 1, true, 'created'$$, 'is placed, counted and recorded as any other');
SELECT is(error_of(restore('b', 'Lead', '0.1', 'probability')), 'no error', 'one that gives the stage''s probability');
SELECT is(error_of(restore('c', 'Lead')), 'no error', 'and one without');
SELECT is(place('c'), 'Sales / Lead / open / 0.1000', 'which gets it');

-- Nobody but the owner can write with it.
SET LOCAL ROLE rs_admin;
SET LOCAL crm.restoring = on;
SELECT is(error_of(restore('d', 'Lead')), E'42501\nonly the owner of table "deals" can restore rows\n'
    'The setting crm.restoring is on: inserted rows would be taken as they are.\nSet crm.restoring to off, or write as the owner.', 'not the owner');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('Sales'), 'Mine')$$, '42501', 'only the owner of table "stages" can restore rows', 'nor of another table');
SELECT lives_ok($$UPDATE deals SET title = 'A' WHERE id = id('a')$$, 'an UPDATE has nothing to do with it');
SET LOCAL crm.restoring = off;
SELECT lives_ok(restore('d', 'Lead'), 'without it: an ordinary row');
SET LOCAL ROLE rs_member;
SET LOCAL crm.restoring = on;
SELECT lives_ok(restore('e', 'Lead', '''open''', 'status'), 'a member of the owner''s role has its rights');

-- The owner.
SET LOCAL ROLE rs_owner;
SELECT lives_ok(restore('f', 'Qualified', '''open''', 'status'), 'a deal in an archived stage');
SELECT is(place('f'), 'Sales / Qualified / open / null', 'its probability stays null');
SELECT lives_ok(restore('g', 'Due', '''open''', 'status'), 'a deal in an archived pipeline');
SELECT lives_ok(restore('h', 'Won', '''won'', 1, ''2024-01-15 00:00:00.5'', 7, 9', 'status, probability, won_at, move_no, version'), 'a won deal');
SELECT results_eq(
    $$SELECT status, probability, won_at, stage_entered_at, created_at, updated_at, move_no, version
        FROM deals WHERE id = id('h')$$,
    $$SELECT 'won', 1.0000, timestamptz '2024-01-15 00:00:00.5', timestamptz '2024-02-02 00:00:00.000001',
        timestamptz '2024-02-01', timestamptz '2024-02-03', 7, 9$$,
    'its times and counters stay, even those that no rule would allow');
SELECT is_empty($$SELECT FROM deal_changes WHERE deal_id IN (id('e'), id('f'), id('g'), id('h'))$$, 'no row of the history, which is in the dump');
SELECT lives_ok($$INSERT INTO deals (id, title, pipeline_id, stage_id, status, stage_entered_at, created_at)
    VALUES (id('i'), 'I', id('Sales'), id('Lead'), 'open', '2999-01-01', '2999-01-01')$$, 'a deal of a clock that was wrong');
SELECT throws_ok(restore('j', 'Lead', '''won''', 'status'), '23514', NULL, 'the CHECKs hold');
SELECT throws_ok($$INSERT INTO deals (id, title, stage_id, status, stage_entered_at, created_at) VALUES (id('k'), 'K', id('Lead'), 'open', now(), now())$$, '23502', NULL,
    'and NOT NULL: nothing is filled in but defaults');
SELECT lives_ok($$INSERT INTO stages (id, pipeline_id, name, position, deal_status) VALUES (id('Old'), id('Sales'), 'Old', 50, 'open')$$, 'a stage');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'restored deals are counted');

-- A copy of a row is the row, but for what tells that it was gone.
CREATE TEMP TABLE kept AS TABLE deals;
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('TABLE deals', 'TABLE kept', 'INSERT ... SELECT gives rows back as they were');
SELECT is((SELECT count(*) FROM deal_changes WHERE change = 'restored'), (SELECT count(*) FROM deals), 'that they were gone is recorded');
INSERT INTO deals SELECT * FROM kept ON CONFLICT DO NOTHING;
SELECT set_eq('TABLE deals', 'TABLE kept', 'rows that stand are met as ever');

-- Afterwards.
SET LOCAL crm.restoring = off;
UPDATE deals SET stage_id = id('Lead') WHERE id = id('h');
SELECT results_eq($$SELECT move_no, version FROM deals WHERE id = id('h')$$, $$VALUES (8, 10)$$, 'a restored deal goes on from its counters');
SELECT lives_ok($$UPDATE deals SET title = 'still' WHERE id = id('i')$$, 'one with odd times can be edited');
DELETE FROM deals WHERE id = id('h');
SET LOCAL crm.restoring = on;
SELECT is(error_of($$INSERT INTO deals SELECT * FROM kept WHERE id = id('h')$$), format(E'23514\ndeal %s is older than its history\nIt had made 8 moves when it was deleted; the row has 7.\n'
    'Restore a later copy, or insert it with crm.restoring off.', id('h')), 'a copy from before the last move');
SET LOCAL crm.restoring = off;
SELECT lives_ok(restore('h', 'Lead'), 'a deal under the id of a deleted one, without the setting');
SELECT results_eq($$SELECT move_no, version, (SELECT change FROM deal_changes AS c WHERE c.deal_id = d.id ORDER BY recorded_at DESC, version DESC LIMIT 1) FROM deals AS d WHERE id = id('h')$$,
    $$VALUES (8, 12, 'recreated')$$, 'continues the numbers of that one');
SET LOCAL crm.restoring = on;
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('Sales'), 'No position')$$, '23502', NULL, 'no position is made up');

SELECT * FROM finish();
ROLLBACK;
