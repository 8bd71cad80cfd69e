-- The history: a row of stage_changes for every move, whoever writes.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(46);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, amount, external_id)
    VALUES (t.id(name), name, t.id(stage), '2024-01-01', 100, name)
$$;
-- The last row of a deal's history, as JSON without what is different each time.
CREATE FUNCTION t.change(deal text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT to_jsonb(c) - '{id,deal_id,recorded_at,correction_id}'::text[] FROM crm.stage_changes AS c
    WHERE deal_id = t.id(deal) ORDER BY move_no DESC LIMIT 1
$$;
-- Such a row: Lead to Qualified on 2024-02-01, but for what is given.
CREATE FUNCTION t.expected(VARIADIC differences text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('tenant_id', '00000000-0000-0000-0000-000000000000',
        'from_pipeline_id', t.id('Sales'), 'from_stage_id', t.id('Lead'), 'from_status', 'open', 'from_probability', 0.1000,
        'to_pipeline_id', t.id('Sales'), 'to_stage_id', t.id('Qualified'), 'to_status', 'open', 'probability', 0.5000,
        'amount', 100.0000, 'currency', 'USD', 'value_period', 'one_time', 'entered_at', '2024-01-01'::timestamptz, 'changed_at', '2024-02-01'::timestamptz,
        'move_no', 1, 'changed_by', session_user, 'recorded_by', session_user, 'reverts_id', NULL, 'reverts_no', NULL, 'closing', NULL)
        || coalesce(jsonb_object(nullif(differences, '{}')) , '{}')
$$;

-- Each column, for each kind of write.
CREATE TABLE t.writes (n int, kind text, statement text);
INSERT INTO t.writes VALUES
(1, 'UPDATE', $$UPDATE crm.deals SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = t.id('w1')$$),
(2, 'UPDATE FROM', $$UPDATE crm.deals AS d SET stage_id = s.id, stage_entered_at = '2024-02-01' FROM crm.stages AS s WHERE d.id = t.id('w2') AND s.name = 'Qualified'$$),
(3, 'INSERT ON CONFLICT DO UPDATE', $$INSERT INTO crm.deals (external_id, title, stage_id, stage_entered_at) VALUES ('w3', 'w3', t.id('Qualified'), '2024-02-01')
    ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = EXCLUDED.stage_id, stage_entered_at = EXCLUDED.stage_entered_at$$),
(4, 'MERGE', $$MERGE INTO crm.deals AS d USING (VALUES ('w4')) AS v (external_id) ON d.external_id = v.external_id
    WHEN MATCHED THEN UPDATE SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01'$$),
(5, 'a data-modifying CTE', $$WITH moved AS (UPDATE crm.deals SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = t.id('w5') RETURNING id) SELECT id FROM moved$$),
(6, 'a data-modifying CTE that nobody reads', $$WITH moved AS (UPDATE crm.deals SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = t.id('w6')) SELECT 1$$),
(7, 'a view', $$UPDATE t.deal_view SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = t.id('w7')$$),
(8, 'a function', $$SELECT t.move('w8')$$),
(9, 'a trigger on another table', $$INSERT INTO t.orders VALUES ('w9')$$),
(10, 'a prepared statement', $$EXECUTE moving('w10')$$),
(11, 'move_deal', $$SELECT crm.move_deal(t.id('w11'), t.id('Qualified'), '2024-02-01')$$),
(12, 'a cursor', NULL);
CREATE VIEW t.deal_view AS SELECT id, stage_id, stage_entered_at FROM crm.deals;
CREATE FUNCTION t.move(name text) RETURNS void LANGUAGE sql AS $$
    UPDATE crm.deals SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = t.id(name) $$;
CREATE TABLE t.orders (deal text);
CREATE FUNCTION t.ordered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM t.move(NEW.deal); RETURN NULL; END';
CREATE TRIGGER ordered AFTER INSERT ON t.orders FOR EACH ROW EXECUTE FUNCTION t.ordered();
PREPARE moving (text) AS UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id($1);
CREATE FUNCTION t.by_cursor(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c CURSOR FOR SELECT * FROM crm.deals WHERE title = name FOR UPDATE;
BEGIN
    OPEN c;
    MOVE c;
    UPDATE crm.deals SET stage_id = t.id('Qualified'), stage_entered_at = '2024-02-01' WHERE CURRENT OF c;
    CLOSE c;
END $$;
UPDATE t.writes SET statement = $$SELECT t.by_cursor('w12')$$ WHERE n = 12;
CREATE FUNCTION t.written(w t.writes) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM t.deal('w' || w.n);
    EXECUTE w.statement;
    RETURN t.change('w' || w.n);
END $$;
SELECT is(written(w), expected(), 'written by ' || kind) FROM writes AS w ORDER BY n;

-- Each column, for each kind of move.
SELECT deal('a') \g /dev/null
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-02-01', amount = 150, currency = 'CHF', title = 'A' WHERE id = id('a');
SELECT is(change('a'), expected() || jsonb_build_object('to_stage_id', id('Won'), 'to_status', 'won', 'probability', 1.0000, 'amount', 150.0000, 'currency', 'CHF'),
    'open to won; amount and currency as of the move');
UPDATE deals SET stage_id = id('Churned'), stage_entered_at = '2024-02-03 10:11:12.131415', lost_reason = 'refund' WHERE id = id('a');
SELECT is(change('a'), expected() || jsonb_build_object('from_stage_id', id('Won'), 'from_status', 'won', 'from_probability', 1.0000,
    'to_pipeline_id', id('Renewals'), 'to_stage_id', id('Churned'), 'to_status', 'lost', 'probability', 0.0000, 'amount', 150.0000, 'currency', 'CHF',
    'entered_at', '2024-02-01'::timestamptz, 'changed_at', '2024-02-03 10:11:12.131415'::timestamptz, 'move_no', 2,
    'closing', jsonb_build_object('won_at', '2024-02-01'::timestamptz)),
    'won to lost, in another pipeline; what was cleared');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-02-04', amount = NULL, currency = NULL WHERE id = id('a');
SELECT is(change('a'), expected() || jsonb_build_object('from_pipeline_id', id('Renewals'), 'from_stage_id', id('Churned'), 'from_status', 'lost', 'from_probability', 0.0000,
    'to_stage_id', id('Paused'), 'probability', NULL, 'amount', NULL, 'currency', NULL,
    'entered_at', '2024-02-03 10:11:12.131415'::timestamptz, 'changed_at', '2024-02-04'::timestamptz, 'move_no', 3,
    'closing', jsonb_build_object('lost_at', '2024-02-03 10:11:12.131415'::timestamptz, 'lost_reason', 'refund')),
    'lost to open; nulls');
UPDATE deals SET probability = 0.25 WHERE id = id('a');
UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '2024-02-04', probability = 0.3 WHERE id = id('a');
SELECT is(change('a'), expected() || jsonb_build_object('from_stage_id', id('Paused'), 'from_probability', 0.2500,
    'to_stage_id', id('Lead'), 'probability', 0.3000, 'amount', NULL, 'currency', NULL,
    'entered_at', '2024-02-04'::timestamptz, 'changed_at', '2024-02-04'::timestamptz, 'move_no', 4), 'open to open; probabilities before and after');
SELECT deal('b', 'Won') \g /dev/null
UPDATE deals SET stage_id = id('Renewed'), stage_entered_at = '2024-02-01' WHERE id = id('b');
SELECT is(change('b') -> 'closing', 'null', 'won to won: nothing was cleared');
UPDATE deals SET stage_id = id('Won'), won_at = '2024-02-02' WHERE id = id('b');
SELECT is(change('b') -> 'closing', jsonb_build_object('won_at', '2024-01-01'::timestamptz), 'won to won with another won_at: what was replaced');
SELECT deal('c', 'Lost') \g /dev/null
UPDATE deals SET lost_reason = E'"too" \\ dear\n\u20ac' WHERE id = id('c');
UPDATE deals SET stage_id = id('Churned'), stage_entered_at = '2024-02-01', lost_reason = 'late' WHERE id = id('c');
SELECT is(change('c') -> 'closing', jsonb_build_object('lost_reason', E'"too" \\ dear\n\u20ac'), 'lost to lost with another reason: what was replaced');

-- Times and names of who and when.
SELECT deal('d') \g /dev/null
SET LOCAL crm.actor = 'agent "7"';
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('d');
SELECT ok(changed_by = 'agent "7"' AND recorded_by = session_user AND recorded_at BETWEEN changed_at AND clock_timestamp() AND changed_at > now()
    AND substr(id::text, 15, 1) = '7', 'the declared actor, the session user, the clock, a time-ordered id')
FROM stage_changes WHERE deal_id = id('d') AND move_no = 1;
SET LOCAL crm.actor = '';
SET LOCAL request.jwt.claims = '{"sub": "user-1", "role": "web"}';
UPDATE deals SET stage_id = id('Paused') WHERE id = id('d');
SELECT is(changed_by, 'user-1', 'the subject of the claims') FROM stage_changes WHERE deal_id = id('d') AND move_no = 2;
SET LOCAL request.jwt.claims = '';
CREATE ROLE history_writer;
GRANT USAGE ON SCHEMA crm, t, extensions TO history_writer;
GRANT SELECT, UPDATE, INSERT ON deals TO history_writer;
GRANT SELECT ON stages, pipelines TO history_writer;
SET LOCAL ROLE history_writer;
UPDATE deals SET stage_id = id('Lead') WHERE id = id('d');
SELECT throws_ok('SELECT FROM crm.stage_changes', '42501', 'permission denied for table stage_changes', 'who moves deals needs no right on the history');
RESET ROLE;
SELECT ok(changed_by = session_user AND recorded_by = session_user, 'and is recorded as who is logged in, not whose rights were used')
FROM stage_changes WHERE deal_id = id('d') AND move_no = 3;

-- What is no move leaves no row.
SELECT deal('e') \g /dev/null
UPDATE deals SET amount = 1, title = 'E', probability = 0.9, stage_id = stage_id WHERE id = id('e');
UPDATE deals SET stage_id = id('Qualified') WHERE false;
DELETE FROM deals WHERE id = id('e');
SELECT is(history('e'), 'none', 'other updates and a DELETE leave no row');
SELECT deal('f') \g /dev/null
SELECT throws_ok($$UPDATE deals SET stage_id = id('Qualified'), value_period = 'weekly' WHERE id = id('f')$$, '23514', NULL, 'nor does a move that fails');
SELECT is(history('f'), 'none', '(nothing)');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('f');
DELETE FROM deals WHERE id = id('f');
SELECT is((SELECT count(*) FROM stage_changes WHERE deal_id = id('f')), 1::bigint, 'history outlives the deal');

-- A statement of many rows, some of which move: in order, each once.
SELECT deal('m' || i) FROM generate_series(1, 9) AS i \g /dev/null
UPDATE deals SET stage_id = CASE WHEN right(title, 1)::int % 2 = 0 THEN id('Won') ELSE stage_id END, description = 'seen' WHERE title LIKE 'm_';
SELECT set_eq($$SELECT c.deal_id, c.move_no FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.title LIKE 'm_'$$,
    $$VALUES (id('m2'), 1), (id('m4'), 1), (id('m6'), 1), (id('m8'), 1)$$, 'of many rows those that moved');

-- History is not rewritten.
SELECT is(error_of($$UPDATE stage_changes SET changed_at = now() WHERE deal_id = id('a')$$),
    E'42501\nrows of "stage_changes" are never updated\nA move that was wrong is taken back with undo_move, a wrong time corrected with correct_move, anything else by changing the deal again; each of them adds a row. To erase a person or a deal call crm_forget_actor() or crm_purge_deal().', 'UPDATE of the history');
SELECT throws_ok($$UPDATE stage_changes SET changed_at = now() WHERE false$$, '42501', 'rows of "stage_changes" are never updated', 'of no row at all');
SELECT throws_ok($$MERGE INTO stage_changes AS c USING (VALUES (id('a'))) AS v (id) ON c.deal_id = v.id WHEN MATCHED THEN UPDATE SET changed_by = 'x'$$,
    '42501', 'rows of "stage_changes" are never updated', 'by MERGE');
SELECT throws_ok($$INSERT INTO stage_changes SELECT * FROM stage_changes WHERE deal_id = id('a') ON CONFLICT (id) DO UPDATE SET changed_by = 'x'$$,
    '42501', 'rows of "stage_changes" are never updated', 'by ON CONFLICT DO UPDATE');
SELECT lives_ok($$DELETE FROM stage_changes WHERE deal_id = id('f')$$, 'DELETE is the owner''s');

-- The table of the history is the user's: columns, defaults, triggers of their own.
ALTER TABLE stage_changes ADD team text NOT NULL DEFAULT 'sales', ADD weighted numeric GENERATED ALWAYS AS (amount * probability) STORED, ADD note text;
CREATE FUNCTION t.annotate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.note := 'to ' || NEW.to_status;
    RETURN NEW;
END $$;
CREATE TRIGGER mine BEFORE INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION t.annotate();
CREATE TABLE t.seen AS SELECT * FROM stage_changes WITH NO DATA;
CREATE FUNCTION t.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t.seen SELECT * FROM fresh; RETURN NULL; END';
CREATE TRIGGER mine_too AFTER INSERT ON stage_changes REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION t.see();
SELECT deal('o1'), deal('o2'), deal('o3') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('o1');
UPDATE deals SET stage_id = id('Won') WHERE id IN (id('o2'), id('o3'));
SELECT set_eq($$SELECT deal_id, team, weighted, note FROM t.seen$$,
    $$VALUES (id('o1'), 'sales', 50::numeric, 'to open'), (id('o2'), 'sales', 100, 'to won'), (id('o3'), 'sales', 100, 'to won')$$,
    'a user''s columns, defaults and triggers on the history');
ALTER TABLE stage_changes ALTER team DROP DEFAULT;
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('o1')$$, '23502', NULL, 'a column of the user''s that nobody fills stops the move');
ALTER TABLE stage_changes DROP team, DROP weighted, DROP note;
DROP TRIGGER mine ON stage_changes;
DROP TRIGGER mine_too ON stage_changes;
SELECT lives_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('o1')$$, 'after dropping columns: goes on');

-- A trigger of the user's on the history that moves another deal.
CREATE FUNCTION t.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET stage_id = NEW.to_stage_id, stage_entered_at = NEW.changed_at
    WHERE title = (SELECT 'follows ' || title FROM crm.deals WHERE id = NEW.deal_id) AND stage_id <> NEW.to_stage_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mine AFTER INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION t.follow();
SELECT deal('p'), deal('follows p'), deal('follows follows p') \g /dev/null
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-02-02' WHERE id = id('p');
SELECT is(history('follows follows p'), '1: Lead > Won at 2024-02-02 00:00:00+00', 'a move that makes others move, three deep');
SELECT is((SELECT count(*) FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.title LIKE '%p'), 3::bigint, 'each recorded once');
DROP TRIGGER mine ON stage_changes;

-- A trigger of the user's on deals that moves the same deal on, after the first move.
CREATE FUNCTION t.onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET stage_id = t.id('Paused') WHERE id = NEW.id AND stage_id = t.id('Qualified');
    RETURN NULL;
END $$;
CREATE TRIGGER mine AFTER UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.onward();
SELECT deal('q1'), deal('q2') \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id IN (id('q1'), id('q2'));
SELECT results_eq($$SELECT c.move_no, c.from_stage_id, c.to_stage_id, c.entered_at <= c.changed_at FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id
        WHERE d.title LIKE 'q_' ORDER BY d.title, c.move_no$$,
    $$VALUES (1, id('Lead'), id('Qualified'), true), (2, id('Qualified'), id('Paused'), true),
        (1, id('Lead'), id('Qualified'), true), (2, id('Qualified'), id('Paused'), true)$$, 'both moves, in their order');
DROP TRIGGER mine ON deals;

-- A move that the rules have not seen is refused, not recorded wrongly.
CREATE FUNCTION t.too_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.title = 'late' THEN NEW.stage_id := t.id('Won'); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER zzz_mine BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.too_late();
SELECT deal('r') \g /dev/null
SELECT is(error_of($$UPDATE deals SET title = 'late' WHERE id = id('r')$$),
    format(E'39P01\ndeal %s was moved past the rules of the CRM\n'
        'Its stage changed, but not the number of its moves.\n'
        'The trigger with function "crm_deal_rules" must be enabled, and the last of the BEFORE triggers of table "deals": they run in the order of their names.', id('r')),
    'a trigger that moves after the rules');
DROP TRIGGER zzz_mine ON deals;
ALTER TABLE deals DISABLE TRIGGER zz_crm_deal_rules;
SELECT throws_ok($$UPDATE deals SET stage_id = id('Won') WHERE id = id('r')$$, '39P01', format('deal %s was moved past the rules of the CRM', id('r')), 'the rules switched off');
ALTER TABLE deals ENABLE TRIGGER zz_crm_deal_rules;

-- Columns of the user's on deals, dropped ones, ones with a fast default, other orders.
ALTER TABLE deals ADD gone int;
ALTER TABLE deals ADD score int NOT NULL DEFAULT 7, ADD region text DEFAULT 'north', ADD twice numeric GENERATED ALWAYS AS (amount * 2) STORED;
SELECT deal('s') \g /dev/null
ALTER TABLE deals DROP gone, DROP description;
ALTER TABLE deals ADD late_score int NOT NULL DEFAULT 8, ADD late_region text DEFAULT 'south';
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id('s');
SELECT is(change('s'), expected(), 'recorded, whatever columns were added and dropped');
SELECT results_eq($$SELECT score, region, twice, late_score, late_region FROM deals WHERE id = id('s')$$, $$VALUES (7, 'north', 200.0000, 8, 'south')$$, 'which keep their values');
ALTER TABLE deals ADD amount2 numeric(19,4);
UPDATE deals SET amount2 = amount;
ALTER TABLE deals DROP COLUMN amount CASCADE;
ALTER TABLE deals RENAME amount2 TO amount;
UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '2024-03-01' WHERE id = id('s');
SELECT is(change('s') -> 'amount', '100.0000', 'a column that was dropped and made anew is found where it is now');
ALTER TABLE deals DROP COLUMN amount CASCADE;
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('s')$$, '42703', 'table "deals" has no column "amount", which the CRM needs', 'one that is gone is named');
ALTER TABLE deals ADD amount double precision;
SELECT throws_ok($$UPDATE deals SET stage_id = id('Lead') WHERE id = id('s')$$, '42804',
    'column "amount" of table "deals" is of type double precision, but the CRM needs numeric', 'one of another type as well');

SELECT * FROM finish();
ROLLBACK;
