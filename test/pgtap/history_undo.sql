-- Taking the last move of a deal back.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(43);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead', entered timestamptz DEFAULT '2024-01-01') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at, amount) VALUES (t.id(name), name, t.id(stage), entered, 100)
$$;
CREATE FUNCTION t.move(name text, stage text, at timestamptz, reason text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    UPDATE crm.deals SET stage_id = t.id(stage), stage_entered_at = at, lost_reason = reason WHERE id = t.id(name)
$$;
-- Everything of a deal that a move changes, but the counters.
CREATE FUNCTION t.state(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' | ', t.place(deal), 'entered ' || stage_entered_at, 'won ' || won_at, 'lost ' || lost_at, lost_reason)
    FROM crm.deals WHERE id = t.id(deal)
$$;

-- Each kind of move, there and back.
CREATE TABLE t.there_and_back (n int, from_stage text, to_stage text, from_reason text, to_reason text);
INSERT INTO t.there_and_back VALUES
    (1, 'Lead', 'Qualified', NULL, NULL), (2, 'Lead', 'Paused', NULL, NULL), (3, 'Paused', 'Lead', NULL, NULL),
    (4, 'Lead', 'Due', NULL, NULL), (5, 'Lead', 'Won', NULL, NULL), (6, 'Won', 'Lead', NULL, NULL),
    (7, 'Lead', 'Lost', NULL, 'dear'), (8, 'Lost', 'Lead', 'dear', NULL), (9, 'Lost', 'Won', 'dear', NULL),
    (10, 'Won', 'Lost', NULL, 'refund'), (11, 'Won', 'Renewed', NULL, NULL), (12, 'Lost', 'Churned', 'dear', 'dear'),
    (13, 'Lost', 'Churned', 'dear', 'late'), (14, 'Lost', 'Churned', 'dear', NULL), (15, 'Lost', 'Churned', NULL, 'late'),
    (16, 'Lost', 'Churned', NULL, NULL);
CREATE FUNCTION t.go_there_and_back(r t.there_and_back) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    deal text := 'r' || r.n;
    before text;
    stayed text;
BEGIN
    PERFORM t.deal(deal, r.from_stage);
    UPDATE crm.deals SET created_at = '2023-12-01' WHERE id = t.id(deal);
    UPDATE crm.deals SET lost_reason = r.from_reason, lost_at = lost_at - interval '1 day', won_at = won_at - interval '1 day'
    WHERE id = t.id(deal);
    before := t.state(deal);
    PERFORM t.move(deal, r.to_stage, '2024-02-01', r.to_reason);
    stayed := t.state(deal);
    PERFORM extensions.crm_undo_move('crm', t.id(deal));
    IF before = stayed THEN RETURN 'it did not move'; END IF;
    RETURN CASE WHEN before = t.state(deal) THEN 'as it was' ELSE before || ' became ' || t.state(deal) END;
END $$;
SELECT is(go_there_and_back(r), 'as it was',
    format('%s %s, to %s %s and back', from_stage, from_reason, to_stage, to_reason))
FROM there_and_back AS r ORDER BY n;

-- The row that this writes.
SELECT deal('a', 'Lost') \g /dev/null
UPDATE deals SET lost_reason = 'dear' WHERE id = id('a');
SELECT move('a', 'Won', '2024-02-01') \g /dev/null
SELECT extensions.crm_undo_move('crm', id('a')) \g /dev/null
SELECT results_eq($$SELECT move_no, from_stage_id, from_status, to_stage_id, to_status, entered_at, from_probability, probability,
        closing ->> 'won_at', closing ->> 'lost_at', reverts_id IS NULL FROM stage_changes WHERE deal_id = id('a') ORDER BY move_no$$,
    $$VALUES (1, id('Lost'), 'lost', id('Won'), 'won', '2024-01-01'::timestamptz, 0.0000, 1.0000, NULL, '2024-01-01T00:00:00+00:00', true),
        (2, id('Won'), 'won', id('Lost'), 'lost', '2024-02-01'::timestamptz, 1.0000, 0.0000, '2024-02-01T00:00:00+00:00', NULL, false)$$,
    'a row that mirrors the move');
SELECT is((r.reverts_id, r.reverts_no), (m.id, m.move_no), 'and names it') FROM stage_changes AS r, stage_changes AS m
WHERE r.deal_id = id('a') AND r.move_no = 2 AND m.deal_id = id('a') AND m.move_no = 1;
SELECT ok(changed_at BETWEEN now() AND clock_timestamp() AND recorded_at >= changed_at, 'as of now, when it was put back')
FROM stage_changes WHERE deal_id = id('a') AND move_no = 2;
SELECT results_eq($$SELECT move_no, version FROM deals WHERE id = id('a')$$, $$VALUES (2, 4)$$, 'it counts as a move and as a version');

-- One after the other, down to the first.
SELECT deal('b') \g /dev/null
SELECT move('b', 'Qualified', '2024-01-02'), move('b', 'Paused', '2024-01-03'), move('b', 'Won', '2024-01-04') \g /dev/null
SELECT extensions.crm_undo_move('crm', id('b')) \g /dev/null
SELECT is(state('b'), 'Sales / Paused / open / 0.5000 | entered 2024-01-03 00:00:00+00', 'the last move first');
SELECT extensions.crm_undo_move('crm', id('b')) \g /dev/null
SELECT is(state('b'), 'Sales / Qualified / open / 0.5000 | entered 2024-01-02 00:00:00+00', 'then the one before');
SELECT move('b', 'Lost', '2024-01-05') \g /dev/null
SELECT extensions.crm_undo_move('crm', id('b')) \g /dev/null
SELECT is(state('b'), 'Sales / Qualified / open / 0.5000 | entered 2024-01-02 00:00:00+00', 'a move made meanwhile');
SELECT extensions.crm_undo_move('crm', id('b')) \g /dev/null
SELECT is(state('b'), 'Sales / Lead / open / 0.1000 | entered 2024-01-01 00:00:00+00', 'and the first');
SELECT is(error_of($$SELECT extensions.crm_undo_move('crm', id('b'))$$),
    E'PT409\ndeal ' || id('b') || E' has no move to take back\nIts history tells what was taken back already.', 'then there is none');
SELECT results_eq($$SELECT c.move_no, r.move_no FROM stage_changes AS c LEFT JOIN stage_changes AS r ON r.id = c.reverts_id
        WHERE c.deal_id = id('b') ORDER BY c.move_no$$,
    $$VALUES (1, NULL::int), (2, NULL), (3, NULL), (4, 3), (5, 2), (6, NULL), (7, 6), (8, 1)$$, 'the history of it, without a gap');

-- Nothing to take back.  No such deal: test/sql/api_deals.sql.
SELECT deal('c') \g /dev/null
SELECT throws_ok($$SELECT extensions.crm_undo_move('crm', id('c'))$$, 'PT409', format('deal %s has no move to take back', id('c')), 'a deal that never moved');
SELECT move('c', 'Won', '2024-02-01') \g /dev/null
DELETE FROM deals WHERE id = id('c');
SELECT deal('c') \g /dev/null
SELECT throws_ok($$SELECT extensions.crm_undo_move('crm', id('c'))$$, 'PT409', format('deal %s has no move to take back', id('c')),
    'the moves of a deleted deal of that id are not the new one''s');

-- The stage that it left is gone, or another one.
DELETE FROM deals WHERE id = id('r3');
SELECT deal('d', 'Paused') \g /dev/null
SELECT move('d', 'Won', '2024-02-01') \g /dev/null
SELECT throws_ok($$DELETE FROM stages WHERE id = id('Paused')$$, '23503',
    'stage "Paused" cannot be deleted, as the history of deals speaks of it', 'the stage that it left is not deleted');
-- As stages were deleted while the triggers were off.
SET LOCAL session_replication_role = replica;
DELETE FROM stages WHERE id = id('Paused');
SET LOCAL session_replication_role = origin;
SELECT is(error_of($$SELECT extensions.crm_undo_move('crm', id('d'))$$),
    format(E'PT409\nthe last move of deal %s cannot be taken back\n'
        'The stage that it left has been deleted, or is for deals of another status now.\n'
        'Move the deal with move_deal instead.', id('d')), 'the stage has been deleted');
INSERT INTO stages (id, pipeline_id, name, position, deal_status) VALUES (id('Paused'), id('Sales'), 'Paused', 3, 'lost');
SELECT throws_ok($$SELECT extensions.crm_undo_move('crm', id('d'))$$, 'PT409',
    format('the last move of deal %s cannot be taken back', id('d')), 'the stage is for lost deals now');
SET LOCAL session_replication_role = replica;
DELETE FROM stages WHERE id = id('Paused');
SET LOCAL session_replication_role = origin;
INSERT INTO stages (id, pipeline_id, name, position) VALUES (id('Paused'), id('Renewals'), 'Paused', 3);
SELECT throws_ok($$SELECT extensions.crm_undo_move('crm', id('d'))$$, 'PT409',
    format('the last move of deal %s cannot be taken back', id('d')), 'the stage is another pipeline''s now');
SET LOCAL session_replication_role = replica;
DELETE FROM stages WHERE id = id('Paused');
SET LOCAL session_replication_role = origin;
INSERT INTO stages (id, pipeline_id, name, position) VALUES (id('Paused'), id('Sales'), 'Paused', 3);
UPDATE stages SET archived_at = '2024-03-01' WHERE id = id('Paused');
SELECT extensions.crm_undo_move('crm', id('d')) \g /dev/null
SELECT is(state('d'), 'Sales / Paused / open / null | entered 2024-01-01 00:00:00+00', 'an archived stage takes back what was its own');

-- Moves within a millisecond.
SELECT deal('e', 'Lead', '2024-01-01 10:00:00') \g /dev/null
SELECT move('e', 'Qualified', '2024-01-01 10:00:00.0005') \g /dev/null
SELECT extensions.crm_undo_move('crm', id('e')) \g /dev/null
SELECT is(state('e'), 'Sales / Lead / open / 0.1000 | entered 2024-01-01 10:00:00+00', 'to the microsecond');

-- What came since stays: only what the move changed goes back.
SELECT deal('f') \g /dev/null
SELECT move('f', 'Won', '2024-02-01') \g /dev/null
UPDATE deals SET amount = 250, title = 'F', won_at = '2024-01-15' WHERE id = id('f');
SELECT extensions.crm_undo_move('crm', id('f')) \g /dev/null
SELECT ok(amount = 250 AND title = 'F' AND status = 'open' AND won_at IS NULL, 'what was written since stays') FROM deals WHERE id = id('f');

-- A savepoint rolled back takes the undoing with it, an error as well.
SELECT deal('g') \g /dev/null
SELECT move('g', 'Won', '2024-02-01') \g /dev/null
SAVEPOINT s;
SELECT extensions.crm_undo_move('crm', id('g')) \g /dev/null
ROLLBACK TO s;
SELECT is(state('g'), 'Sales / Won / won / 1.0000 | entered 2024-02-01 00:00:00+00 | won 2024-02-01 00:00:00+00', 'rolled back');
UPDATE deals SET title = 'no undo now' WHERE id = id('g');
SELECT is(history('g'), '1: Lead > Won at 2024-02-01 00:00:00+00', 'an update after that is an ordinary one');

-- Triggers of the user's that write deals meanwhile.
CREATE FUNCTION t.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        IF NEW.title = 'touched' THEN UPDATE crm.deals SET description = 'touched' WHERE id = NEW.id; END IF;
        IF NEW.title = 'moved on' THEN UPDATE crm.deals SET stage_id = t.id('Qualified') WHERE id = NEW.id; END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER mine AFTER UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.touch();
SELECT deal('h') \g /dev/null
SELECT move('h', 'Won', '2024-02-01') \g /dev/null
UPDATE deals SET title = 'touched' WHERE id = id('h');
SELECT extensions.crm_undo_move('crm', id('h')) \g /dev/null
SELECT results_eq($$SELECT d.description, d.move_no, c.move_no, c.reverts_id IS NULL FROM deals AS d JOIN stage_changes AS c ON c.deal_id = d.id
        WHERE d.id = id('h') ORDER BY c.move_no$$,
    $$VALUES ('touched', 2, 1, true), ('touched', 2, 2, false)$$, 'a trigger that updates the deal is no part of the undoing');
SELECT deal('i') \g /dev/null
SELECT move('i', 'Won', '2024-02-01') \g /dev/null
UPDATE deals SET title = 'moved on' WHERE id = id('i');
SELECT extensions.crm_undo_move('crm', id('i')) \g /dev/null
SELECT is(place('i'), 'Sales / Qualified / open / 0.5000', 'a trigger that moves the deal on');
SELECT results_eq($$SELECT move_no, from_stage_id, to_stage_id, reverts_id IS NOT NULL FROM stage_changes WHERE deal_id = id('i') ORDER BY move_no$$,
    $$VALUES (1, id('Lead'), id('Won'), false), (2, id('Won'), id('Qualified'), false),
        (3, id('Qualified'), id('Won'), true), (4, id('Won'), id('Qualified'), false)$$, 'each move once, one of them the undoing');
DROP TRIGGER mine ON deals;

CREATE FUNCTION t.elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.title = 'elsewhere' THEN NEW.stage_id := t.id('Lost'); END IF;
    IF NEW.title = 'skip' THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
SELECT deal('j'), deal('k') \g /dev/null
SELECT move('j', 'Won', '2024-02-01'), move('k', 'Won', '2024-02-01') \g /dev/null
UPDATE deals SET title = 'elsewhere' WHERE id = id('j');
UPDATE deals SET title = 'skip' WHERE id = id('k');
CREATE TRIGGER mine BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.elsewhere();
SELECT throws_like($$SELECT extensions.crm_undo_move('crm', id('j'))$$, '%stage%', 'a trigger that chooses another stage contradicts it');
SELECT is(place('j'), 'Sales / Won / won / 1.0000', 'nothing happened');
SELECT is(error_of($$SELECT extensions.crm_undo_move('crm', id('k'))$$),
    format(E'42501\ndeal %s could not be put back\nA policy or a trigger suppressed the write.\nAsk the owner of the table which one, and what it lets pass.', id('k')), 'a trigger that skips it');
DROP TRIGGER mine ON deals;

SELECT * FROM finish();
ROLLBACK;
