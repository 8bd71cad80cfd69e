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

-- Inserted as lost, then lost in other ways and for other reasons, reopened and lost again.
INSERT INTO deals (id, stage_id, title, amount, currency, created_at, lost_reason) VALUES (id('w'), id('Lost'), 'w', 1000, 'EUR', '2024-01-05', 'price');
UPDATE deals SET stage_id = id('Gone'), stage_entered_at = '2024-03-10', lost_reason = 'time' WHERE id = id('w');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2024-03-15', lost_reason = 'other' WHERE id = id('w');
SELECT is(rates(), '1102 1132 1032 1032 1032', 'inserted as lost');
SELECT move_deal(id('w'), id('Open'), '2024-04-15'), move_deal(id('w'), id('Lost'), '2024-05-10') \g /dev/null
SELECT is(rates(), '1102 1132 32 5032 5032', 'and lost again');
SELECT is(singly(), rates(), '(at each moment)');

-- What became of a later life of it does not matter, nor what had become of an earlier one.
INSERT INTO deals (id, stage_id, title, amount, currency, created_at) VALUES (id('v'), id('Won'), 'v', 10000, 'EUR', '2024-01-05');
SELECT move_deal(id('v'), id('Signed'), '2024-03-10') \g /dev/null
DELETE FROM deals WHERE id = id('v');
SELECT is(rates(), '11102 11132 10032 15032 15032', 'inserted as won, and deleted since');
INSERT INTO deals (id, stage_id, title, amount, currency) VALUES (id('v'), id('Won'), 'v', 10000, 'EUR');
SELECT is(rates(), '11102 11132 10032 15032 15032', 'inserted again as won');
SELECT clock_timestamp() AS won \gset
SELECT move_deal(id('v'), id('Signed')) \g /dev/null
SELECT is(rates(), '11102 11132 10032 15032 15032', 'and moved');
SELECT move_deal(id('v'), id('Open')) \g /dev/null
SELECT is(rates(), '11102 11132 10032 15032 15032', 'and reopened');
DELETE FROM deals WHERE id = id('v');
INSERT INTO deals (id, stage_id, title, amount, currency, created_at) VALUES (id('u'), id('Open'), 'u', 100000, 'EUR', '2024-01-05');
SELECT move_deal(id('u'), id('Won'), '2024-02-10') \g /dev/null
DELETE FROM deals WHERE id = id('u');
INSERT INTO deals (id, stage_id, title, amount, currency) VALUES (id('u'), id('Won'), 'u', 100000, 'EUR');
SELECT clock_timestamp() AS won \gset
SELECT is(pipeline_summary_as_of(id('P'), :'won', 'USD') #>> '{won,total_value}', '1200000', 'won now, not as in its earlier life');
SELECT move_deal(id('u'), id('Signed')) \g /dev/null
SELECT is(pipeline_summary_as_of(id('P'), :'won', 'USD') #>> '{won,total_value}', '1200000', 'after it moved, too');
DELETE FROM deals WHERE id = id('u');
SELECT is(pipeline_summary_as_of(id('P'), :'won', 'USD') #>> '{won,total_value}', '1200000', 'and after it was deleted');
DELETE FROM deals;

-- Put back, an insertion as won before it entered its stage is known.
SELECT rates() AS before \gset
INSERT INTO deals (id, stage_id, title, amount, currency, created_at, stage_entered_at, won_at) VALUES (id('s'), id('Won'), 's', 1000000, 'EUR', '2024-01-05', '2024-02-10', '2024-01-07');
SELECT rates() AS won \gset
SELECT isnt(:'before'::text, :'won', '(it counts)');
DELETE FROM t.kept;
INSERT INTO t.kept TABLE deals;
DELETE FROM deals;
INSERT INTO deals SELECT * FROM t.kept;
SELECT is(rates(), :'won', 'inserted as won, deleted and put back');
SELECT move_deal(id('s'), id('Open')) \g /dev/null
SELECT is(rates(), :'won', 'and reopened');
DELETE FROM deals;

-- Taken back after the deal was deleted and put back: it was won until it was deleted.
SELECT rates() AS before \gset
INSERT INTO deals (id, stage_id, title, amount, currency, created_at) VALUES (id('t'), id('Open'), 't', 1000000, 'EUR', '2024-01-05');
SELECT move_deal(id('t'), id('Won'), '2024-02-10') \g /dev/null
SELECT rates() AS won \gset
DELETE FROM t.kept;
INSERT INTO t.kept TABLE deals;
DELETE FROM deals;
SELECT is(rates(), :'won', 'won, and deleted');
INSERT INTO deals SELECT * FROM t.kept;
SELECT undo_move(id('t')) \g /dev/null
SELECT isnt(:'before'::text, :'won', '(it counts)');
SELECT is(rates(), :'won', 'put back, and not won after all: so it was until it was deleted');

SELECT * FROM finish();
ROLLBACK;
