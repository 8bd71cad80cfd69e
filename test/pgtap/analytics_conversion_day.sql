-- With in_currency a closed deal is converted at the rate of the day on which it was won or lost,
-- at each moment of the past and in each stage that it had then.
BEGIN;
\ir include/setup.sql
SELECT no_plan();
INSERT INTO pipelines (id, name, currency) VALUES (id('P'), 'P', 'USD'), (id('Q'), 'Q', 'USD');
INSERT INTO stages (id, pipeline_id, name, deal_status)
    SELECT id(name), id(pipeline), name, status FROM (VALUES ('Open', 'P', 'open'), ('Won', 'P', 'won'), ('Signed', 'P', 'won'), ('Paid', 'P', 'won'),
        ('Lost', 'P', 'lost'), ('Gone', 'P', 'lost'), ('Elsewhere', 'Q', 'won')) AS v (name, pipeline, status);
-- A rate for each month: its number.
INSERT INTO exchange_rates (base, quote, valid_from, rate) SELECT 'EUR', 'USD', m, extract(month FROM m) FROM generate_series(timestamp '2024-01-01', '2024-12-01', '1 month') AS m;
CREATE FUNCTION t.move(stage text, at date) RETURNS void LANGUAGE sql AS $$ SELECT crm.move_deal(t.id('x'), t.id(stage), at) $$;
-- The rates at which the deal, which is worth 1, was converted on the 20th of months.
CREATE FUNCTION t.rates() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(trim_scale(r.won_value + r.lost_value)::text, ' ' ORDER BY r.at)
    FROM crm.pipeline_trend(t.id('P'), '2024-02-20', '2024-06-20', 'month', 'USD') AS r
$$;
CREATE FUNCTION t.singly() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(trim_scale((s #>> '{won,total_value}')::numeric + (s #>> '{lost,total_value}')::numeric)::text, ' ' ORDER BY at)
    FROM generate_series(timestamptz '2024-02-20', '2024-06-20', '1 month') AS at, crm.pipeline_summary_as_of(t.id('P'), at, 'USD') AS s
$$;
INSERT INTO deals (id, stage_id, title, amount, currency, created_at) VALUES (id('x'), id('Open'), 'x', 1, 'EUR', '2024-01-05');
SELECT move('Won', '2024-02-10') \g /dev/null
SELECT is(rates(), '2 2 2 2 2', 'won in February');
SELECT move('Signed', '2024-03-15') \g /dev/null
SELECT is(rates(), '2 2 2 2 2', 'in another won stage');
SELECT move('Paid', '2024-05-15') \g /dev/null
SELECT is(rates(), '2 2 2 2 2', 'and in a third');
SELECT is(singly(), rates(), '(at each moment)');
UPDATE deals SET won_at = '2024-02-12' WHERE id = id('x');
SELECT correct_move(id('x'), '2024-01-30', 1) \g /dev/null
SELECT is(rates(), '1 1 1 1 1', 'won earlier, as was found out');
SELECT correct_move(id('x'), '2024-02-10', 1) \g /dev/null
SELECT move('Open', '2024-06-01') \g /dev/null
SELECT is(rates(), '2 2 2 2 0', 'reopened');
SELECT undo_move(id('x')) \g /dev/null
SELECT is(rates(), '2 2 2 2 2', 'which was taken back');
SELECT move('Elsewhere', '2024-06-02') \g /dev/null
SELECT is(rates(), '2 2 2 2 0', 'in another pipeline');
SELECT move('Paid', '2024-06-03') \g /dev/null
SELECT is(rates(), '2 2 2 2 2', 'and back');
CREATE TABLE t.kept AS SELECT * FROM deals;
DELETE FROM deals;
SELECT is(rates(), '2 2 2 2 2', 'deleted since');
SELECT is(singly(), rates(), '(at each moment)');

-- Lost, and lost in another way.
INSERT INTO deals (id, stage_id, title, amount, currency, created_at) VALUES (id('y'), id('Open'), 'y', 10, 'EUR', '2024-01-05');
SELECT move_deal(id('y'), id('Lost'), '2024-03-01'), move_deal(id('y'), id('Gone'), '2024-05-01') \g /dev/null
SELECT is(rates(), '2 32 32 32 32', 'lost');
DELETE FROM deals;
SELECT is(rates(), '2 32 32 32 32', 'and deleted');

-- Inserted as won, before it entered its stage.
INSERT INTO deals (id, stage_id, title, amount, currency, created_at, stage_entered_at, won_at) VALUES (id('z'), id('Won'), 'z', 100, 'EUR', '2024-01-05', '2024-02-10', '2024-01-07');
SELECT is(rates(), '102 132 132 132 132', 'inserted as won');
SELECT move_deal(id('z'), id('Signed'), '2024-03-15') \g /dev/null
SELECT is(rates(), '102 132 132 132 132', 'in another won stage');
SELECT move_deal(id('z'), id('Open'), '2024-04-15') \g /dev/null
SELECT is(rates(), '102 132 32 32 32', 'reopened');
SELECT is(singly(), rates(), '(at each moment)');

SELECT * FROM finish();
ROLLBACK;
