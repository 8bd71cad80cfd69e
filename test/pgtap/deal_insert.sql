-- Inserting a deal: where it stands, and what is filled in.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(58);

-- No stage given: the first open stage of the pipeline given, or of the default one.
INSERT INTO deals (id, title) VALUES (id('a'), 'A');
SELECT is(place('a'), 'Sales / Lead / open / 0.1000', 'no stage: the first open one of the default pipeline');
INSERT INTO deals (id, title, pipeline_id) VALUES (id('b'), 'B', id('Renewals'));
SELECT is(place('b'), 'Renewals / Due / open / 0.8000', 'a pipeline: its first open stage');
INSERT INTO deals (id, title, stage_id) VALUES (id('c'), 'C', id('Qualified'));
SELECT is(place('c'), 'Sales / Qualified / open / 0.5000', 'a stage: its pipeline follows');
INSERT INTO deals (id, title, stage_id, pipeline_id, status) VALUES (id('d'), 'D', id('Contacted'), id('Renewals'), 'open');
SELECT is(place('d'), 'Renewals / Contacted / open / 0.9000', 'all three, agreeing');

-- Position decides which is first, not the order of creation; archived stages do not count.
UPDATE stages SET position = 0 WHERE id = id('Contacted');
INSERT INTO deals (id, title, pipeline_id) VALUES (id('e'), 'E', id('Renewals'));
SELECT is(place('e'), 'Renewals / Contacted / open / 0.9000', 'first means the lowest position');
UPDATE stages SET archived_at = now() WHERE id = id('Contacted');
INSERT INTO deals (id, title, pipeline_id) VALUES (id('f'), 'F', id('Renewals'));
SELECT is(place('f'), 'Renewals / Due / open / 0.8000', 'an archived stage is passed over');
UPDATE stages SET archived_at = NULL, position = 20 WHERE id = id('Contacted');
UPDATE stages SET position = -5 WHERE id = id('Renewed');
INSERT INTO deals (id, title, pipeline_id) VALUES (id('g'), 'G', id('Renewals'));
SELECT is(place('g'), 'Renewals / Due / open / 0.8000', 'a won stage in front is passed over');
UPDATE stages SET position = 30 WHERE id = id('Renewed');

-- status: 'open' counts as not given, another one chooses the stage.
INSERT INTO deals (id, title, status) VALUES (id('h'), 'H', 'open');
SELECT is(place('h'), 'Sales / Lead / open / 0.1000', 'status open: as if not given');
INSERT INTO deals (id, title, stage_id, status) VALUES (id('i'), 'I', id('Won'), 'open');
SELECT is(place('i'), 'Sales / Won / won / 1.0000', 'status open beside a won stage: the stage decides');
INSERT INTO deals (id, title, status) VALUES (id('j'), 'J', 'won');
SELECT is(place('j'), 'Sales / Won / won / 1.0000', 'status won: the one won stage of the default pipeline');
INSERT INTO deals (id, title, status, pipeline_id) VALUES (id('k'), 'K', 'lost', id('Renewals'));
SELECT is(place('k'), 'Renewals / Churned / lost / 0.0000', 'status lost: the one lost stage of the pipeline');
INSERT INTO deals (id, title, status, stage_id) VALUES (id('l'), 'L', 'lost', id('Disqualified'));
SELECT is(place('l'), 'Sales / Disqualified / lost / 0.0000', 'a status beside its stage');

-- What is missing is said.
SELECT is(error_of($$INSERT INTO deals (id, title, status) VALUES (id('x'), 'X', 'lost')$$),
    E'23514\npipeline "Sales" has several stages for deals that are lost\n'
    'Deal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to become lost.\nName the stage in stage_id.',
    'several lost stages');
SELECT is(error_of($$INSERT INTO deals (id, title, stage_id, pipeline_id) VALUES (id('x'), 'X', id('Lead'), id('Renewals'))$$),
    format(E'23514\nstage "Lead" does not belong to pipeline %s\n'
        'Deal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to stand in both.\n'
        'Write stage_id alone; pipeline_id follows.', id('Renewals')),
    'a stage of another pipeline');
SELECT is(error_of($$INSERT INTO deals (id, title, stage_id, status) VALUES (id('x'), 'X', id('Lead'), 'won')$$),
    E'23514\na deal in stage "Lead" has the status open, not won\n'
    'Deal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to have both.\n'
    'Write stage_id alone; status follows.',
    'a stage of another status');
SELECT is(error_of($$INSERT INTO deals (id, title, status) VALUES (id('x'), 'X', 'Won')$$),
    E'23514\n"Won" is not a status of a deal\nUse open, won or lost.', 'no such status');
