-- deal_facts and move_facts of histories that were trimmed, of deals with two lives and two currencies,
-- and of moves from won to won.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
INSERT INTO stages (id, pipeline_id, name, deal_status) VALUES (id('Signed'), id('Sales'), 'Signed', 'won');
CREATE FUNCTION t.facts(title text) RETURNS text LANGUAGE sql AS $$
    SELECT format('moves %s reopened %s, %s %s to %s %s', f.moves, f.reopened, trim_scale(f.first_amount), f.first_currency, trim_scale(f.last_amount), f.currency)
    FROM crm.deal_facts AS f
    WHERE f.title = facts.title
$$;
CREATE FUNCTION t.directions(title text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(m.direction, ' ' ORDER BY m.move_no) FROM crm.move_facts AS m WHERE m.title = directions.title
$$;

-- A move that was taken back is trimmed, the row that took it back is not.
INSERT INTO deals (id, stage_id, title, amount, created_at) VALUES (id('a'), id('Lead'), 'Moved', 1, '2025-01-01'), (id('b'), id('Lead'), 'Lost', 1, '2025-01-01'),
    (id('c'), id('Lead'), 'Stays', 1, '2025-01-01'), (id('d'), id('Lead'), 'Lost again', 1, '2025-01-01');
SELECT move_deal(id('a'), id('Qualified'), '2025-02-01'), undo_move(id('a')) \g /dev/null
SELECT move_deal(id('b'), id('Lost'), '2025-02-01'), move_deal(id('b'), id('Lead'), '2025-02-10'), undo_move(id('b')) \g /dev/null
SELECT move_deal(id('c'), id('Qualified'), '2025-02-01'), move_deal(id('c'), id('Lead'), '2025-02-20'), undo_move(id('c')) \g /dev/null
SELECT move_deal(id('d'), id('Lost'), '2025-02-01'), move_deal(id('d'), id('Lead'), '2025-02-10'), move_deal(id('d'), id('Lost'), '2025-02-20') \g /dev/null
SELECT is(facts('Moved'), 'moves 0 reopened 0, 1 USD to 1 USD', 'taken back');
SELECT is(facts('Lost'), 'moves 1 reopened 0, 1 USD to 1 USD', 'lost, as the reopening was taken back');
SELECT is(facts('Lost again'), 'moves 3 reopened 1, 1 USD to 1 USD', 'reopened');
SELECT extensions.crm_trim_history('crm', '2025-02-15') \g /dev/null
SELECT is(facts('Moved'), 'moves 0 reopened 0, 1 USD to 1 USD', 'trimmed');
SELECT is(facts('Lost'), 'moves 0 reopened 0, 1 USD to 1 USD', 'a reopening that was taken back');
SELECT is(facts('Stays'), 'moves 0 reopened 0, 1 USD to 1 USD', 'what was taken back, and its row, are kept');
SELECT is(facts('Lost again'), 'moves 1 reopened 0, 1 USD to 1 USD', 'what is kept counts');
SELECT results_eq($$SELECT f.title, f.moves FROM deal_facts AS f ORDER BY f.title$$,
    $$SELECT f.title, (SELECT count(*) FROM move_facts AS m WHERE m.deal_id = f.deal_id) FROM deal_facts AS f ORDER BY f.title$$, 'both views agree');

-- The first amount has its own currency.
INSERT INTO deals (id, stage_id, title, currency) VALUES (id('e'), id('Lead'), 'Euros', 'GBP');
SELECT is(facts('Euros'), 'moves 0 reopened 0,  GBP to  GBP', 'no amount');
UPDATE deals SET amount = 100, currency = 'EUR' WHERE id = id('e');
UPDATE deals SET amount = 90, currency = 'USD' WHERE id = id('e');
UPDATE deals SET amount = NULL WHERE id = id('e');
UPDATE deals SET amount = 80 WHERE id = id('e');
SELECT is(facts('Euros'), 'moves 0 reopened 0, 100 EUR to 80 USD', 'the first amount and the last, each with its currency');
INSERT INTO deals (id, stage_id, title) VALUES (id('none'), id('Lead'), 'None');
SELECT is(facts('None'), 'moves 0 reopened 0,  USD to  USD', 'neither amount nor currency: the pipeline''s');

-- A deal that was deleted and inserted again: its history has both lives.
SELECT move_deal(id('e'), id('Qualified')) \g /dev/null
DELETE FROM deals WHERE id = id('e');
INSERT INTO deals (id, stage_id, title, amount) VALUES (id('e'), id('Lead'), 'Euros', 7);
SELECT is(facts('Euros'), 'moves 1 reopened 0, 100 EUR to 7 USD', 'both lives');

-- A deal is closed once, until it is reopened.
INSERT INTO deals (id, stage_id, title) VALUES (id('f'), id('Lead'), 'Won');
SELECT move_deal(id('f'), id('Won')), move_deal(id('f'), id('Signed')), move_deal(id('f'), id('Won')), move_deal(id('f'), id('Renewed')) \g /dev/null
SELECT is(directions('Won'), 'closed forward backward transferred', 'from won to won it is not closed again');
SELECT move_deal(id('f'), id('Signed')), move_deal(id('f'), id('Lost')), move_deal(id('f'), id('Lead')) \g /dev/null
SELECT is(directions('Won'), 'closed forward backward transferred transferred closed reopened', 'from won to lost it is');
SELECT * FROM finish();
ROLLBACK;
