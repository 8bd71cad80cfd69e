-- Changing where a deal stands, by writing stage_id, pipeline_id or status.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(66);

-- A deal that entered a stage on 2024-01-01, by default the first one.
CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, amount) VALUES (t.id(name), name, t.id(stage), '2024-01-01', 100)
$$;

-- stage_id moves; pipeline_id and status follow.
SELECT deal('a') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('a');
SELECT is(place('a'), 'Sales / Qualified / open / 0.5000', 'to another stage');
UPDATE deals SET stage_id = id('Renewed') WHERE id = id('a');
SELECT is(place('a'), 'Renewals / Renewed / won / 1.0000', 'to a stage of another pipeline');
UPDATE deals SET stage_id = id('Lost') WHERE id = id('a');
SELECT is(place('a'), 'Sales / Lost / lost / 0.0000', 'from won to lost');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('a');
SELECT is(place('a'), 'Sales / Lead / open / 0.1000', 'and back to the start');
SELECT results_eq($$SELECT move_no, version FROM deals WHERE id = id('a')$$, $$VALUES (4, 5)$$, 'four moves, five versions');
SELECT results_eq($$SELECT move_no FROM stage_changes WHERE deal_id = id('a') ORDER BY recorded_at, move_no$$,
    $$SELECT generate_series(1, 4)$$, 'all recorded');

-- What is written with it has to agree.
SELECT deal('b') \g /dev/null
UPDATE deals SET stage_id = id('Due'), pipeline_id = id('Renewals'), status = 'open' WHERE id = id('b');
SELECT is(place('b'), 'Renewals / Due / open / 0.8000', 'stage, pipeline and status that agree');
SELECT is(error_of($$UPDATE deals SET stage_id = id('Contacted'), pipeline_id = id('Sales') WHERE id = id('b')$$),
    format(E'23514\nstage "Contacted" does not belong to pipeline %s\nDeal %s was to stand in both.\n'
        'Write stage_id alone; pipeline_id follows.', id('Sales'), id('b')), 'a stage and another pipeline');
SELECT is(error_of($$UPDATE deals SET stage_id = id('Contacted'), status = 'won' WHERE id = id('b')$$),
    format(E'23514\na deal in stage "Contacted" has the status open, not won\nDeal %s was to have both.\n'
        'Write stage_id alone; status follows.', id('b')), 'a stage and another status');
SELECT is(error_of($$UPDATE deals SET stage_id = id('Lead'), pipeline_id = id('nowhere') WHERE id = id('b')$$),
    format(E'23514\nstage "Lead" does not belong to pipeline %s\nDeal %s was to stand in both.\n'
        'Write stage_id alone; pipeline_id follows.', id('nowhere'), id('b')), 'a stage and a pipeline that is not there');
SELECT is(error_of($$UPDATE deals SET stage_id = id('nowhere') WHERE id = id('b')$$),
    format(E'23503\nstage %s does not exist\nDeal %s was to refer to it.\nUse the id of a stage that you may read.', id('nowhere'), id('b')), 'no such stage');
SELECT is(error_of($$UPDATE deals SET pipeline_id = id('nowhere') WHERE id = id('b')$$),
    format(E'23503\npipeline %s does not exist\nDeal %s was to refer to it.\nUse the id of a pipeline that you may read.', id('nowhere'), id('b')), 'no such pipeline');
SELECT throws_ok($$UPDATE deals SET status = 'closed' WHERE id = id('b')$$, '23514', '"closed" is not a status of a deal', 'no such status');