SELECT throws_ok($$INSERT INTO deals (title, status) VALUES ('X', '')$$, '23514', '"" is not a status of a deal', 'an empty status');
SELECT is(error_of($$INSERT INTO deals (id, title, stage_id) VALUES (id('x'), 'X', id('nowhere'))$$),
    format(E'23503\nstage %s does not exist\nDeal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to refer to it.\nUse the id of a stage that you may read.', id('nowhere')),
    'no such stage');
SELECT is(error_of($$INSERT INTO deals (id, title, pipeline_id) VALUES (id('x'), 'X', id('nowhere'))$$),
    format(E'23503\npipeline %s does not exist\nDeal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to refer to it.\nUse the id of a pipeline that you may read.', id('nowhere')),
    'no such pipeline');

INSERT INTO pipelines (id, name) VALUES (id('Empty'), 'Empty');
SELECT is(error_of($$INSERT INTO deals (id, title, pipeline_id) VALUES (id('x'), 'X', id('Empty'))$$),
    E'23514\npipeline "Empty" has no open stage\n'
    'Deal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to enter its first open stage.\n'
    'Add a stage, or name the stage in stage_id.',
    'a pipeline without stages');
SELECT is(error_of($$INSERT INTO deals (id, title, pipeline_id, status) VALUES (id('x'), 'X', id('Empty'), 'won')$$),
    E'23514\npipeline "Empty" has no stage for deals that are won\n'
    'Deal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to become won.\nName the stage in stage_id.',
    'a pipeline without a won stage');
UPDATE pipelines SET is_default = false;
SELECT is(error_of($$INSERT INTO deals (id, title) VALUES (id('x'), 'X')$$),
    E'23514\nno pipeline for deal 9dd4e461-268c-8034-f5c8-564e155c67a6\n'
    'It names neither a stage nor a pipeline, and no pipeline is the default.\n'
    'Give stage_id or pipeline_id, or choose a default with set_default_pipeline.',
    'no default pipeline');
SELECT throws_ok($$INSERT INTO deals (id, title, status) VALUES (id('x'), 'X', 'won')$$, '23514',
    'no pipeline for deal 9dd4e461-268c-8034-f5c8-564e155c67a6', 'a status without a default pipeline');

-- A default pipeline need not have an open stage for a deal that is won already.
UPDATE pipelines SET is_default = true WHERE id = id('Empty');
SELECT throws_ok($$INSERT INTO deals (title) VALUES ('X')$$, '23514', 'pipeline "Empty" has no open stage',
    'a default pipeline without stages');
INSERT INTO stages (id, pipeline_id, name, deal_status) VALUES (id('Done'), id('Empty'), 'Done', 'won');
INSERT INTO deals (id, title, status) VALUES (id('m'), 'M', 'won');
SELECT is(place('m'), 'Empty / Done / won / 1.0000', 'status won needs no open stage in the default pipeline');
UPDATE pipelines SET is_default = false;
UPDATE pipelines SET is_default = true WHERE id = id('Sales');

-- Archived stages and pipelines take no new deals.
UPDATE stages SET archived_at = '2024-06-01' WHERE id = id('Qualified');
SELECT matches(error_of($$INSERT INTO deals (id, title, stage_id) VALUES (id('x'), 'X', id('Qualified'))$$),
    E'^23514\nstage "Qualified" is archived and takes no new deals\n'
    'Deal 9dd4e461-268c-8034-f5c8-564e155c67a6 was to enter it as of 2.*; it was archived at 2024-06-01 00:00:00\\+00\\.\n'
    'Name another stage, or set archived_at of the stage to null first\\.$',
    'an archived stage');
SELECT throws_ok($$INSERT INTO deals (title, stage_id, stage_entered_at) VALUES ('X', id('Qualified'), '2024-06-01')$$,
    '23514', 'stage "Qualified" is archived and takes no new deals', 'from the moment of archiving on');
SELECT lives_ok($$INSERT INTO deals (title, stage_id, stage_entered_at) VALUES ('X', id('Qualified'), '2024-05-31 23:59:59')$$,
    'what entered before may still be told');
UPDATE stages SET archived_at = NULL;
UPDATE pipelines SET archived_at = '2024-06-01' WHERE id = id('Sales');
SELECT throws_ok($$INSERT INTO deals (title) VALUES ('X')$$,
    '23514', 'pipeline "Sales" is archived and takes no new deals', 'an archived default pipeline');
