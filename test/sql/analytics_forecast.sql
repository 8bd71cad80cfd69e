-- forecast() and stage_forecast_categories
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_forecast');
SET search_path = analytics_forecast, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- categories: by status and position, or the stage's own
SELECT s.name, c.forecast_category, c.is_default
FROM stage_forecast_categories AS c JOIN stages AS s ON s.id = c.stage_id ORDER BY c.pipeline_id, s.position;
BEGIN;
SELECT count(*) FROM create_pipeline('Two', '["One", "Two", {"name": "Won", "deal_status": "won", "forecast_category": "omitted"}]');
SELECT count(*) FROM create_pipeline('Own', '[{"name": "One", "forecast_category": "commit"}, "Two", "Three", "Four"]');
INSERT INTO stages (pipeline_id, name, archived_at) SELECT id, 'Old', now() FROM pipelines WHERE name = 'Own';
SELECT p.name, s.name, c.forecast_category, c.is_default
FROM stage_forecast_categories AS c JOIN stages AS s ON s.id = c.stage_id JOIN pipelines AS p ON p.id = s.pipeline_id
WHERE p.name IN ('Two', 'Own') ORDER BY p.name, s.position;
-- one that belongs to the old status goes with it, one that is written is checked
UPDATE stages SET deal_status = 'won' WHERE name = 'One' AND forecast_category = 'commit' RETURNING deal_status, forecast_category;
\set VERBOSITY terse
SAVEPOINT s;
UPDATE stages SET forecast_category = 'commit' WHERE name = 'Won';
ROLLBACK TO s;
UPDATE stages SET forecast_category = 'closed' WHERE name = 'Lead';
ROLLBACK TO s;
UPDATE deals SET forecast_category = 'closed' WHERE title = 'Delta';
ROLLBACK TO s;
SELECT create_pipeline('Bad', '[{"name": "One", "forecast_category": "closed"}]');
ROLLBACK TO s;
SELECT create_pipeline('Bad', '[{"name": "One", "deal_status": "lost", "forecast_category": "commit"}]');
ROLLBACK;

\set VERBOSITY default
-- the worked example, on 10 February 2024
BEGIN;
INSERT INTO deals (stage_id, title, amount, expected_close_date, created_at) VALUES
	('00000000-0000-0000-0000-0000000000a3', 'Zeta', 2000, '2024-02-20', '2024-02-01'),
	('00000000-0000-0000-0000-0000000000a2', 'Eta', 800, '2024-03-15', '2024-02-01'),
	('00000000-0000-0000-0000-0000000000a1', 'Theta', 500, '2024-02-09', '2024-02-01'),
	('00000000-0000-0000-0000-0000000000a1', 'Iota', 400, '2024-02-10', '2024-02-01');
UPDATE deals SET expected_close_date = '2024-03-31', forecast_category = 'commit' WHERE title = 'Delta';
SELECT bucket, period_start, period_end, open_deals, open_value, weighted_value, won_deals, won_value
FROM forecast(:sales, today => '2024-02-10');
SELECT bucket, period_start, pipeline, best_case, commit, closed, omitted
FROM forecast(:sales, today => '2024-02-10');
SELECT bucket, period_start, open_pipeline, best_case_forecast, commit_forecast, closed_only, deals_without_amount
FROM forecast(:sales, today => '2024-02-10');
SELECT bucket, period_start, period_end, open_value, won_value, best_case_forecast FROM forecast(:sales, 'quarter', today => '2024-02-10');
SELECT bucket, period_start, open_value, won_value
FROM forecast(:sales, period_from => '2024-02-01', period_before => '2024-03-31', today => '2024-02-10');
SELECT bucket, open_deals, won_deals FROM forecast(:sales, owner_id => '00000000-0000-0000-0000-000000000012', today => '2024-02-10');
-- the categories add up to what is open and won
SELECT count(*) FROM forecast(today => '2024-02-10') WHERE pipeline + best_case + commit + closed + omitted <> open_value + won_value;
-- omitted deals are open all the same; an override ends with the deal
UPDATE deals SET forecast_category = 'omitted' WHERE title IN ('Zeta', 'Eta');
UPDATE deals SET status = 'won', stage_entered_at = '2024-02-15' WHERE title = 'Eta';
SELECT bucket, period_start, open_value, commit, closed, omitted, open_pipeline FROM forecast(:sales, today => '2024-02-10');
-- currencies apart; a deal without one counts in the pipeline's; lost and archived nowhere
INSERT INTO deals (stage_id, title, amount, currency, expected_close_date, value_period) VALUES
	('00000000-0000-0000-0000-0000000000a2', 'Euro', 70.07, 'EUR', '2024-03-15', 'monthly');
UPDATE deals SET status = 'lost' WHERE title = 'Zeta';
SELECT bucket, period_start, value_currency, open_value, weighted_value, won_value FROM forecast(:sales, 'quarter', today => '2024-02-10');
SELECT bucket, value_currency, open_value FROM forecast(currency => 'EUR', today => '2024-02-10');
SELECT bucket, value_currency, open_value, mixed_value_periods FROM forecast(value_period => 'monthly', today => '2024-02-10');
INSERT INTO deals (stage_id, title, amount, currency, expected_close_date) VALUES
	('00000000-0000-0000-0000-0000000000a2', 'Once', 10, 'EUR', '2024-03-20'), ('00000000-0000-0000-0000-0000000000a2', 'Not known', NULL, 'USD', '2024-03-20');
UPDATE deals SET value_period = 'annual' WHERE title = 'Not known';
SELECT bucket, period_start, value_currency, open_value, mixed_value_periods FROM forecast(today => '2024-02-10') WHERE mixed_value_periods;
ROLLBACK;

-- a pipeline of plain names has no probabilities: how many deals that concerns is said
BEGIN;
SELECT id AS plain FROM create_pipeline('Plain', '["One", {"name": "Won", "deal_status": "won"}]') \gset
INSERT INTO deals (pipeline_id, title, amount, expected_close_date, probability, value_period) VALUES
	(:'plain', 'Known', 100, '2024-02-20', 0.5, 'monthly'), (:'plain', 'Unknown', 300, '2024-02-20', NULL, 'monthly');
SELECT bucket, open_deals, open_value, weighted_value, deals_without_probability, mixed_value_periods FROM forecast(:'plain', today => '2024-02-10');
UPDATE deals SET value_period = 'annual' WHERE title = 'Known';
SELECT bucket, open_deals, open_value, mixed_value_periods FROM forecast(:'plain', today => '2024-02-10', group_by => 'value_period');
ROLLBACK;

-- nothing, no stage, wrong arguments
SELECT * FROM forecast(:empty);
SELECT bucket, period_start, open_deals, won_deals FROM forecast(today => '2024-02-10');
SELECT forecast('00000000-0000-0000-0000-00000000dead');
SELECT forecast(period => 'decade');
SELECT forecast(period => NULL);
SELECT forecast(period_from => '2024-02-01', period_before => '2024-01-01');
DROP SCHEMA analytics_forecast CASCADE;
