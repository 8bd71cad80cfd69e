-- pipeline_waterfall()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_waterfall');
SET search_path = analytics_waterfall, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''
\set lead '\'00000000-0000-0000-0000-0000000000a1\''
CREATE FUNCTION at(day text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('crm.effective_at', day, true) $$;

-- the worked example: from 15 January to 5 February 2024
BEGIN;
SET LOCAL crm.effective_at = '2024-01-16';
INSERT INTO deals (stage_id, title, amount, currency) VALUES (:lead, 'Zeta', 700, 'EUR');
SET LOCAL crm.effective_at = '2024-01-17';
INSERT INTO deals (stage_id, title, amount) VALUES (:lead, 'Eta', 400);
SET LOCAL crm.effective_at = '2024-01-20';
UPDATE deals SET amount = 760, currency = 'USD' WHERE title = 'Zeta';
SET LOCAL crm.effective_at = '2024-01-22';
UPDATE deals SET amount = 1800 WHERE title = 'Delta';
UPDATE deals SET archived_at = '2024-02-02' WHERE title = 'Eta';
SET LOCAL crm.effective_at = '';
SELECT value_currency, bar_no, bar, changes, deals, value, rates
FROM pipeline_waterfall(:sales, '2024-01-15', '2024-02-05') WHERE changes <> 0 OR bar IN ('opening', 'closing');
-- all bars are there, nothing else is
SELECT bar_no, bar, value FROM pipeline_waterfall(:sales, '2024-01-15', '2024-02-05', currency => 'USD');
-- two periods are one
SELECT value_currency, bar, sum(value) FROM (
	SELECT * FROM pipeline_waterfall(:sales, '2024-01-15', '2024-01-21') WHERE bar <> 'closing'
	UNION ALL SELECT * FROM pipeline_waterfall(:sales, '2024-01-21', '2024-02-05') WHERE bar NOT IN ('opening', 'closing')) AS w
GROUP BY value_currency, bar HAVING sum(value) <> 0 ORDER BY value_currency, min(bar_no);
-- of an owner; a deal that is given away
SELECT bar, changes, deals, value FROM pipeline_waterfall(:sales, '2024-01-15', '2024-02-05', '00000000-0000-0000-0000-000000000012')
WHERE changes <> 0;
SET LOCAL crm.effective_at = '2024-02-03';
UPDATE deals SET owner_id = '00000000-0000-0000-0000-000000000011' WHERE title = 'Delta';
SET LOCAL crm.effective_at = '';
SELECT o, bar, changes, deals, value
FROM (VALUES (11), (12)) AS v (o) CROSS JOIN LATERAL pipeline_waterfall(:sales, '2024-02-02', '2024-02-05', format('00000000-0000-0000-0000-0000000000%s', o)::uuid)
WHERE changes <> 0;
-- in one currency, at the rate of the last day
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 1.10), ('EUR', 'USD', '2024-02-01', 1.08), ('EUR', 'USD', '2024-02-06', 1.5);
SELECT value_currency, bar, changes, deals, value, rates FROM pipeline_waterfall(:sales, '2024-01-15', '2024-02-05', in_currency => 'USD') WHERE changes <> 0;
SELECT bar, value FROM pipeline_waterfall(:sales, '2024-01-15', '2024-01-18', in_currency => 'USD') WHERE changes <> 0;
SAVEPOINT s;
SELECT pipeline_waterfall(:sales, '2023-01-15', '2023-01-18', in_currency => 'JPY');
SELECT pipeline_waterfall(:sales, '2024-01-15', '2024-01-18', in_currency => 'JPY');
ROLLBACK;