SELECT throws_ok($$INSERT INTO deals (title, stage_id) VALUES ('X', id('Lead'))$$,
    '23514', 'pipeline "Sales" is archived and takes no new deals', 'a stage of an archived pipeline');
SELECT lives_ok($$INSERT INTO deals (title, stage_entered_at) VALUES ('X', '2024-05-31')$$,
    'an archived pipeline takes what entered before');
UPDATE pipelines SET archived_at = NULL;

-- What is filled in.
INSERT INTO deals (id, title) VALUES (id('n'), 'N');
SELECT results_eq($$SELECT tenant_id, move_no, version, value_period, amount, currency, won_at, lost_at, lost_reason, metadata::text
    FROM deals WHERE id = id('n')$$,
    $$VALUES ('00000000-0000-0000-0000-000000000000'::uuid, 0, 1, 'one_time', NULL::numeric, NULL, NULL::timestamptz, NULL::timestamptz, NULL, '{}')$$,
    'the rest of a new deal');
SELECT ok(stage_entered_at BETWEEN now() AND clock_timestamp() AND created_at = stage_entered_at AND updated_at >= created_at,
    'it enters now, is created then, and is updated no earlier')
FROM deals WHERE id = id('n');
SELECT is(history('n'), 'none', 'inserting is not a move');
INSERT INTO deals (title) VALUES ('one'), ('two');
SELECT ok(count(DISTINCT id) = 2 AND bool_and(substr(id::text, 15, 1) = '7'), 'ids are made, of version 7')
FROM deals WHERE title IN ('one', 'two');

-- Explicit NULLs mean 'not given'.
INSERT INTO deals (id, tenant_id, pipeline_id, stage_id, status, stage_entered_at, move_no, version, value_period, metadata,
    created_at, updated_at, title, won_at, lost_at, lost_reason, probability, amount, currency)
