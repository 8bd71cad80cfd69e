-- deal_changes: a row for each deal that comes, goes, or changes apart from
-- its moves, whoever writes and whatever way.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(67);

-- The changes of a deal, in their order; what differs is old > new.
CREATE FUNCTION t.pair(name text, old anyelement, new anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN old IS DISTINCT FROM new
        THEN format(' %s %s>%s', name, coalesce(old::text, '-'), coalesce(new::text, '-')) ELSE '' END
$$;
CREATE FUNCTION t.changes(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(concat(c.version, ' ', c.change, ' in ', s.name, ' (', c.status, ', ', c.move_no, ')',
            CASE WHEN c.change NOT IN ('created', 'restored', 'recreated', 'deleted') THEN concat(
                t.pair('amount', c.old_amount, c.new_amount), t.pair('currency', c.old_currency, c.new_currency),
                t.pair('probability', c.old_probability, c.new_probability),
                t.pair('period', c.old_value_period, c.new_value_period),
                t.pair('close', c.old_expected_close_date, c.new_expected_close_date),
                t.pair('owner', left(c.old_owner_id::text, 4), left(c.new_owner_id::text, 4)),
                t.pair('archived', c.old_archived_at IS NOT NULL, c.new_archived_at IS NOT NULL)) END,
            CASE WHEN c.changed_at < '2025-01-01' THEN ' at ' || c.changed_at::date END),
        E'\n' ORDER BY c.changed_at, c.version), 'none')
    FROM crm.deal_changes AS c LEFT JOIN crm.stages AS s ON s.id = c.stage_id
    -- what other columns do is looked at below
    WHERE c.deal_id = t.id(deal) AND c.change <> 'edited'
$$;
CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, external_id, title, stage_id, amount, created_at)
    VALUES (t.id(name), name, name, t.id(stage), 100, '2024-01-01')
$$;
CREATE FUNCTION t.last_change(deal text) RETURNS crm.deal_changes LANGUAGE sql STABLE AS $$
    SELECT c FROM crm.deal_changes AS c WHERE c.deal_id = t.id(deal) AND c.change <> 'edited' ORDER BY c.changed_at DESC, c.version DESC LIMIT 1
$$;

-- Created: all columns.
INSERT INTO deals (id, title, stage_id, amount, probability, value_period, expected_close_date, owner_id, stage_entered_at)
VALUES (id('a'), 'a', id('Qualified'), 100, 0.3, 'monthly', '2024-06-30', id('ann'), '2024-01-01');
SELECT is(to_jsonb(last_change('a')) - '{id,recorded_at,with_move,other,reason,superseded,correction_id}'::text[], jsonb_build_object(
    'tenant_id', '00000000-0000-0000-0000-000000000000', 'deal_id', id('a'), 'pipeline_id', id('Sales'), 'stage_id', id('Qualified'),
    'stage_entered_at', '2024-01-01'::timestamptz, 'changed_at', '2024-01-01'::timestamptz, 'move_no', 0, 'version', 1,
    'change', 'created', 'status', 'open', 'old_amount', NULL, 'new_amount', 100.0000, 'old_currency', NULL, 'new_currency', 'USD',
    'old_probability', NULL, 'new_probability', 0.3000, 'old_value_period', NULL, 'new_value_period', 'monthly',
    'old_expected_close_date', NULL, 'new_expected_close_date', '2024-06-30', 'old_owner_id', NULL, 'new_owner_id', id('ann'),
    'old_archived_at', NULL, 'new_archived_at', NULL, 'changed_by', session_user, 'recorded_by', session_user), 'created');
SELECT ok(c.recorded_at BETWEEN now() AND clock_timestamp() AND substr(c.id::text, 15, 1) = '7', 'the clock, a time-ordered id')
FROM last_change('a') AS c;