-- every kind of bar, each at a time of its own
BEGIN;
INSERT INTO stages (id, pipeline_id, name) VALUES ('00000000-0000-0000-0000-0000000000c1', :empty, 'Second');
SELECT at('2024-05-01');
INSERT INTO deals (id, stage_id, title, amount) VALUES ('00000000-0000-0000-0000-0000000000d8', :lead, 'Theta', 10);
SELECT at('2024-05-02');
UPDATE deals SET status = 'lost' WHERE title = 'Theta';
SELECT at('2024-05-03');
-- an amount that is written with a move changes before it
UPDATE deals SET status = 'open', amount = 11 WHERE title = 'Theta';
SELECT at('2024-05-04');
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000c1' WHERE title = 'Theta';
SELECT at('2024-05-05');
UPDATE deals SET stage_id = :lead, amount = 12 WHERE title = 'Theta';
SELECT at('2024-05-06');
UPDATE deals SET amount = NULL WHERE title = 'Theta';
SELECT at('2024-05-07');
UPDATE deals SET amount = 13.5 WHERE title = 'Theta';
UPDATE deals SET archived_at = '2024-05-08' WHERE title = 'Theta';
SELECT at('2024-05-09');
UPDATE deals SET amount = 14, stage_id = '00000000-0000-0000-0000-0000000000a3' WHERE title = 'Theta';
SELECT at('2024-05-10');
UPDATE deals SET archived_at = NULL, amount = 15 WHERE title = 'Theta';
SELECT at('2024-05-11');
-- a move that is taken back never was, what was written with it stays
UPDATE deals SET status = 'won', amount = 16 WHERE title = 'Theta';
SELECT count(*) FROM undo_move('00000000-0000-0000-0000-0000000000d8');
SELECT at('2024-05-12');
UPDATE deals SET status = 'won', amount = 17 WHERE title = 'Theta';
SELECT d::date, w.bar, w.changes, w.deals, w.value
FROM generate_series('2024-05-01'::timestamptz, '2024-05-12', '1 day') AS d
	CROSS JOIN LATERAL pipeline_waterfall(:sales, d - interval '1 microsecond', d) AS w
WHERE w.bar_no BETWEEN 2 AND 16 AND w.changes <> 0
ORDER BY d, w.bar_no;
SELECT d::date, w.bar, w.changes, w.deals, w.value
FROM generate_series('2024-05-01'::timestamptz, '2024-05-12', '1 day') AS d
	CROSS JOIN LATERAL pipeline_waterfall(:empty, d - interval '1 microsecond', d) AS w
WHERE w.changes <> 0
ORDER BY d, w.bar_no;
-- deleted, and put back
SELECT at('');
UPDATE deals SET status = 'open' WHERE title = 'Theta';
SELECT clock_timestamp() AS before \gset
DELETE FROM deals WHERE title = 'Theta';
SELECT clock_timestamp() AS between \gset
INSERT INTO deals (id, stage_id, title, amount, created_at) VALUES ('00000000-0000-0000-0000-0000000000d8', :lead, 'Theta', 18, '2024-06-01');
SELECT bar, changes, deals, value FROM pipeline_waterfall(:sales, :'before', :'between') WHERE changes <> 0;
SELECT bar, changes, deals, value FROM pipeline_waterfall(:sales, :'between') WHERE changes <> 0;
SELECT bar, changes, deals, value FROM pipeline_waterfall(:sales, :'before', 'infinity') WHERE changes <> 0;
ROLLBACK;

-- a moment; nothing; one deal; a history that is not known
SELECT count(*) FILTER (WHERE bar_no BETWEEN 2 AND 16 AND changes <> 0), sum(value) FILTER (WHERE bar_no = 17) AS closing
FROM pipeline_waterfall(:sales, '2024-01-15', '2024-01-15');
SELECT * FROM pipeline_waterfall(:empty, '-infinity');
SELECT * FROM pipeline_waterfall(:sales, '-infinity', '2023-12-31');
BEGIN;
ALTER TABLE deals DISABLE TRIGGER USER;
INSERT INTO deals (tenant_id, pipeline_id, stage_id, status, title, amount, currency, stage_entered_at, created_at)
VALUES ('00000000-0000-0000-0000-000000000000', :empty, '00000000-0000-0000-0000-0000000000b1', 'open', 'Imported', 5, 'USD', '2024-03-01', '2024-03-01');
ALTER TABLE deals ENABLE TRIGGER USER;
SELECT bar, changes, deals, value FROM pipeline_waterfall(:empty, '2024-02-01') WHERE changes <> 0;
SELECT bar, changes, deals, value FROM pipeline_waterfall(:empty, '2024-03-01') WHERE changes <> 0;
UPDATE deals SET amount = 6 WHERE title = 'Imported';
SELECT bar, changes, deals, value FROM pipeline_waterfall(:empty, '2024-02-01') WHERE changes <> 0;
ROLLBACK;

-- wrong arguments
SELECT pipeline_waterfall(NULL, '2024-01-01');
SELECT pipeline_waterfall('00000000-0000-0000-0000-00000000dead', '2024-01-01');
SELECT pipeline_waterfall(:sales, NULL);
SELECT pipeline_waterfall(:sales, '2024-02-01', '2024-01-01');
SELECT pipeline_waterfall(:sales, '2024-02-01', in_currency => 'BUCKS');
DROP SCHEMA analytics_waterfall CASCADE;
