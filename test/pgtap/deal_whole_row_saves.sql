-- Whole-row saves, as object-relational mappers and forms do them: every column
-- sent back, whether it changed or not, times cut to milliseconds, nulls for what
-- the client does not know.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(38);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead', entered timestamptz DEFAULT '2024-01-01 10:00:00.123456') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, amount) VALUES (t.id(name), name, t.id(stage), entered, 100)
$$;
-- A deal as a client reads it: JSON, times cut to milliseconds.
CREATE FUNCTION t.read(deal text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key LIKE '%\_at' AND value <> 'null'
        THEN to_jsonb(date_trunc('milliseconds', (value #>> '{}')::timestamptz)) ELSE value END)
    FROM crm.deals AS d, jsonb_each(to_jsonb(d)) WHERE d.id = t.id(deal)
$$;
-- Saves it, with all columns in the SET list.
CREATE FUNCTION t.save(saved jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (SELECT format('UPDATE crm.deals AS d SET (%s) = (SELECT %s FROM jsonb_populate_record(NULL::crm.deals, $1) AS r) WHERE d.id = ($1 ->> ''id'')::uuid',
            string_agg(quote_ident(attname), ', ' ORDER BY attnum), string_agg('r.' || quote_ident(attname), ', ' ORDER BY attnum))
        FROM pg_attribute WHERE attrelid = 'crm.deals'::regclass AND attnum > 0 AND NOT attisdropped) USING saved;
END $$;
-- The same, of what the client gives alone.
CREATE FUNCTION t.patch(deal text, saved jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (SELECT format('UPDATE crm.deals AS d SET (%s) = (SELECT %s FROM jsonb_populate_record(NULL::crm.deals, $1) AS r) WHERE d.id = $2',
            string_agg(quote_ident(key), ', '), string_agg('r.' || quote_ident(key), ', '))
        FROM jsonb_object_keys(saved) AS key) USING saved, t.id(deal);
END $$;

-- Nothing changed.
SELECT deal('a', 'Lead'), deal('b', 'Won'), deal('c', 'Lost') \g /dev/null
UPDATE deals SET lost_reason = 'dear' WHERE id = id('c');
CREATE TEMP TABLE before AS SELECT * FROM deals;
SELECT save(read('a')), save(read('b')), save(read('c')) \g /dev/null
SELECT results_eq($$SELECT to_jsonb(d) - '{version,updated_at}'::text[] FROM deals AS d ORDER BY title$$,
    $$SELECT to_jsonb(d) - '{version,updated_at}'::text[] FROM before AS d ORDER BY title$$, 'a save without changes changes nothing, to the microsecond');
SELECT is((SELECT count(*) FROM stage_changes), 0::bigint, 'and moves nothing');
SELECT results_eq($$SELECT d.version - b.version FROM deals AS d JOIN before AS b USING (id)$$, $$VALUES (1), (1), (1)$$, 'it is a version');

-- One thing changed.
SELECT save(read('a') || '{"title": "A", "amount": 250, "probability": 0.35}') \g /dev/null
SELECT results_eq($$SELECT title, amount, probability, currency, stage_entered_at FROM deals WHERE id = id('a')$$,
    $$VALUES ('A', 250.0000, 0.3500, 'USD', '2024-01-01 10:00:00.123456'::timestamptz)$$, 'fields changed are changed');
SELECT save(read('a') || jsonb_build_object('stage_id', id('Qualified'))) \g /dev/null
SELECT is(place('a'), 'Sales / Qualified / open / 0.5000', 'another stage_id: a move; the probability that was resent is not written');
SELECT ok(entered('a') > now(), 'as of now: the stage_entered_at that was resent is not written');
SELECT save(read('a') || '{"status": "won"}') \g /dev/null
SELECT ok(place('a') = 'Sales / Won / won / 1.0000' AND won_at = stage_entered_at AND won_at > now(), 'another status: a move') FROM deals WHERE id = id('a');
SELECT save(read('a') || '{"status": "open"}') \g /dev/null
SELECT ok(place('a') = 'Sales / Qualified / open / 0.5000' AND won_at IS NULL, 'reopened: the won_at that was resent is cleared') FROM deals WHERE id = id('a');
SELECT save(read('a') || jsonb_build_object('pipeline_id', id('Renewals'))) \g /dev/null
SELECT is(place('a'), 'Renewals / Due / open / 0.8000', 'another pipeline: a move');
SELECT save(read('a') || jsonb_build_object('stage_id', id('Lost'), 'pipeline_id', id('Sales'), 'status', 'lost', 'lost_reason', 'dear')) \g /dev/null
SELECT ok(place('a') = 'Sales / Lost / lost / 0.0000' AND lost_reason = 'dear', 'all that agrees together') FROM deals WHERE id = id('a');
SELECT save(read('a') || jsonb_build_object('stage_id', id('Won'))) \g /dev/null
SELECT ok(place('a') = 'Sales / Won / won / 1.0000' AND lost_at IS NULL AND lost_reason IS NULL, 'lost to won: lost_at and the reason that were resent are cleared') FROM deals WHERE id = id('a');
SELECT save(read('a') || jsonb_build_object('stage_id', id('Renewed'))) \g /dev/null
SELECT is(d.won_at, c.entered_at, 'won to won: won_at that was resent stays, to the microsecond')
FROM deals AS d JOIN stage_changes AS c ON c.deal_id = d.id AND c.move_no = d.move_no WHERE d.id = id('a');
SELECT results_eq($$SELECT move_no, (SELECT count(*) FROM stage_changes WHERE deal_id = id('a')) FROM deals WHERE id = id('a')$$,
    $$VALUES (7, 7::bigint)$$, 'each move is recorded once');

-- With dates.
SELECT deal('d') \g /dev/null
SELECT save(read('d') || jsonb_build_object('stage_id', id('Qualified'), 'stage_entered_at', '2024-02-01 10:00:00.5Z')) \g /dev/null
SELECT is(history('d'), '1: Lead > Qualified at 2024-02-01 10:00:00.5+00', 'a move with another stage_entered_at is dated by it');
SELECT save(read('d') || jsonb_build_object('status', 'won', 'won_at', '2024-02-02Z')) \g /dev/null
SELECT ok(won_at = '2024-02-02' AND stage_entered_at = '2024-02-02', 'one with won_at by that, whatever stage_entered_at was resent') FROM deals WHERE id = id('d');
SELECT save(read('d') || jsonb_build_object('won_at', '2024-02-01 12:00Z')) \g /dev/null
SELECT ok(won_at = '2024-02-01 12:00' AND stage_entered_at = won_at, 'won_at alone is corrected, and the move with it') FROM deals WHERE id = id('d');
SELECT save(read('d') || jsonb_build_object('created_at', '2023-01-31Z')) \g /dev/null
SELECT is(created_at, '2023-01-31', 'as is created_at') FROM deals WHERE id = id('d');

-- A form that sends a few fields, some as they were.
SELECT deal('e') \g /dev/null
SELECT patch('e', jsonb_build_object('title', 'E', 'stage_id', id('Lead'), 'probability', 0.1, 'status', 'open')) \g /dev/null
SELECT is(history('e'), 'none', 'fields as they were are no move');
SELECT patch('e', jsonb_build_object('title', 'E', 'stage_id', id('Qualified'), 'status', 'open', 'pipeline_id', id('Sales'), 'won_at', NULL, 'lost_at', NULL, 'lost_reason', NULL)) \g /dev/null
SELECT ok(place('e') = 'Sales / Qualified / open / 0.5000' AND entered('e') > now(), 'a move by a form');
SELECT deal('f') \g /dev/null
SELECT patch('f', jsonb_build_object('stage_id', id('Qualified'), 'stage_entered_at', read('f') -> 'stage_entered_at', 'updated_at', now())) \g /dev/null
SELECT ok(entered('f') > now(), 'stage_entered_at resent beside updated_at is a save: as of now');
SELECT deal('g') \g /dev/null
SELECT patch('g', jsonb_build_object('stage_id', id('Qualified'), 'stage_entered_at', read('g') -> 'stage_entered_at')) \g /dev/null
SELECT is(entered('g'), '2024-01-01 10:00:00.123456', 'stage_entered_at beside stage_id alone dates the move, though it is the old one');

-- What the client does not know: nulls in columns that the rules fill.
SELECT deal('h', 'Won') \g /dev/null
SELECT save(read('h') || '{"stage_entered_at": null, "won_at": null, "created_at": null, "updated_at": null, "version": null, "move_no": null, "tenant_id": null,
    "pipeline_id": null, "stage_id": null, "status": null, "probability": null, "currency": null, "value_period": null, "metadata": null, "title": "H"}') \g /dev/null
SELECT ok(title = 'H' AND won_at = '2024-01-01 10:00:00.123456' AND created_at = won_at AND version = 2 AND move_no = 0 AND currency = 'USD'
    AND metadata = '{}' AND place('h') = 'Sales / Won / won / 1.0000', 'nulls are not given') FROM deals WHERE id = id('h');
SELECT save(read('h') || jsonb_build_object('stage_id', id('Lead'), 'won_at', NULL, 'probability', NULL, 'status', NULL, 'pipeline_id', NULL)) \g /dev/null
SELECT is(place('h'), 'Sales / Lead / open / 0.1000', 'nor in a move');
INSERT INTO deals SELECT (jsonb_populate_record(NULL::deals, jsonb_build_object('id', id('i'), 'title', 'I'))).*;
SELECT is(place('i'), 'Sales / Lead / open / 0.1000', 'an INSERT that names all columns, null but for two');
SELECT ok(created_at > now() AND updated_at >= created_at AND version = 1 AND move_no = 0 AND metadata = '{}' AND value_period = 'one_time' AND tenant_id IS NOT NULL, '(filled)')
FROM deals WHERE id = id('i');

-- A client of its own mind sends what it would like the counters to be.
SELECT save(read('i') || '{"version": 99, "move_no": 98, "updated_at": "1999-01-01Z"}') \g /dev/null
SELECT ok(version = 2 AND move_no = 0 AND updated_at > now(), 'counters are kept') FROM deals WHERE id = id('i');

-- A stale row: read, then moved by somebody else, then saved.
SELECT deal('j', 'Lead', '2024-01-01 10:00:00.123456') \g /dev/null
CREATE TEMP TABLE stale AS SELECT read('j') AS saved;
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-03-01' WHERE id = id('j');
SELECT is(error_of($$SELECT save(saved || '{"title": "J"}') FROM stale$$),
    format(E'23514\ndeal %s cannot move as of 2024-01-01 10:00:00.123+00: it entered its present stage at 2024-03-01 00:00:00+00\n'
        'Give a time not earlier than that, or take the last move back with undo_move first.', id('j')), 'a stale row does not silently move the deal back');
SELECT is(place('j'), 'Sales / Qualified / open / 0.5000', '(nor otherwise)');
SELECT throws_ok($$SELECT save(saved || jsonb_build_object('stage_id', id('Qualified'))) FROM stale$$, '23514',
    format('stage_entered_at of deal %s changes only when the deal moves', id('j')), 'nor does one that wants what happened already');
SELECT throws_ok($$SELECT save(saved || jsonb_build_object('stage_id', id('Won'))) FROM stale$$, '23514', NULL, 'nor one that wants it to go on');
SELECT patch('j', (SELECT saved - '{stage_entered_at,id,tenant_id,version,move_no,created_at,updated_at}'::text[] || '{"title": "J"}' FROM stale)) \g /dev/null
SELECT is(place('j'), 'Sales / Lead / open / 0.1000', 'without stage_entered_at nothing tells that it is stale: the docs say to compare version');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('j') AND version = (SELECT (saved ->> 'version')::int FROM stale);
SELECT is(place('j'), 'Sales / Lead / open / 0.1000', 'which works');

-- Optimistic locking, as mappers do it: version in SET and WHERE.
SELECT deal('k') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), version = 2 WHERE id = id('k') AND version = 1;
UPDATE deals SET stage_id = id('Won'), version = 2 WHERE id = id('k') AND version = 1;
UPDATE deals SET stage_id = id('Paused'), version = version + 1 WHERE id = id('k') AND version = 2;
SELECT results_eq($$SELECT version, move_no, stage_id FROM deals WHERE id = id('k')$$, $$VALUES (3, 2, id('Paused'))$$, 'optimistic locking by version');

-- Saves of many rows: upserts with all columns.
SELECT deal('u' || i) FROM generate_series(1, 3) AS i \g /dev/null
UPDATE deals SET external_id = title WHERE title LIKE 'u_';
INSERT INTO deals (id, external_id, title, stage_id, pipeline_id, status, amount, currency, probability, stage_entered_at, created_at, version, move_no)
SELECT r.id, r.external_id, r.title || '!', CASE WHEN r.external_id = 'u2' THEN id('Won') ELSE r.stage_id END, r.pipeline_id,
    CASE WHEN r.external_id = 'u2' THEN 'won' ELSE r.status END, r.amount, r.currency, r.probability,
    date_trunc('milliseconds', r.stage_entered_at), date_trunc('milliseconds', r.created_at), r.version, r.move_no
FROM deals AS r WHERE title LIKE 'u_'
ON CONFLICT (id) DO UPDATE SET external_id = EXCLUDED.external_id, title = EXCLUDED.title, stage_id = EXCLUDED.stage_id, pipeline_id = EXCLUDED.pipeline_id,
    status = EXCLUDED.status, amount = EXCLUDED.amount, currency = EXCLUDED.currency, probability = EXCLUDED.probability,
    stage_entered_at = EXCLUDED.stage_entered_at, created_at = EXCLUDED.created_at, version = EXCLUDED.version, move_no = EXCLUDED.move_no;
SELECT results_eq($$SELECT title, status, move_no, version, stage_entered_at = '2024-01-01 10:00:00.123456', created_at FROM deals WHERE title LIKE 'u_!' ORDER BY title$$,
    $$VALUES ('u1!', 'open', 0, 3, true, '2024-01-01 10:00:00.123456'::timestamptz), ('u2!', 'won', 1, 3, false, '2024-01-01 10:00:00.123456'),
        ('u3!', 'open', 0, 3, true, '2024-01-01 10:00:00.123456')$$, 'an upsert of all columns moves what moved');
SELECT ok(changed_at > now(), 'as of now') FROM stage_changes WHERE deal_id = id('u2');

-- Stages and pipelines, saved whole.
SELECT lives_ok($$UPDATE stages SET id = id, tenant_id = tenant_id, pipeline_id = pipeline_id, name = 'Lead!', position = position, deal_status = deal_status,
    probability = probability, rotting_days = rotting_days, forecast_category = forecast_category, external_id = external_id, metadata = metadata, archived_at = archived_at,
    created_at = date_trunc('milliseconds', created_at), updated_at = updated_at WHERE id = id('Lead')$$, 'a stage in use, saved whole');
SELECT lives_ok($$UPDATE pipelines SET id = id, tenant_id = tenant_id, name = 'Sales!', description = description, is_default = is_default, currency = currency,
    external_id = external_id, metadata = metadata, archived_at = archived_at, created_at = created_at, updated_at = updated_at WHERE id = id('Sales')$$, 'the default pipeline, saved whole');
SELECT is(place('k'), 'Sales! / Paused / open / 0.5000', '(done)');

SELECT * FROM finish();
ROLLBACK;
