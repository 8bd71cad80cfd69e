-- stage_totals: after every kind of write the totals are what the deals add up
-- to, and a write that changes no total writes none.
--
-- At this isolation level nobody sums rows up by the way, so they can be counted.
BEGIN ISOLATION LEVEL REPEATABLE READ;
\ir include/setup.sql
\ir include/totals.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

SELECT exact('nothing yet');
SELECT is(crm_pipeline_totals('crm', id('Sales')), '[]', 'no deals: an empty summary');
SELECT is(crm_pipeline_totals('crm', id('nowhere')), '[]', 'no such pipeline: likewise');

INSERT INTO deals (id, title, amount) VALUES (id('a'), 'a', 100.25);
SELECT results_eq('SELECT tenant_id, pipeline_id, stage_id, currency, value_period, deals, deals_without_amount, deals_without_probability, value, weighted_value
        FROM stage_totals WHERE value_period <> ''complete''',
    $$VALUES ('00000000-0000-0000-0000-000000000000'::uuid, id('Sales'), id('Lead'), 'USD', 'one_time', 1::bigint, 0::bigint, 0::bigint,
        100.2500, 10.02500000)$$, 'a deal is a row');
SELECT exact('one deal');
INSERT INTO deals (title, amount, currency, value_period, stage_id, archived_at)
SELECT 'd ' || n, CASE WHEN n % 5 > 0 THEN n * 10.01 END, (ARRAY['EUR', 'USD', NULL])[n % 3 + 1],
    (ARRAY['one_time', 'monthly', 'quarterly', 'annual'])[n % 4 + 1],
    id((ARRAY['Lead', 'Qualified', 'Paused', 'Won', 'Lost', 'Due', 'Churned'])[n % 7 + 1]),
    CASE WHEN n % 11 = 0 THEN now() END
FROM generate_series(1, 300) AS n;
SELECT exact('many deals');
SELECT cmp_ok(pending(), '<', 100::bigint, 'a row a key, not a row a deal');

-- Edits, each of one deal.
SELECT is(written($$UPDATE deals SET title = 'b', description = 'x', metadata = '{"a": 1}', rank = 'r' WHERE id = id('a')$$), 0::bigint,
    'an edit that changes no total writes none');
SELECT is(written($$UPDATE deals SET amount = 100.250, probability = 0.1, currency = 'USD' WHERE id = id('a')$$), 0::bigint,
    'nor does writing what is there, even spelt otherwise');
SELECT is(written('UPDATE deals SET amount = 1 WHERE false'), 0::bigint, 'nor a statement that finds no deal');
SELECT is(written($$UPDATE deals SET amount = 7.5 WHERE id = id('a')$$), 1::bigint, 'another amount is a row');
SELECT exact('amount');
SELECT is(written($$UPDATE deals SET amount = NULL WHERE id = id('a')$$), 1::bigint, 'no amount');
SELECT exact('no amount');
SELECT is(written($$UPDATE deals SET probability = 0.9 WHERE id = id('a')$$), 0::bigint, 'a probability without an amount weighs nothing');
UPDATE deals SET amount = -3.3333 WHERE id = id('a');
SELECT is(written($$UPDATE deals SET probability = 0.8 WHERE id = id('a')$$), 1::bigint, 'another probability');
SELECT exact('probability, of a negative amount');
SELECT is(written($$UPDATE deals SET probability = 0 WHERE id = id('a')$$), 1::bigint, 'none');
SELECT exact('no probability');
SELECT is(written($$UPDATE deals SET currency = 'JPY' WHERE id = id('a')$$), 2::bigint, 'another currency is two rows');
SELECT exact('currency');
SELECT is(written($$UPDATE deals SET value_period = 'annual' WHERE id = id('a')$$), 2::bigint, 'another value period');
SELECT exact('value period');
SELECT is(written($$UPDATE deals SET stage_id = id('Qualified') WHERE id = id('a')$$), 2::bigint, 'a move is two rows');
SELECT exact('move');
SELECT is(written($$UPDATE deals SET stage_id = id('Renewed') WHERE id = id('a')$$), 2::bigint, 'across pipelines too');
SELECT exact('move across pipelines');
SELECT is(written($$UPDATE deals SET archived_at = now() WHERE id = id('a')$$), 1::bigint, 'archiving');
SELECT exact('archived');
SELECT is(written($$UPDATE deals SET amount = 55, archived_at = now() + '1 day', stage_id = id('Due') WHERE id = id('a')$$), 0::bigint,
    'what happens to an archived deal counts for nothing');
SELECT exact('edited while archived');
SELECT is(written($$UPDATE deals SET archived_at = NULL WHERE id = id('a')$$), 1::bigint, 'until it comes back');
SELECT exact('unarchived');
UPDATE deals SET amount = 999999999999999.9999 WHERE id = id('a');
SELECT exact('the largest amount');
SELECT is(written($$DELETE FROM deals WHERE id = id('a')$$), 1::bigint, 'deleting');
SELECT exact('deleted');

-- Deals without a probability, as in a stage that has none.
INSERT INTO stages (id, pipeline_id, name, probability) VALUES (id('Unsure'), id('Sales'), 'Unsure', NULL);
SELECT is(written($$INSERT INTO deals (id, title, stage_id, amount, currency)
        VALUES (id('p'), 'p', id('Unsure'), NULL, 'USD'), (id('q'), 'q', id('Unsure'), 9, 'USD')$$),
    1::bigint, 'two deals without a probability are a row');
SELECT exact('without a probability');
SELECT is(written($$UPDATE deals SET probability = 0 WHERE id = id('p')$$), 1::bigint,
    'a probability of 0 is one, also of a deal without an amount');
SELECT results_eq($$SELECT deals, deals_without_amount, deals_without_probability, value, weighted_value
        FROM crm_summary_rows(crm_pipeline_totals('crm', id('Sales'))) WHERE stage_id = id('Unsure') AND currency = 'USD'$$,
    $$VALUES (2::bigint, 1::bigint, 1::bigint, 9.0000, 0.00000000)$$, 'those without are counted');
SELECT exact('a probability of 0');

-- Many at once, of every kind.
UPDATE deals SET amount = amount + 1, probability = CASE WHEN status = 'open' THEN random() ELSE probability END;
SELECT exact('all edited');
UPDATE deals SET stage_id = id(CASE WHEN random() < 0.5 THEN 'Paused' ELSE 'Contacted' END) WHERE random() < 0.5;
SELECT exact('half of them moved');
UPDATE deals SET archived_at = CASE WHEN archived_at IS NULL THEN now() END WHERE random() < 0.3;
SELECT exact('archived and unarchived');
SELECT is(written('UPDATE deals SET title = title || $$!$$'), 0::bigint, 'all edited without a change of totals');
DELETE FROM deals WHERE random() < 0.1;
SELECT exact('some deleted');
INSERT INTO deals (id, title, amount) VALUES (id('c'), 'c', 1), (id('d'), 'd', 2);
INSERT INTO deals (id, title, amount) VALUES (id('c'), 'c', 5), (id('e'), 'e', 6)
    ON CONFLICT (id) DO UPDATE SET amount = deals.amount + excluded.amount, stage_id = id('Qualified');
SELECT exact('ON CONFLICT DO UPDATE');
INSERT INTO deals (id, title, amount) VALUES (id('c'), 'c', 5), (id('f'), 'f', 6) ON CONFLICT DO NOTHING;
SELECT exact('ON CONFLICT DO NOTHING');
MERGE INTO deals AS d
    USING (VALUES (id('c'), 11), (id('d'), NULL), (id('g'), 13)) AS s (id, amount) ON d.id = s.id
    WHEN MATCHED AND s.amount IS NULL THEN DELETE
    WHEN MATCHED THEN UPDATE SET amount = s.amount, stage_id = id('Lost')
    WHEN NOT MATCHED THEN INSERT (id, title, amount, stage_id) VALUES (s.id, 'merged', s.amount, id('Due'));
SELECT exact('MERGE');
WITH gone AS (DELETE FROM deals WHERE id = id('g') RETURNING *), moved AS (
    UPDATE deals SET stage_id = id('Lead') WHERE id = id('c') RETURNING *)
INSERT INTO deals (title, amount, stage_id) SELECT 'copy', g.amount + m.amount, m.stage_id FROM gone AS g, moved AS m;
SELECT exact('several writes in one statement');
COPY deals (title, amount, currency) FROM stdin;
copied	12.5	CHF
copied	\N	\N
copied	0.0001	CHF
\.
SELECT exact('COPY');
CREATE TABLE accounts (id uuid PRIMARY KEY);
INSERT INTO accounts VALUES (id('acme'));
ALTER TABLE deals ADD FOREIGN KEY (organization_id) REFERENCES accounts ON DELETE CASCADE;
UPDATE deals SET organization_id = id('acme') WHERE currency = 'CHF';
DELETE FROM accounts;
SELECT is((SELECT count(*) FROM deals WHERE currency = 'CHF'), 0::bigint, 'a cascade deletes deals');
SELECT exact('cascade');
SELECT move_deal(id('c'), id('Won')) \g /dev/null
SELECT undo_move(id('c')) \g /dev/null
SELECT apply_stage_probability(id('Lead')) \g /dev/null
SELECT delete_stage(id('Paused'), id('Lead')) \g /dev/null
SELECT exact('functions of the API');
SELECT is((SELECT coalesce(sum(deals), 0) FROM stage_totals WHERE stage_id = id('Paused')), 0::numeric, 'nothing is left of a deleted stage');

-- What is undone was never there.
SAVEPOINT s;
UPDATE deals SET amount = amount * 2;
ROLLBACK TO s;
SELECT exact('rolled back');
DO $$
BEGIN
    UPDATE crm.deals SET stage_id = t.id('Won');
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
SELECT exact('caught');
SELECT throws_ok($$UPDATE deals SET amount = 'NaN'$$, '22003', 'amount NaN is out of range', 'a refused write');
SELECT exact('refused');

-- Triggers of the user's that write to deals within a write to deals.
CREATE FUNCTION t.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO crm.deals (title, amount) VALUES ('follow-up of ' || new.title, 1);
    RETURN new;
END $$;
CREATE TRIGGER follow AFTER UPDATE OF stage_id ON deals FOR EACH ROW WHEN (new.status = 'won') EXECUTE FUNCTION t.follow();
CREATE TRIGGER aa_follow BEFORE DELETE ON deals FOR EACH STATEMENT EXECUTE FUNCTION t.follow();
UPDATE deals SET stage_id = id('Won') WHERE id IN (id('c'), id('e'));
SELECT exact('writes within a write');
DROP TRIGGER follow ON deals;
DROP TRIGGER aa_follow ON deals;

-- A function that asks while the statement runs sees what the deals say.
CREATE FUNCTION t.note_total() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    summary jsonb := crm.pipeline_summary(t.id('Renewals'));
BEGIN
    INSERT INTO t.seen VALUES (tg_op || ' ' || tg_when || ' ' || tg_level, summary ->> 'source', (summary ->> 'total_deals')::int,
        (SELECT count(*) FROM crm.deals WHERE pipeline_id = t.id('Renewals') AND archived_at IS NULL));
    RETURN coalesce(new, old);
END $$;
CREATE TABLE t.seen (at text, source text, total int, deals int);
CREATE TRIGGER note_before BEFORE INSERT OR UPDATE OR DELETE ON deals FOR EACH ROW EXECUTE FUNCTION t.note_total();
CREATE TRIGGER note_after AFTER INSERT OR UPDATE OR DELETE ON deals FOR EACH ROW EXECUTE FUNCTION t.note_total();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON deals FOR EACH STATEMENT EXECUTE FUNCTION t.note_total();
UPDATE deals SET archived_at = now() WHERE pipeline_id = id('Renewals');
INSERT INTO deals (title, stage_id) SELECT 'new', id('Due') FROM generate_series(1, 3);
DELETE FROM deals WHERE title = 'new';
SELECT set_eq('SELECT DISTINCT at FROM t.seen',
    ARRAY['INSERT BEFORE ROW', 'INSERT AFTER ROW', 'UPDATE BEFORE ROW', 'UPDATE AFTER ROW', 'DELETE BEFORE ROW', 'DELETE AFTER ROW'],
    'triggers that ask for a summary');
SELECT is_empty('SELECT * FROM t.seen WHERE total <> deals', 'see what deals say, at every moment');
SELECT is(pipeline_summary(id('Renewals')) ->> 'source', 'totals', 'after the statement totals serve again');
SELECT throws_ok($$UPDATE deals SET amount = 1 / (amount - amount) WHERE amount > 0$$, '22012');
SELECT is(pipeline_summary(id('Renewals')) ->> 'source', 'totals', 'and after one that failed');

-- TRUNCATE empties both.
SELECT isnt(pipeline_summary(id('Sales')) ->> 'total_deals', '0', 'there are deals');
TRUNCATE deals CASCADE;
SELECT is_empty($$SELECT * FROM stage_totals WHERE value_period <> 'complete'$$, 'TRUNCATE leaves no totals');
SELECT is((SELECT (source, total, deals)::text FROM t.seen WHERE at = 'TRUNCATE AFTER STATEMENT'), '(deals,0,0)', 'and is not seen half-way');
SELECT exact('TRUNCATE');
DROP TRIGGER note_before ON deals;
DROP TRIGGER note_after ON deals;
DROP TRIGGER note_truncate ON deals;
INSERT INTO deals (title, amount) VALUES ('a', 1), ('b', 2);
TRUNCATE stage_totals, deals, deal_contacts, deal_tags;
SELECT exact('TRUNCATE of all in one statement');
TRUNCATE deals CASCADE;
SELECT exact('TRUNCATE of nothing');

-- What is no total's: rows that come from elsewhere.
INSERT INTO deals (title, amount) VALUES ('a', 1);
SELECT is(written($$INSERT INTO stage_totals SELECT * FROM stage_totals$$), 0::bigint, 'rows written by others are left out');

SELECT exact('rows of others');
SELECT throws_ok('SELECT crm_rebuild_totals()', '0A000', 'crm_rebuild_totals() needs the isolation level READ COMMITTED',
    'totals cannot be rebuilt from an old snapshot');

SELECT * FROM finish();
ROLLBACK;