-- Only pipeline_id: its first open stage.
SELECT deal('c') \g /dev/null
UPDATE deals SET pipeline_id = id('Renewals') WHERE id = id('c');
SELECT is(place('c'), 'Renewals / Due / open / 0.8000', 'only a pipeline: its first open stage');
UPDATE deals SET pipeline_id = id('Sales'), stage_id = stage_id, status = status WHERE id = id('c');
SELECT is(place('c'), 'Sales / Lead / open / 0.1000', 'what is resent as it was is not written');
UPDATE deals SET pipeline_id = id('Renewals'), stage_id = NULL, status = NULL WHERE id = id('c');
SELECT is(place('c'), 'Renewals / Due / open / 0.8000', 'nor is NULL');
UPDATE deals SET pipeline_id = pipeline_id, stage_id = id('Lead') WHERE id = id('c');
SELECT is(place('c'), 'Sales / Lead / open / 0.1000', 'a pipeline resent does not contradict the stage');
SELECT deal('d', 'Won') \g /dev/null
UPDATE deals SET pipeline_id = id('Renewals') WHERE id = id('d');
SELECT is(place('d'), 'Renewals / Due / open / 0.8000', 'a won deal that changes its pipeline is open again');
UPDATE deals SET pipeline_id = id('Sales'), status = 'won' WHERE id = id('d');
SELECT is(place('d'), 'Sales / Won / won / 1.0000', 'a pipeline and a status: its one stage of that status');
UPDATE deals SET pipeline_id = id('Renewals'), status = 'open' WHERE id = id('d');
SELECT is(place('d'), 'Renewals / Due / open / 0.8000', 'a pipeline and open: its first open stage');
SELECT is(error_of($$UPDATE deals SET pipeline_id = id('Sales'), status = 'lost' WHERE id = id('d')$$),
    format(E'23514\npipeline "Sales" has several stages for deals that are lost\nDeal %s was to become lost.\nName the stage in stage_id.', id('d')),
    'a pipeline with several stages of the status');
INSERT INTO pipelines (id, name) VALUES (id('Empty'), 'Empty');
SELECT is(error_of($$UPDATE deals SET pipeline_id = id('Empty') WHERE id = id('d')$$),
    format(E'23514\npipeline "Empty" has no open stage\nDeal %s was to enter its first open stage.\n'
        'Add a stage, or name the stage in stage_id.', id('d')), 'a pipeline without stages');

-- Only status, to closed: the pipeline's one stage of it.
SELECT deal('e') \g /dev/null
UPDATE deals SET status = 'won' WHERE id = id('e');
SELECT is(place('e'), 'Sales / Won / won / 1.0000', 'only status: won');
SELECT is(error_of($$UPDATE deals SET status = 'lost' WHERE id = id('e')$$),
    format(E'23514\npipeline "Sales" has several stages for deals that are lost\nDeal %s was to become lost.\nName the stage in stage_id.', id('e')),
    'only status: several stages of it');
UPDATE stages SET archived_at = now() WHERE id = id('Disqualified');
UPDATE deals SET status = 'lost' WHERE id = id('e');
SELECT is(place('e'), 'Sales / Lost / lost / 0.0000', 'an archived one does not count');
UPDATE stages SET archived_at = NULL WHERE id = id('Disqualified');
INSERT INTO pipelines (id, name) VALUES (id('Endless'), 'Endless');
INSERT INTO stages (id, pipeline_id, name) VALUES (id('Only'), id('Endless'), 'Only');
SELECT deal('f', 'Only') \g /dev/null
SELECT is(error_of($$UPDATE deals SET status = 'won' WHERE id = id('f')$$),
    format(E'23514\npipeline "Endless" has no stage for deals that are won\nDeal %s was to become won.\nName the stage in stage_id.', id('f')),
    'only status: no stage of it');

-- Only status, to open: the open stage that the deal stood in last.
SELECT deal('g') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('g');
UPDATE deals SET status = 'won' WHERE id = id('g');
UPDATE deals SET stage_id = id('Lost') WHERE id = id('g');
UPDATE deals SET status = 'open' WHERE id = id('g');
SELECT is(place('g'), 'Sales / Qualified / open / 0.5000', 'reopened where it stood last, through won and lost');
UPDATE deals SET stage_id = id('Due') WHERE id = id('g');
UPDATE deals SET stage_id = id('Won') WHERE id = id('g');
UPDATE deals SET status = 'open' WHERE id = id('g');
SELECT is(place('g'), 'Renewals / Due / open / 0.8000', 'in whichever pipeline that was');
SELECT deal('h', 'Won') \g /dev/null
SELECT is(error_of($$UPDATE deals SET status = 'open' WHERE id = id('h')$$),
    format(E'23514\ndeal %s cannot be reopened by its status alone\nIts history shows no open stage that it could return to.\n'
        'Name the stage in stage_id.', id('h')), 'a deal that never was open');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('h');