-- Each watched column, by itself.
SELECT deal('b') \g /dev/null
UPDATE deals SET amount = 200 WHERE id = id('b');
UPDATE deals SET currency = 'CHF' WHERE id = id('b');
UPDATE deals SET probability = 0.2 WHERE id = id('b');
UPDATE deals SET value_period = 'annual' WHERE id = id('b');
UPDATE deals SET expected_close_date = '2024-07-01' WHERE id = id('b');
UPDATE deals SET owner_id = id('ann') WHERE id = id('b');
UPDATE deals SET archived_at = now() WHERE id = id('b');
UPDATE deals SET archived_at = NULL WHERE id = id('b');
UPDATE deals SET amount = NULL, currency = NULL, probability = NULL, value_period = 'one_time', expected_close_date = NULL, owner_id = NULL WHERE id = id('b');
DELETE FROM deals WHERE id = id('b');
SELECT is(changes('b'), E'1 created in Lead (open, 0) at 2024-01-01
2 updated in Lead (open, 0) amount 100.0000>200.0000
3 updated in Lead (open, 0) currency USD>CHF
4 updated in Lead (open, 0) probability 0.1000>0.2000
5 updated in Lead (open, 0) period one_time>annual
6 updated in Lead (open, 0) close ->2024-07-01
7 updated in Lead (open, 0) owner ->' || left(id('ann')::text, 4) || '
8 archived in Lead (open, 0) archived false>true
9 unarchived in Lead (open, 0) archived true>false
10 updated in Lead (open, 0) amount 200.0000>- currency CHF>- period annual>one_time close 2024-07-01>- owner ' || left(id('ann')::text, 4) || '>-
11 deleted in Lead (open, 0)', 'each kind of change, several in a transaction');
SELECT is_empty($$SELECT FROM deal_changes AS c JOIN deal_changes AS n ON n.deal_id = c.deal_id AND n.version = c.version + 1
    WHERE c.deal_id = id('b') AND (c.new_amount, c.new_currency, c.new_probability, c.new_value_period, c.new_expected_close_date, c.new_owner_id, c.new_archived_at)
        IS DISTINCT FROM (n.old_amount, n.old_currency, n.old_probability, n.old_value_period, n.old_expected_close_date, n.old_owner_id, n.old_archived_at)$$,
    'each row begins where the one before ended');
SELECT ok(c.new_amount IS NULL AND c.new_value_period IS NULL AND c.old_value_period = 'one_time', 'a deleted deal is nothing after that')
FROM last_change('b') AS c;

-- What is not watched, and what does not change.
SELECT deal('c') \g /dev/null
UPDATE deals SET title = 'C', description = 'x', rank = 'a', metadata = '{"a": 1}', organization_id = id('org') WHERE id = id('c');
UPDATE deals SET amount = 100.0, currency = currency, probability = 0.10, value_period = 'one_time' WHERE id = id('c');
UPDATE deals SET amount = NULL WHERE false;
SELECT is(changes('c'), '1 created in Lead (open, 0) at 2024-01-01', 'other columns, and the same values, change no value');
SELECT is((SELECT c.other FROM deal_changes AS c WHERE c.deal_id = id('c') AND c.change = 'edited'),
    jsonb_build_object('title', '{"old": "c", "new": "C"}'::jsonb, 'organization_id', jsonb_build_object('old', NULL, 'new', id('org'))), 'title and organization are recorded');
-- A column of the user's, once it is marked.
ALTER TABLE deals ADD region text, ADD area numeric GENERATED ALWAYS AS (amount / 2) STORED;
UPDATE deals SET region = 'north' WHERE id = id('c');
SELECT ok(extensions.crm_track_column('crm', 'region'), 'marked');
SELECT ok(NOT extensions.crm_track_column('crm', 'region'), 'already');
UPDATE deals SET region = 'south' WHERE id = id('c');
SELECT is((SELECT c.other FROM deal_changes AS c WHERE c.deal_id = id('c') ORDER BY c.version DESC LIMIT 1), '{"region": {"old": "north", "new": "south"}}', 'and recorded');
SELECT is_empty($$SELECT * FROM extensions.crm_check('crm')$$, 'the CRM is as it should be');
SELECT alike(error_of($$SELECT extensions.crm_track_column('crm', 'nothing')$$), '42703%', 'no such column');
SELECT alike(error_of($$SELECT extensions.crm_track_column('crm', 'area')$$), '22023%generated%', 'a generated one');
SELECT alike(error_of($$SELECT extensions.crm_track_column('crm', 'amount')$$), '22023%', 'one that is recorded anyway');
SELECT ok(extensions.crm_untrack_column('crm', 'region') AND NOT extensions.crm_untrack_column('crm', 'region'), 'no longer');
UPDATE deals SET region = 'west' WHERE id = id('c');
SELECT is((SELECT count(*) FROM deal_changes WHERE deal_id = id('c') AND change = 'edited'), 2::bigint, 'so it is not recorded');
ALTER TABLE deals DROP region, DROP area;
UPDATE deals SET archived_at = '2024-02-01' WHERE id = id('c');
UPDATE deals SET archived_at = '2024-03-01' WHERE id = id('c');
SELECT is(changes('c'), E'1 created in Lead (open, 0) at 2024-01-01\n7 archived in Lead (open, 0) archived false>true at 2024-02-01',
    'archived as of archived_at; another archived_at leaves no row');

-- Moves.
SELECT deal('d') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id('d');
SELECT is(changes('d'), '1 created in Lead (open, 0) at 2024-01-01', 'a move with its probability is no change');
UPDATE deals SET stage_id = id('Paused'), probability = 0.33, stage_entered_at = '2024-02-02' WHERE id = id('d');
SELECT is(changes('d'), '1 created in Lead (open, 0) at 2024-01-01', 'nor is one with a probability of its own');
UPDATE deals SET stage_id = id('Qualified'), amount = 150, stage_entered_at = '2024-02-03' WHERE id = id('d');
SELECT is(changes('d'), E'1 created in Lead (open, 0) at 2024-01-01
4 updated in Paused (open, 2) amount 100.0000>150.0000 probability 0.3300>0.5000 at 2024-02-03', 'moved and edited: as of the move, in the stage it left');
SELECT results_eq($$SELECT c.stage_id, c.stage_entered_at, c.changed_at FROM last_change('d') AS c$$,
    $$SELECT from_stage_id, entered_at, changed_at FROM stage_changes WHERE deal_id = id('d') AND move_no = 3$$, 'which agrees with the move');
UPDATE deals SET probability = 0.6 WHERE id = id('d');
SELECT is((SELECT (c.move_no, c.old_probability, c.new_probability)::text FROM last_change('d') AS c), '(3,0.5000,0.6000)', 'probability without a move');
UPDATE deals SET stage_id = id('Won'), won_at = clock_timestamp(), archived_at = clock_timestamp() WHERE id = id('d');
SELECT is((SELECT (c.change, c.status, c.old_probability, c.new_probability, c.changed_at = d.won_at)::text FROM last_change('d') AS c JOIN deals AS d ON d.id = c.deal_id),
    '(archived,open,0.6000,1.0000,t)', 'won and archived in one statement');
UPDATE deals SET archived_at = NULL, amount = 151 WHERE id = id('d');
SELECT is((SELECT (c.change, c.status, c.old_amount, c.new_amount)::text FROM last_change('d') AS c),
    '(unarchived,won,150.0000,151.0000)', 'unarchived and edited: one row');

-- Moves that are taken back.
SELECT deal('e') \g /dev/null
UPDATE deals SET stage_id = id('Won') WHERE id = id('e');
UPDATE deals SET amount = 120 WHERE id = id('e');
SELECT undo_move(id('e')) \g /dev/null
UPDATE deals SET amount = 130 WHERE id = id('e');
SELECT is(changes('e'), E'1 created in Lead (open, 0) at 2024-01-01
3 updated in Won (won, 1) amount 100.0000>120.0000
5 updated in Lead (open, 2) amount 120.0000>130.0000', 'undo_move is a move: no row; the amount stays');

-- As of when.
SELECT deal('f') \g /dev/null
SET LOCAL crm.effective_at = '2024-02-01';
UPDATE deals SET amount = 101 WHERE id = id('f');
SET LOCAL crm.effective_at = '2024-01-15';
UPDATE deals SET amount = 102 WHERE id = id('f');
SET LOCAL crm.effective_at = '2023-01-01';
UPDATE deals SET amount = 103 WHERE id = id('f');
SET LOCAL crm.effective_at = '2999-01-01';
UPDATE deals SET amount = 104 WHERE id = id('f');
SET LOCAL crm.effective_at = '';
UPDATE deals SET amount = 105 WHERE id = id('f');
SELECT results_eq($$SELECT version, new_amount, CASE WHEN changed_at < '2025-01-01' THEN changed_at ELSE 'infinity' END FROM deal_changes
        WHERE deal_id = id('f') ORDER BY changed_at, version$$,
    $$VALUES (1, 100.0000, '2024-01-01'::timestamptz), (2, 101, '2024-02-01'), (3, 102, '2024-02-01'), (4, 103, '2024-02-01'),
        (5, 104, 'infinity'), (6, 105, 'infinity')$$, 'crm.effective_at, never before an earlier change, never in the future');
SELECT deal('g') \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id('g');
SET LOCAL crm.effective_at = '2024-01-15';
UPDATE deals SET amount = 101 WHERE id = id('g');
SET LOCAL crm.effective_at = '';
SELECT is(changes('g'), E'1 created in Lead (open, 0) at 2024-01-01\n3 updated in Qualified (open, 1) amount 100.0000>101.0000 at 2024-02-01',
    'nor before the deal entered its stage');
UPDATE deals SET archived_at = '2999-01-01' WHERE id = id('g');
SELECT ok(c.change = 'archived' AND c.changed_at BETWEEN now() AND clock_timestamp(), 'an archived_at in the future: archived now')
FROM last_change('g') AS c;
SELECT is_empty($$SELECT FROM (SELECT changed_at, lag(changed_at) OVER (PARTITION BY deal_id ORDER BY version) AS previous FROM deal_changes WHERE change <> 'edited') AS c
    WHERE changed_at < previous$$, 'changed_at and version go together');

-- Deals that come back.
SELECT deal('h') \g /dev/null
UPDATE deals SET amount = 110 WHERE id = id('h');
CREATE TEMP TABLE kept AS SELECT * FROM deals WHERE id = id('h');
DELETE FROM deals WHERE id = id('h');
INSERT INTO deals SELECT * FROM kept;
UPDATE deals SET amount = 120 WHERE id = id('h');
DELETE FROM deals WHERE id = id('h');
SELECT is(changes('h'), E'1 created in Lead (open, 0) at 2024-01-01
2 updated in Lead (open, 0) amount 100.0000>110.0000
3 deleted in Lead (open, 0)
4 restored in Lead (open, 0)
5 updated in Lead (open, 0) amount 110.0000>120.0000
6 deleted in Lead (open, 0)', 'put back under its id: restored');
SELECT ok(c.old_amount IS NULL AND c.new_amount = 110 AND c.changed_at > now(), 'as of now, with all it is')
FROM deal_changes AS c WHERE c.deal_id = id('h') AND c.change = 'restored';
-- The rows of a dump, which is restored: its history comes before the deal.
SELECT deal('i') \g /dev/null
UPDATE deals SET amount = 110 WHERE id = id('i');
CREATE TEMP TABLE kept_deal AS SELECT * FROM deals WHERE id = id('i');
CREATE TEMP TABLE kept_changes AS SELECT * FROM deal_changes WHERE deal_id = id('i');
DELETE FROM deals WHERE id = id('i');
DELETE FROM deal_changes WHERE deal_id = id('i');
SET LOCAL crm.restoring = on;
INSERT INTO deal_changes SELECT * FROM kept_changes;
INSERT INTO deals SELECT * FROM kept_deal;
SET LOCAL crm.restoring = off;
SELECT set_eq($$SELECT * FROM deal_changes WHERE deal_id = id('i')$$, 'TABLE kept_changes', 'a deal whose history is there already gets no row');
-- No other row is taken for a dump's, whatever times it comes with.
INSERT INTO deals (id, title, created_at, stage_entered_at, updated_at) VALUES
    (id('i1'), 'i1', '2024-01-01', '2024-01-01', '2024-01-01'), (id('i2'), 'i2', '2024-01-01', '2024-01-02', '2024-01-03');
INSERT INTO deals (id, title, created_at, updated_at) VALUES (id('i3'), 'i3', '2024-01-01', '2024-01-01'), (id('i4'), 'i4', now(), clock_timestamp());
INSERT INTO deals (id, title, stage_entered_at, updated_at) VALUES (id('i5'), 'i5', '2024-01-01', '2024-01-01');
INSERT INTO deals (id, title, stage_entered_at, created_at) VALUES (id('i6'), 'i6', '2024-01-02', '2024-01-01');
INSERT INTO deals (id, title, updated_at) VALUES (id('i7'), 'i7', now() + interval '1 day');
SELECT set_eq($$SELECT d.title, c.change FROM deals AS d JOIN deal_changes AS c ON c.deal_id = d.id WHERE d.title ~ '^i\d'$$,
    $$VALUES ('i1', 'created'), ('i2', 'created'), ('i3', 'created'), ('i4', 'created'), ('i5', 'created'), ('i6', 'created'), ('i7', 'created')$$, 'with times of its own: created');
-- An archived one.
INSERT INTO deals (id, title, amount, created_at, archived_at) VALUES (id('j'), 'j', 100, '2024-01-01', '2024-02-01');
SELECT is((SELECT (c.change, c.new_archived_at)::text FROM last_change('j') AS c), '(created,"2024-02-01 00:00:00+00")', 'created as archived');

-- Ways to write.
INSERT INTO deals (external_id, title, amount) VALUES ('a', 'x', 500), ('k', 'k', 500)
    ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = EXCLUDED.amount;
INSERT INTO deals (external_id, title, amount) VALUES ('k', 'k', 501), ('k2', 'k2', 501)
    ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = EXCLUDED.amount;
SELECT set_eq($$SELECT d.external_id, c.change, c.new_amount FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id LIKE 'k%'$$,
    $$VALUES ('k', 'created', 500.0), ('k', 'updated', 501.0), ('k2', 'created', 501.0)$$, 'INSERT ON CONFLICT');
INSERT INTO deals (external_id, title) VALUES ('k', 'k') ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id = 'k'), 2::bigint, 'what is not stored leaves no row');
SELECT deal('m1'), deal('m2'), deal('m3') \g /dev/null
MERGE INTO deals AS d USING (VALUES ('m1', 1), ('m2', 2), ('m3', 3), ('m4', 4)) AS v (name, n) ON d.external_id = v.name
    WHEN MATCHED AND n = 1 THEN DELETE
    WHEN MATCHED AND n = 2 THEN UPDATE SET amount = 222
    WHEN MATCHED THEN UPDATE SET stage_id = id('Won'), owner_id = id('ann')
    WHEN NOT MATCHED THEN INSERT (id, external_id, title) VALUES (id(v.name), v.name, v.name);
SELECT results_eq($$SELECT n, (c).change, (c).version, (c).new_amount, (c).new_probability FROM (SELECT n, last_change('m' || n) AS c FROM generate_series(1, 4) AS n) AS c$$,
    $$VALUES (1, 'deleted', 2, NULL, NULL), (2, 'updated', 2, 222.0, 0.1), (3, 'updated', 2, 100.0, 1.0), (4, 'created', 1, NULL, 0.1)$$, 'MERGE');
WITH d AS (DELETE FROM deals WHERE id = id('m2') RETURNING *), u AS (UPDATE deals SET amount = 333 WHERE id = id('m3'))
    INSERT INTO deals (id, title, amount) SELECT id('m5'), 'm5', amount FROM d;
SELECT is(array[(last_change('m2')).change, (last_change('m3')).new_amount::text, (last_change('m5')).change], '{deleted,333.0000,created}', 'data-modifying CTEs');
-- A trigger of the user's that edits on: inner changes are recorded first, and come later.
CREATE FUNCTION t.onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET amount = amount + 1 WHERE id = NEW.id AND amount < 1003;
    RETURN NULL;
END $$;
CREATE TRIGGER mine AFTER UPDATE ON deals FOR EACH ROW WHEN (NEW.amount > 999) EXECUTE FUNCTION t.onward();
SELECT deal('n') \g /dev/null
UPDATE deals SET amount = 1001 WHERE id = id('n');
SELECT is(changes('n'), E'1 created in Lead (open, 0) at 2024-01-01
2 updated in Lead (open, 0) amount 100.0000>1001.0000
3 updated in Lead (open, 0) amount 1001.0000>1002.0000
4 updated in Lead (open, 0) amount 1002.0000>1003.0000', 'a trigger that edits on');
DROP TRIGGER mine ON deals;
-- What a statement of many rows changes, in batches.
INSERT INTO deals (id, external_id, title, amount, stage_id) SELECT id('bulk' || i), 'bulk' || i, 'bulk', i, id('Lead') FROM generate_series(1, 10000) AS i;
UPDATE deals SET amount = CASE WHEN external_id ~ '[05]$' THEN amount + 1 ELSE amount END, title = 'Bulk' WHERE title = 'bulk';
DELETE FROM deals WHERE title = 'Bulk' AND external_id ~ '00$';
SELECT results_eq($$SELECT c.change, count(*), count(DISTINCT c.deal_id), sum(coalesce(c.new_amount, 0) - coalesce(c.old_amount, 0)) FROM deal_changes AS c
        JOIN (SELECT id('bulk' || i) FROM generate_series(1, 10000) AS i) AS b ON b.id = c.deal_id WHERE c.change <> 'edited' GROUP BY 1 ORDER BY 1$$,
    $$VALUES ('created', 10000::bigint, 10000::bigint, 50005000.0), ('deleted', 100, 100, -505100.0), ('updated', 2000, 2000, 2000.0)$$, 'in bulk, each once');
SELECT is((SELECT sum(amount) FROM deals WHERE title = 'Bulk'), (SELECT sum(coalesce(new_amount, 0) - coalesce(old_amount, 0)) FROM deal_changes
    WHERE deal_id IN (SELECT id('bulk' || i) FROM generate_series(1, 10000) AS i)), 'what was added and taken away is what there is');
-- delete_stage moves deals: no change of theirs.
SELECT create_pipeline('Gone', '[{"name": "One", "probability": 0.1}, {"name": "Two", "probability": 0.2}]') \g /dev/null
INSERT INTO deals (id, title, amount, stage_id) SELECT id('o'), 'o', 100, s.id FROM stages AS s WHERE s.name = 'One';
SELECT delete_stage((SELECT s.id FROM stages AS s WHERE s.name = 'One'), (SELECT s.id FROM stages AS s WHERE s.name = 'Two')) \g /dev/null
SELECT is(changes('o'), '1 created in One (open, 0)', 'delete_stage moves, no more');
UPDATE stages SET probability = 0.9 WHERE name = 'Two';
SELECT apply_stage_probability(s.id) FROM stages AS s WHERE s.name = 'Two' \g /dev/null
SELECT is((SELECT (c.change, c.old_probability, c.new_probability)::text FROM last_change('o') AS c), '(updated,0.2000,0.9000)', 'apply_stage_probability is a change');

-- A statement or a savepoint that fails leaves nothing.
SELECT deal('p') \g /dev/null
SELECT throws_ok($$UPDATE deals SET amount = 1, value_period = 'weekly' WHERE id = id('p')$$, '23514', NULL, 'a change that fails');
SAVEPOINT before;
UPDATE deals SET amount = 2 WHERE id = id('p');
ROLLBACK TO before;
SELECT is(changes('p'), '1 created in Lead (open, 0) at 2024-01-01', 'leaves no row');

-- Who.
SET LOCAL crm.actor = 'agent 7';
UPDATE deals SET amount = 3 WHERE id = id('p');
SET LOCAL crm.actor = '';
SELECT is((SELECT (c.changed_by, c.recorded_by)::text FROM last_change('p') AS c), format('("agent 7",%s)', session_user), 'the actor');
CREATE ROLE change_writer;
GRANT USAGE ON SCHEMA crm, t, extensions TO change_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON deals TO change_writer;
GRANT SELECT ON stages, pipelines TO change_writer;
SET LOCAL ROLE change_writer;
UPDATE deals SET amount = 4 WHERE id = id('p');
INSERT INTO deals (id, title, stage_id) VALUES (id('q'), 'q', id('Lead'));
SELECT throws_ok('SELECT FROM crm.deal_changes', '42501', 'permission denied for table deal_changes', 'who writes deals needs no right on their history');
DELETE FROM deals WHERE id = id('q');
RESET ROLE;
SELECT is(changes('q'), E'1 created in Lead (open, 0)\n2 deleted in Lead (open, 0)', 'and is recorded');
SELECT is((SELECT (c.new_amount, c.recorded_by)::text FROM last_change('p') AS c), format('(4.0000,%s)', session_user), 'as who is logged in');

-- Not rewritten; the owner's to delete.
SELECT throws_ok($$UPDATE deal_changes SET changed_at = now() WHERE false$$, '42501', 'rows of "deal_changes" are never updated', 'UPDATE');
SELECT throws_ok($$INSERT INTO deal_changes SELECT * FROM deal_changes LIMIT 1 ON CONFLICT (id) DO UPDATE SET changed_by = 'x'$$,
    '42501', 'rows of "deal_changes" are never updated', 'ON CONFLICT DO UPDATE');
SELECT lives_ok($$DELETE FROM deal_changes WHERE deal_id = id('q')$$, 'DELETE is the owner''s');

-- The table is the user's.
ALTER TABLE deal_changes ADD team text NOT NULL DEFAULT 'sales', ADD delta numeric GENERATED ALWAYS AS (new_amount - old_amount) STORED;
UPDATE deals SET amount = 14 WHERE id = id('p');
SELECT is((SELECT (c.team, c.delta)::text FROM last_change('p') AS c), '(sales,10.0000)', 'a user''s columns');
ALTER TABLE deal_changes ALTER team DROP DEFAULT;
SELECT throws_ok($$UPDATE deals SET amount = 15 WHERE id = id('p')$$, '23502', NULL, 'a column that nobody fills stops the change');
SELECT lives_ok($$UPDATE deals SET description = 'P', stage_id = id('Qualified') WHERE id = id('p')$$, 'and nothing else');
ALTER TABLE deal_changes DROP team;
CREATE RULE no AS ON INSERT TO deal_changes DO INSTEAD NOTHING;
SELECT is(error_of($$UPDATE deals SET amount = 15 WHERE id = id('p')$$),
    E'39P01\na rule of table "deal_changes" replaces the extension\'s INSERT\nDrop the rule.', 'a rule');
DROP RULE no ON deal_changes;
ALTER TABLE deal_changes RENAME changed_at TO at;
SELECT throws_ok($$UPDATE deals SET amount = 15 WHERE id = id('p')$$, '42703', NULL, 'a column that is gone');
ALTER TABLE deal_changes RENAME at TO changed_at;
ALTER TABLE deal_changes RENAME TO elsewhere;
SELECT throws_ok($$UPDATE deals SET amount = 15 WHERE id = id('p')$$, '42P01', NULL, 'a table that is gone');
CREATE VIEW deal_changes AS SELECT * FROM elsewhere;
SELECT lives_ok($$UPDATE deals SET amount = 15 WHERE id = id('p')$$, 'a view in its place takes the row');
DROP VIEW deal_changes;
CREATE TABLE deal_changes (LIKE elsewhere INCLUDING DEFAULTS) PARTITION BY RANGE (changed_at);
CREATE TABLE deal_changes_all PARTITION OF deal_changes DEFAULT;
INSERT INTO deals (id, title) VALUES (id('r'), 'r'), (id('s'), 's');
UPDATE deals SET amount = 16 WHERE id IN (id('r'), id('s'));
SELECT is((SELECT count(*) FROM deal_changes_all), 4::bigint, 'partitions');
DROP TABLE deal_changes;
ALTER TABLE elsewhere RENAME TO deal_changes;
CREATE ROLE change_thief;
ALTER TABLE deal_changes OWNER TO change_thief;
SELECT throws_like($$UPDATE deals SET amount = 17 WHERE id = id('p')$$, '%have different owners', 'nothing is written to another''s table');
SELECT throws_like($$INSERT INTO deals (id, title) VALUES (id('t'), 't')$$, '%have different owners', 'nor read there');
ALTER TABLE deal_changes OWNER TO CURRENT_USER;

-- TRUNCATE.
CREATE TEMP TABLE before_truncate AS SELECT id, version, amount FROM deals;
SELECT throws_ok('TRUNCATE deals', '0A000', NULL, 'TRUNCATE of deals alone');
TRUNCATE deals CASCADE;
SELECT set_eq($$SELECT c.deal_id, c.version - 1, c.old_amount FROM deal_changes AS c JOIN before_truncate AS b ON b.id = c.deal_id
        WHERE c.change = 'deleted' AND c.changed_at > now() AND c.version = b.version + 1$$,
    'SELECT * FROM before_truncate', 'TRUNCATE deletes each');
INSERT INTO deals (id, title) VALUES (id('p'), 'again');
SELECT is((last_change('p')).change, 'recreated', 'and one may come back');
TRUNCATE deals, deal_changes CASCADE;
SELECT is_empty($$SELECT FROM deal_changes WHERE change <> 'erased'$$, 'TRUNCATE of both empties both, but for what says so');
SELECT format('CREATE TRIGGER odd AFTER TRUNCATE ON deals FOR EACH STATEMENT EXECUTE FUNCTION extensions.crm_deal_truncate(%L)', extensions.crm_version()) \gexec
SELECT throws_ok('TRUNCATE deals CASCADE', '39P01', 'trigger function "crm_deal_truncate" must be fired BEFORE FOR EACH STATEMENT', 'at the right time');

SELECT * FROM finish();
ROLLBACK;