VALUES (id('o'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'O', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT is(place('o'), 'Sales / Lead / open / 0.1000', 'NULLs: placed as if not given');
SELECT results_eq($$SELECT move_no, version, value_period, metadata::text, updated_at, created_at = stage_entered_at FROM deals WHERE id = id('o')$$,
    $$SELECT 0, 1, 'one_time', '{}', updated_at, true FROM deals WHERE id = id('o')$$, 'NULLs: defaults');
INSERT INTO deals (id, title) VALUES (NULL, 'no id');
SELECT isnt(id, NULL, 'NULL as id: one is made') FROM deals WHERE title = 'no id';
SELECT throws_ok($$INSERT INTO deals (title) VALUES (NULL)$$, '23502', NULL, 'a deal has a title');
SELECT throws_ok($$INSERT INTO deals (title) VALUES ('  ')$$, '23514', NULL, 'a blank title is none');

-- Currency: the pipeline's for an amount that comes without.
INSERT INTO deals (id, title, amount) VALUES (id('p'), 'P', 10);
SELECT is(currency, 'USD', 'an amount alone: in the currency of the pipeline') FROM deals WHERE id = id('p');
INSERT INTO deals (id, title, amount, pipeline_id) VALUES (id('q'), 'Q', 10, id('Renewals'));
SELECT is(currency, 'EUR', 'of that pipeline') FROM deals WHERE id = id('q');
INSERT INTO deals (id, title, amount, currency) VALUES (id('r'), 'R', 10, 'CHF');
SELECT is(currency, 'CHF', 'a currency given stays') FROM deals WHERE id = id('r');
INSERT INTO deals (id, title, currency) VALUES (id('s'), 'S', 'CHF');
SELECT is(currency, 'CHF', 'also without an amount') FROM deals WHERE id = id('s');
SELECT throws_ok($$INSERT INTO deals (title, amount, currency) VALUES ('X', 1, 'usd')$$, '23514',
    'currency must be a currency code of ISO 4217, not "usd"', 'currencies are upper case');
SELECT throws_ok($$INSERT INTO deals (title, amount, currency) VALUES ('X', 1, 'XYZ')$$, '23514',
    'currency must be a currency code of ISO 4217, not "XYZ"', 'no such currency');

-- Identity.
SELECT throws_ok($$INSERT INTO deals (id, title) VALUES (id('a'), 'again')$$, '23505',
    'duplicate key value violates unique constraint "deals_pkey"', 'an id once');
INSERT INTO deals (title, external_id) VALUES ('T', 'crm-1');
SELECT throws_ok($$INSERT INTO deals (title, external_id) VALUES ('U', 'crm-1')$$, '23505',
    'duplicate key value violates unique constraint "deals_external_id_key"', 'an external_id once');
SELECT throws_ok($$INSERT INTO deals (title, tenant_id) VALUES ('X', id('tenant'))$$, '23514', NULL,
    'single tenancy knows no other tenant');

-- The counters may come along, as a copy gives them: they are the CRM's.
INSERT INTO deals (id, title, stage_id, status, stage_entered_at, won_at, probability, created_at, version, move_no)
VALUES (id('u'), 'U', id('Won'), 'won', '2024-03-01', '2024-02-01', 1, '2024-01-01', 7, 3);
SELECT results_eq($$SELECT stage_entered_at, won_at, created_at, version, move_no FROM deals WHERE id = id('u')$$,
    $$VALUES ('2024-03-01'::timestamptz, '2024-02-01'::timestamptz, '2024-01-01'::timestamptz, 1, 0)$$,
    'a deal with a past has the times that are given, and new counters');
INSERT INTO deals (id, title, move_no, version, updated_at) VALUES (id('u2'), 'U', -1, -1, '1999-01-01');
SELECT ok(move_no = 0 AND version = 1 AND updated_at > now(), 'whatever is given for them') FROM deals WHERE id = id('u2');

-- A deal deleted and inserted again under its id goes on where its history ended.
INSERT INTO deals (id, title, stage_entered_at) VALUES (id('v'), 'V', '2024-01-01');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-01-02' WHERE id = id('v');
DELETE FROM deals WHERE id = id('v');
INSERT INTO deals (id, title, stage_entered_at) VALUES (id('v'), 'V again', '2024-02-01');
SELECT is(move_no, 1, 'an id with a history: its moves are counted on') FROM deals WHERE id = id('v');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-02-02' WHERE id = id('v');
SELECT is(history('v'), E'1: Lead > Qualified at 2024-01-02 00:00:00+00\n2: Lead > Paused at 2024-02-02 00:00:00+00', 'so that it can move');
INSERT INTO deals (title) VALUES ('short-lived') RETURNING id AS short_lived \gset
UPDATE deals SET stage_id = id('Qualified') WHERE id = :'short_lived';
DELETE FROM deals WHERE id = :'short_lived';
INSERT INTO deals (id, title) VALUES (:'short_lived', 'again');
SELECT is(move_no, 1, 'also right after, when its id is the last one made') FROM deals WHERE id = :'short_lived';

-- A stage and a deal in it, by one statement.
WITH s AS (
    INSERT INTO stages (id, pipeline_id, name) VALUES (id('Fresh'), id('Sales'), 'Fresh') RETURNING id
)
INSERT INTO deals (id, title, stage_id) SELECT id('w'), 'W', id FROM s;
SELECT is(place('w'), 'Sales / Fresh / open / null', 'a stage made by the same statement');
WITH p AS (
    INSERT INTO pipelines (id, name) VALUES (id('New'), 'New') RETURNING id
), s AS (
    INSERT INTO stages (id, pipeline_id, name, probability) SELECT id('First'), id, 'First', 0.3 FROM p RETURNING pipeline_id
)
INSERT INTO deals (id, title, pipeline_id) SELECT id('y'), 'Y', pipeline_id FROM s;
SELECT is(place('y'), 'New / First / open / 0.3000', 'a pipeline made by the same statement');

-- Rows of one statement go to different places.
INSERT INTO deals (id, title, pipeline_id, stage_id, status) VALUES
    (id('m1'), 'M1', NULL, NULL, 'open'), (id('m2'), 'M2', id('Renewals'), NULL, 'won'),
    (id('m3'), 'M3', id('Renewals'), NULL, 'open'), (id('m4'), 'M4', NULL, id('Paused'), NULL),
    (id('m5'), 'M5', id('Renewals'), NULL, 'lost'), (id('m6'), 'M6', NULL, NULL, 'won');
SELECT is((SELECT string_agg(place('m' || i), E'\n' ORDER BY i) FROM generate_series(1, 6) AS i),
    E'Sales / Lead / open / 0.1000\nRenewals / Renewed / won / 1.0000\nRenewals / Due / open / 0.8000\n'
    'Sales / Paused / open / null\nRenewals / Churned / lost / 0.0000\nSales / Won / won / 1.0000',
    'each row of a statement has its own place');

-- RETURNING shows what was stored.
PREPARE inserted AS INSERT INTO deals (id, title, stage_id, amount) VALUES (id('z'), 'Z', id('Won'), 5)
    RETURNING status, probability, currency, won_at = stage_entered_at, pipeline_id;
SELECT results_eq('inserted', $$SELECT 'won', 1.0000, 'USD', true, id('Sales')$$, 'RETURNING shows what was filled in');

SELECT * FROM finish();
ROLLBACK;