SELECT extensions.crm_undo_move('crm', id('h')) \g /dev/null
SELECT throws_ok($$UPDATE deals SET status = 'open' WHERE id = id('h')$$, '23514',
    format('deal %s cannot be reopened by its status alone', id('h')), 'nor was it, if that was taken back');
SELECT deal('i') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('i');
SELECT extensions.crm_undo_move('crm', id('i')) \g /dev/null
UPDATE deals SET status = 'won' WHERE id = id('i');
UPDATE deals SET status = 'open' WHERE id = id('i');
SELECT is(place('i'), 'Sales / Lead / open / 0.1000', 'a stage whose entering was taken back does not count');
SELECT deal('j', 'Paused') \g /dev/null
UPDATE deals SET status = 'won' WHERE id = id('j');
SELECT throws_ok($$DELETE FROM stages WHERE id = id('Paused')$$, '23503',
    'stage "Paused" cannot be deleted, as the history of deals speaks of it', 'the stage that it would return to is not deleted');
SELECT is(delete_stage(id('Paused')), '{"moved": 0, "deleted": false, "archived": true}', 'but archived');
SELECT throws_ok($$UPDATE deals SET status = 'open' WHERE id = id('j')$$, '23514',
    'stage "Paused" is archived and takes no new deals', 'and takes no deal back');
-- As a stage was deleted while the triggers were off.
SET LOCAL session_replication_role = replica;
DELETE FROM stages WHERE id = id('Paused');
SET LOCAL session_replication_role = origin;
SELECT throws_ok($$UPDATE deals SET status = 'open' WHERE id = id('j')$$, '23514',
    format('deal %s cannot be reopened by its status alone', id('j')), 'the stage is gone');
INSERT INTO stages (id, pipeline_id, name, position, deal_status) VALUES (id('Paused'), id('Sales'), 'Paused', 3, 'lost');
SELECT throws_ok($$UPDATE deals SET status = 'open' WHERE id = id('j')$$, '23514',
    format('deal %s cannot be reopened by its status alone', id('j')), 'the stage is no open one now');
UPDATE stages SET deal_status = 'open' WHERE id = id('Paused');
UPDATE stages SET archived_at = '2024-06-01' WHERE id = id('Paused');
SELECT throws_ok($$UPDATE deals SET status = 'open' WHERE id = id('j')$$, '23514',
    'stage "Paused" is archived and takes no new deals', 'the stage is archived');
UPDATE stages SET archived_at = NULL WHERE id = id('Paused');
UPDATE deals SET status = 'open' WHERE id = id('j');
SELECT is(place('j'), 'Sales / Paused / open / null', 'and works again when it is not');

-- What is no move.
SELECT deal('k') \g /dev/null
UPDATE deals SET title = 'K', stage_id = stage_id, pipeline_id = pipeline_id, status = status WHERE id = id('k');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('k');
UPDATE deals SET stage_id = NULL, pipeline_id = NULL, status = NULL WHERE id = id('k');
UPDATE deals SET status = 'open', pipeline_id = id('Sales') WHERE id = id('k');
SELECT is(history('k'), 'none', 'writing where it stands already is no move');
SELECT results_eq($$SELECT move_no, version, stage_entered_at FROM deals WHERE id = id('k')$$,
    $$VALUES (0, 5, '2024-01-01'::timestamptz)$$, 'but a new version');

