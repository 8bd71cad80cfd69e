-- recurring_revenue(), rotting_deals() and stage_probabilities()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_revenue');
SET search_path = analytics_revenue, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- the worked example: only one-time amounts
SELECT * FROM recurring_revenue(:sales);
-- that of recurring revenue
BEGIN;
INSERT INTO deals (stage_id, title, amount, value_period, created_at, stage_entered_at, probability) VALUES
	('00000000-0000-0000-0000-0000000000b2', 'Monthly', 100, 'monthly', '2024-01-01', '2024-01-02', NULL),
	('00000000-0000-0000-0000-0000000000b2', 'Quarterly', 100, 'quarterly', '2024-01-01', '2024-01-02', NULL),
	('00000000-0000-0000-0000-0000000000b2', 'Annual', 100, 'annual', '2024-01-01', '2024-01-02', NULL),
	('00000000-0000-0000-0000-0000000000b2', 'Set-up', 5000, 'one_time', '2024-01-01', '2024-01-02', NULL),
	('00000000-0000-0000-0000-0000000000b1', 'Open', 80, 'monthly', '2024-01-01', '2024-01-02', 0.25),
	('00000000-0000-0000-0000-0000000000b2', 'Not known', NULL, 'monthly', '2024-01-01', '2024-01-02', NULL);
INSERT INTO deals (stage_id, title, amount, currency, value_period, created_at, stage_entered_at)
	VALUES ('00000000-0000-0000-0000-0000000000b2', 'Euro', 7, 'EUR', 'monthly', '2024-01-01', '2024-02-02');
SELECT * FROM recurring_revenue(:empty);
SELECT deal_status, value_currency, mrr FROM recurring_revenue(:empty, status => 'open');
SELECT deal_status, value_currency, mrr FROM recurring_revenue(:empty, closed_from => '2024-01-02', closed_before => '2024-02-02');
SELECT deal_status, value_currency, mrr FROM recurring_revenue(:empty, closed_from => '2024-02-02');
SELECT deal_status, value_currency, mrr FROM recurring_revenue(currency => 'EUR');
SELECT deal_status, value_currency, one_time_revenue FROM recurring_revenue(owner_id => '00000000-0000-0000-0000-000000000011');
UPDATE deals SET archived_at = now() WHERE title = 'Monthly';
SELECT arr FROM recurring_revenue(:empty, 'won', currency => 'USD');
ROLLBACK;
SELECT * FROM recurring_revenue(:empty);
-- a pipeline of plain names has no probabilities: how many deals that concerns is said
BEGIN;
SELECT id AS plain FROM create_pipeline('Plain', '["One", {"name": "Won", "deal_status": "won"}]') \gset
INSERT INTO deals (pipeline_id, title, amount, probability, value_period) VALUES
	(:'plain', 'Known', 120, 0.5, 'monthly'), (:'plain', 'Unknown', 30, NULL, 'annual'), (:'plain', 'Once', 7, NULL, 'one_time');
SELECT deal_status, recurring_deals, mrr, weighted_mrr, one_time_deals, deals_without_probability FROM recurring_revenue(:'plain');
ROLLBACK;

-- rotting: 14 days in First; without rotting_days never, closed or archived neither
SELECT * FROM rotting_deals();
BEGIN;
UPDATE stages SET rotting_days = CASE name WHEN 'First' THEN 14 ELSE 1 END WHERE name IN ('First', 'Done');
INSERT INTO deals (stage_id, title, amount, owner_id, created_at) VALUES
	('00000000-0000-0000-0000-0000000000b1', 'Bad', 10, NULL, now() - interval '360 hours'),
	('00000000-0000-0000-0000-0000000000b1', 'Worst', NULL, '00000000-0000-0000-0000-000000000011', now() - interval '732 hours'),
	('00000000-0000-0000-0000-0000000000b1', 'Just not', 10, NULL, now() - interval '336 hours'),
	('00000000-0000-0000-0000-0000000000b2', 'Won', 10, NULL, now() - interval '732 hours'),
	('00000000-0000-0000-0000-0000000000b1', 'Archived too', 10, NULL, now() - interval '732 hours');
UPDATE deals SET archived_at = now() WHERE title = 'Archived too';
SELECT title, stage_name, amount, currency, rotting_days, days_in_stage, days_over FROM rotting_deals();
SELECT title FROM rotting_deals(:sales);
SELECT title FROM rotting_deals(:empty, currency => 'USD');
SELECT title FROM rotting_deals(owner_id => '00000000-0000-0000-0000-000000000011');
-- the view is the same without the order; days are of 24 hours in any time zone
SELECT count(*) FROM rotting_deals WHERE pipeline_id = :empty;
SET LOCAL timezone = 'America/New_York';
SELECT title, days_over FROM rotting_deals();
-- undoing a move goes on counting from when the deal had entered
SELECT (move_deal(id, '00000000-0000-0000-0000-0000000000b2')).status FROM deals WHERE title = 'Bad';
SELECT title FROM rotting_deals();
SELECT (undo_move(id)).status FROM deals WHERE title = 'Bad';
SELECT title, days_over FROM rotting_deals() WHERE title = 'Bad';
UPDATE stages SET rotting_days = 2147483647 WHERE name = 'First';
SELECT count(*) FROM rotting_deals();
ROLLBACK;

-- probabilities: the worked example
SELECT stage_name, probability, closed_deals, won, lost, won_share, insufficient_history, suggested_probability
FROM stage_probabilities(:sales, minimum_deals => 3);
SELECT stage_name, closed_deals, won_share, insufficient_history, suggested_probability FROM stage_probabilities(:sales);
SELECT stage_name, closed_deals, won_share
FROM stage_probabilities(:sales, closed_from => '2024-01-19', closed_before => '2024-02-01');
SELECT stage_name, closed_deals, won_share FROM stage_probabilities(:sales, owner_id => '00000000-0000-0000-0000-000000000012');
SELECT stage_name, closed_deals, won_share FROM stage_probabilities(:sales, currency => 'EUR');
SELECT stage_name, closed_deals, won, lost, won_share, insufficient_history, suggested_probability FROM stage_probabilities(:empty, 1);
-- what is suggested can be set
BEGIN;
UPDATE stages AS s SET probability = p.suggested_probability FROM stage_probabilities(:sales, 1) AS p
WHERE s.id = p.stage_id AND NOT p.insufficient_history RETURNING s.name, s.probability;
ROLLBACK;

-- wrong input
SELECT recurring_revenue('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT recurring_revenue(status => 'closed');
\echo :LAST_ERROR_SQLSTATE
SELECT recurring_revenue(closed_from => '2024-02-01', closed_before => '2024-01-01');
SELECT rotting_deals('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT stage_probabilities('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT stage_probabilities(NULL);
SELECT stage_probabilities(:sales, 0);
\echo :LAST_ERROR_SQLSTATE
SELECT stage_probabilities(:sales, closed_from => '2024-02-01', closed_before => '2024-01-01');

RESET search_path;
DROP SCHEMA analytics_revenue CASCADE;
