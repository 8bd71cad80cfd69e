-- win_rate(), sales_cycle() and sales_velocity()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_win_rate');
SET search_path = analytics_win_rate, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- the worked example
SELECT * FROM win_rate(:sales) \gx
SELECT * FROM win_rate(:sales, cohort => 'created') \gx
SELECT * FROM sales_cycle(:sales);
SELECT * FROM sales_velocity(:sales);
-- all pipelines together
SELECT won, lost FROM win_rate();
SELECT deals, average_days FROM sales_cycle();
SELECT value_currency, velocity_per_day FROM sales_velocity();

-- periods: the first day counts, the last one does not
SELECT won, lost, win_rate, won_value, lost_value FROM win_rate(:sales, period_from => '2024-01-19', period_before => '2024-02-01');
SELECT deals, won, lost, still_open, win_rate, won_share
FROM win_rate(:sales, cohort => 'created', period_from => '2024-01-02', period_before => '2024-02-01');
SELECT deals, average_days FROM sales_cycle(:sales, won_from => '2024-01-21', won_before => '2024-02-01');
SELECT * FROM sales_velocity(:sales, closed_from => '2024-01-20', closed_before => '2024-02-01');
SELECT won, lost FROM win_rate(:sales, owner_id => '00000000-0000-0000-0000-000000000012');
SELECT deals FROM sales_cycle(:sales, owner_id => '00000000-0000-0000-0000-000000000012');
SELECT value_currency, open_deals, velocity_per_day FROM sales_velocity(:sales, owner_id => '00000000-0000-0000-0000-000000000012');
SELECT won, by_currency FROM win_rate(:sales, value_period => 'annual');
SELECT count(*) FROM sales_velocity(:sales, value_period => 'annual');

-- nothing there
SELECT * FROM win_rate(:empty) \gx
SELECT * FROM sales_cycle(:empty);
SELECT * FROM sales_velocity(:empty);
-- one deal, inserted as won at once: won in no time
BEGIN;
INSERT INTO deals (stage_id, title, created_at) VALUES ('00000000-0000-0000-0000-0000000000b2', 'One', '2024-01-01');
SELECT deals, win_rate, won_value, win_rate_by_value, value_currency FROM win_rate(:empty);
SELECT * FROM sales_cycle(:empty);
SELECT * FROM sales_velocity(:empty);
ROLLBACK;

-- currencies are never added
BEGIN;
INSERT INTO deals (stage_id, title, amount, currency, created_at, stage_entered_at) VALUES
	('00000000-0000-0000-0000-0000000000a4', 'Euro', 100, 'EUR', '2024-01-01', '2024-01-11'),
	('00000000-0000-0000-0000-0000000000a1', 'Open euro', 1, 'EUR', '2024-01-01', '2024-01-01'),
	('00000000-0000-0000-0000-0000000000a5', 'Lost yen', 100, 'JPY', '2024-01-01', '2024-01-11');
SELECT won, lost, win_rate, value_currency, won_value, lost_value, win_rate_by_value FROM win_rate(:sales);
SELECT c.* FROM win_rate(:sales), jsonb_to_recordset(by_currency) AS c
	(currency text, won int, lost int, won_value numeric, lost_value numeric, win_rate numeric, win_rate_by_value numeric);
SELECT * FROM sales_velocity(:sales);
SELECT value_currency, won_value FROM win_rate(:sales, currency => 'EUR');
SELECT deals FROM sales_cycle(:sales, currency => 'EUR');
SELECT velocity_per_day FROM sales_velocity(:sales, currency => 'EUR');
-- a deal without an amount is of the pipeline's currency
SELECT value_currency, open_deals FROM sales_velocity(:sales, currency => 'USD');
SELECT deals FROM win_rate(:sales, 'created', currency => 'USD');
ROLLBACK;

-- wrong input
SELECT win_rate('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT win_rate(cohort => 'won');
\echo :LAST_ERROR_SQLSTATE
SELECT win_rate(cohort => NULL);
SELECT win_rate(period_from => '2024-02-01', period_before => '2024-01-01');
SELECT sales_cycle('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT sales_cycle(won_from => '2024-02-01', won_before => '2024-01-01');
SELECT sales_velocity('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT sales_velocity(closed_from => '2024-02-01', closed_before => '2024-01-01');

RESET search_path;
DROP SCHEMA analytics_win_rate CASCADE;