-- Archived stages and pipelines, in a move.
UPDATE stages SET archived_at = '2024-06-01' WHERE id = id('Qualified');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Qualified') WHERE id = id('k')$$, '23514',
    'stage "Qualified" is archived and takes no new deals', 'no move to an archived stage');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-06-01' WHERE id = id('k')$$, '23514',
    'stage "Qualified" is archived and takes no new deals', 'from the moment of archiving on');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-05-31' WHERE id = id('k');
SELECT is(place('k'), 'Sales / Qualified / open / 0.5000', 'but earlier');
UPDATE deals SET title = 'still here' WHERE id = id('k');
SELECT is(place('k'), 'Sales / Qualified / open / 0.5000', 'a deal in an archived stage lives on');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('k');
SELECT is(place('k'), 'Sales / Lead / open / 0.1000', 'and leaves it');
UPDATE stages SET archived_at = NULL WHERE id = id('Qualified');
UPDATE pipelines SET archived_at = '2024-06-01' WHERE id IN (id('Sales'), id('Renewals'));
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('k');
SELECT is(place('k'), 'Sales / Qualified / open / 0.5000', 'deals of an archived pipeline move within it');
SELECT throws_ok($$UPDATE deals SET stage_id = id('Due') WHERE id = id('k')$$, '23514',
    'pipeline "Renewals" is archived and takes no new deals', 'none enters it');
UPDATE pipelines SET archived_at = NULL;

-- An archived deal may still move.
SELECT deal('l') \g /dev/null
UPDATE deals SET archived_at = now() WHERE id = id('l');
UPDATE deals SET status = 'won' WHERE id = id('l');
SELECT is(place('l'), 'Sales / Won / won / 1.0000', 'an archived deal moves');

-- What never changes, and what only the rules write.
SELECT throws_ok($$UPDATE deals SET id = id('other') WHERE id = id('k')$$, '23514',
    'column "id" of table "deals" never changes', 'the id');
SELECT throws_ok($$UPDATE deals SET tenant_id = id('other') WHERE id = id('k')$$, '23514',
    'column "tenant_id" of table "deals" never changes', 'the tenant');
SELECT deal('m') \g /dev/null
UPDATE deals SET version = 70, move_no = 80, updated_at = '1999-01-01' WHERE id = id('m');
SELECT ok(version = 2 AND move_no = 0 AND updated_at BETWEEN now() AND clock_timestamp(), 'version, move_no and updated_at are kept')
FROM deals WHERE id = id('m');
UPDATE deals SET stage_id = id('Qualified'), version = NULL, move_no = NULL, updated_at = NULL, id = NULL, tenant_id = NULL, metadata = NULL,
    value_period = NULL, created_at = NULL WHERE id = id('m');
SELECT ok(version = 3 AND move_no = 1 AND metadata = '{}' AND value_period = 'one_time' AND created_at = '2024-01-01', 'also from NULLs')
FROM deals WHERE id = id('m');

-- The currency: an amount keeps its own.
SELECT deal('n', 'Due') \g /dev/null
UPDATE deals SET stage_id = id('Lead') WHERE id = id('n');
SELECT is(currency, 'EUR', 'an amount keeps its currency in another pipeline') FROM deals WHERE id = id('n');
UPDATE deals SET currency = NULL WHERE id = id('n');
SELECT is(currency, 'EUR', 'NULL as currency: not given, whatever the pipeline has') FROM deals WHERE id = id('n');
UPDATE deals SET currency = NULL, amount = 200 WHERE id = id('n');
SELECT is(currency, 'EUR', 'also beside a new amount') FROM deals WHERE id = id('n');
UPDATE deals SET currency = NULL, amount = NULL WHERE id = id('n');
SELECT is(currency, NULL, 'no amount, no currency') FROM deals WHERE id = id('n');
UPDATE deals SET amount = 5 WHERE id = id('n');
SELECT is(currency, 'USD', 'a first amount: in the currency of the pipeline that it is in') FROM deals WHERE id = id('n');
UPDATE deals SET amount = NULL WHERE id = id('n');
UPDATE deals SET amount = 5, pipeline_id = id('Renewals'), currency = NULL WHERE id = id('n');
SELECT is(currency, 'USD', 'a currency that was known stays') FROM deals WHERE id = id('n');

