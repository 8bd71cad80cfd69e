-- A deal inserted with created_at, stage_entered_at and updated_at of its own
-- comes from a dump or another CRM, and stays as it is.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(10);

UPDATE stages SET archived_at = '2024-01-01' WHERE id = id('Qualified');
UPDATE pipelines SET archived_at = '2024-01-01' WHERE id = id('Renewals');

CREATE FUNCTION pg_temp.restore(deal text, stage text, more text DEFAULT 'null', more_columns text DEFAULT 'description')
RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO deals (id, title, stage_id, created_at, stage_entered_at, updated_at, %s)
        VALUES (id(%L), %2$L, id(%3$L), %4$L, %5$L, %6$L, %7$s)',
        more_columns, deal, stage, '2024-02-01', '2024-02-02 00:00:00.000001', '2024-02-03', more)
$$;

SELECT lives_ok(pg_temp.restore('a', 'Qualified'), 'a deal in an archived stage');
SELECT is(place('a'), 'Sales / Qualified / open / null', 'its probability stays null');
SELECT lives_ok(pg_temp.restore('b', 'Due'), 'a deal in an archived pipeline');
SELECT lives_ok(pg_temp.restore('c', 'Won', '''2024-01-15 00:00:00.5'', 7, 9', 'won_at, move_no, version'), 'a won deal');
SELECT results_eq(
    $$SELECT status, probability, won_at, stage_entered_at, created_at, updated_at, move_no, version
        FROM deals WHERE id = id('c')$$,
    $$SELECT 'won', 1.0000, timestamptz '2024-01-15 00:00:00.5', timestamptz '2024-02-02 00:00:00.000001',
        timestamptz '2024-02-01', timestamptz '2024-02-03', 7, 9$$,
    'its corrected won_at, its times and counters stay');

-- A copy of a row is the row, but for the tenant's own keys.
CREATE TEMP TABLE kept AS TABLE deals;
DELETE FROM deals;
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq('TABLE deals', 'TABLE kept', 'INSERT ... SELECT gives rows back as they were');

-- Rules that are not about entering today hold.
SELECT is(split_part(error_of(pg_temp.restore('d', 'Qualified', '''won''', 'status')), E'\n', 1), '23514',
    'a status that is not the stage''s is refused');

-- Without one of the times it is a new deal.
SELECT matches(error_of($$INSERT INTO deals (title, stage_id, created_at, stage_entered_at)
        VALUES ('E', id('Qualified'), '2024-02-01', '2024-02-02')$$), 'stage "Qualified" is archived',
    'without updated_at: an archived stage takes no new deals');
SELECT matches(error_of($$INSERT INTO deals (title, stage_id, created_at, updated_at)
        VALUES ('E', id('Qualified'), '2024-02-01', '2024-02-02')$$), 'stage "Qualified" is archived',
    'nor without stage_entered_at, as an object-relational mapper has it');
INSERT INTO deals (id, title, created_at, updated_at) VALUES (id('f'), 'F', '2024-02-01', '2024-02-02');
SELECT is(place('f'), 'Sales / Lead / open / 0.1000', 'which gets the stage''s probability');

SELECT * FROM finish();
ROLLBACK;