-- Several moves in one transaction and one row more than once, in several ways.
SELECT deal('o') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('o');
SAVEPOINT s;
UPDATE deals SET stage_id = id('Won') WHERE id = id('o');
UPDATE deals SET stage_id = id('Lost') WHERE id = id('o');
ROLLBACK TO s;
UPDATE deals SET stage_id = id('Paused') WHERE id = id('o');
SELECT results_eq($$SELECT move_no, from_stage_id, to_stage_id FROM stage_changes WHERE deal_id = id('o') ORDER BY move_no$$,
    $$VALUES (1, id('Lead'), id('Qualified')), (2, id('Qualified'), id('Paused'))$$, 'a savepoint rolled back leaves no gap');
SELECT ok(bool_and(changed_at >= entered_at) AND count(DISTINCT changed_at) = 2, 'moves of one transaction have times of their own')
FROM stage_changes WHERE deal_id = id('o');

-- One statement, rows that go different ways.
SELECT deal('p' || i) FROM generate_series(1, 5) AS i \g /dev/null
UPDATE deals AS d SET stage_id = w.stage_id, pipeline_id = coalesce(w.pipeline_id, d.pipeline_id), status = coalesce(w.status, d.status)
FROM (VALUES (id('p1'), id('Won'), NULL::uuid, NULL), (id('p2'), NULL, id('Renewals'), NULL), (id('p3'), NULL, NULL, 'won'),
        (id('p4'), NULL, id('Renewals'), 'lost'), (id('p5'), NULL, NULL, NULL)) AS w (id, stage_id, pipeline_id, status)
WHERE d.id = w.id;
SELECT is((SELECT string_agg(place('p' || i), E'\n' ORDER BY i) FROM generate_series(1, 5) AS i),
    E'Sales / Won / won / 1.0000\nRenewals / Due / open / 0.8000\nSales / Won / won / 1.0000\n'
    'Renewals / Churned / lost / 0.0000\nSales / Lead / open / 0.1000',
    'each row of a statement is moved its own way');

-- A trigger of the user's that moves: the rules see what it made.
CREATE FUNCTION t.user_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.title = 'big' THEN NEW.stage_id := t.id('Qualified'); END IF;
    IF NEW.title = 'skip' THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.user_moves();
INSERT INTO deals (id, title) VALUES (id('q'), 'big');
SELECT is(place('q'), 'Sales / Qualified / open / 0.5000', 'a user''s trigger chooses the stage on INSERT');
SELECT deal('r') \g /dev/null
UPDATE deals SET title = 'big' WHERE id = id('r');
SELECT is(place('r'), 'Sales / Qualified / open / 0.5000', 'a user''s trigger moves on UPDATE');
SELECT is((SELECT count(*) FROM stage_changes WHERE deal_id = id('r')), 1::bigint, 'which is recorded');
SELECT deal('s' || i) FROM generate_series(1, 4) AS i \g /dev/null
UPDATE deals SET title = CASE WHEN title IN ('s2', 's4') THEN 'skip' ELSE title END, stage_id = id('Won') WHERE title LIKE 's_';
SELECT is((SELECT string_agg(place('s' || i), E'\n' ORDER BY i) FROM generate_series(1, 4) AS i),
    E'Sales / Won / won / 1.0000\nSales / Lead / open / 0.1000\nSales / Won / won / 1.0000\nSales / Lead / open / 0.1000',
    'rows that a user''s trigger skips stay');
SELECT set_eq($$SELECT deal_id FROM stage_changes WHERE deal_id IN (id('s1'), id('s2'), id('s3'), id('s4'))$$,
    $$VALUES (id('s1')), (id('s3'))$$, 'and are not recorded');

SELECT * FROM finish();
ROLLBACK;
