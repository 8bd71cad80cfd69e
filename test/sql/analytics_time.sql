-- stage_visits and time_in_stage()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_time');
SET search_path = analytics_time, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- the visits: one for each stay, the present one open; what was undone never was
SELECT coalesce(d.title, 'no more') AS deal, s.name AS stage, v.status, v.entered_at::date, v.exited_at::date,
	v.duration, n.name AS next, v.next_status
FROM stage_visits AS v LEFT JOIN deals AS d ON d.id = v.deal_id JOIN stages AS s ON s.id = v.stage_id
	LEFT JOIN stages AS n ON n.id = v.next_stage_id
ORDER BY v.deal_id, v.visit_no;
-- the visits of a deal follow each other without a gap
SELECT count(*) FROM stage_visits AS v
WHERE v.exited_at IS NOT NULL AND EXISTS (SELECT FROM deals WHERE id = v.deal_id)
	AND NOT EXISTS (SELECT FROM stage_visits AS n
		WHERE n.deal_id = v.deal_id AND n.visit_no > v.visit_no
			AND n.entered_at = v.exited_at AND n.stage_id = v.next_stage_id AND n.pipeline_id = v.next_pipeline_id);
-- a move after an undone one
BEGIN;
SELECT move('Delta', 'Lost', '2024-01-30');
SELECT s.name, v.entered_at::date, v.exited_at::date
FROM stage_visits AS v JOIN stages AS s ON s.id = v.stage_id
WHERE v.deal_id = '00000000-0000-0000-0000-0000000000d4' ORDER BY v.visit_no;
ROLLBACK;
-- into another pipeline and on
BEGIN;
SELECT move('Delta', 'First', '2024-01-30');
SELECT move('Delta', 'Done', '2024-02-04');
SELECT stage_name, deals, visits, average_days FROM time_in_stage(:empty);
SELECT stage_name, deals, visits, average_days FROM time_in_stage(:sales);
ROLLBACK;

-- the worked example
SELECT stage_name, stage_position, deal_status, deals, visits, average_days, median_days, p90_days, max_days
FROM time_in_stage(:sales);
SELECT stage_name, deals, visits, average_days, median_days, p90_days, max_days FROM time_in_stage(:sales, measure => 'first');
SELECT stage_name, deals, visits, average_days, median_days, p90_days, max_days FROM time_in_stage(:sales, measure => 'latest');
SELECT stage_name, deals, visits, average_days, median_days, p90_days, max_days FROM time_in_stage(:sales, measure => 'cumulative');
-- with the present stay: of open deals only
BEGIN;
INSERT INTO deals (stage_id, title, created_at) VALUES
	('00000000-0000-0000-0000-0000000000b1', 'Recent', now() - interval '36 hours'),
	('00000000-0000-0000-0000-0000000000b2', 'Closed', now() - interval '36 hours');
SELECT stage_name, deals, visits, average_days, max_days FROM time_in_stage(:empty, with_current => true);
SELECT stage_name, deals, visits, average_days, max_days FROM time_in_stage(:empty);
ROLLBACK;
-- deals and stays that are asked for
SELECT stage_name, deals, visits, average_days FROM time_in_stage(:sales, owner_id => '00000000-0000-0000-0000-000000000012');
SELECT stage_name, deals, visits, average_days
FROM time_in_stage(:sales, entered_from => '2024-01-03', entered_before => '2024-01-10');
SELECT stage_name, deals, visits, average_days FROM time_in_stage(:sales, currency => 'EUR') WHERE stage_name = 'Lead';
-- the same by hand, from the history
SELECT t.average_days, round(extract(epoch FROM avg(c.changed_at - c.entered_at)) / 86400, 6) AS by_hand
FROM time_in_stage(:sales) AS t, stage_changes AS c JOIN deals AS d ON d.id = c.deal_id
WHERE t.stage_name = 'Demo' AND c.from_stage_id = t.stage_id AND d.archived_at IS NULL AND d.title <> 'Delta'
GROUP BY t.average_days;

-- nothing to measure; ties; an archived stage while there were stays
SELECT stage_name, deals, visits, average_days, median_days, p90_days, max_days FROM time_in_stage(:empty);
BEGIN;
INSERT INTO deals (stage_id, title, created_at) VALUES ('00000000-0000-0000-0000-0000000000b1', 'Tie', '2024-01-01');
SELECT move('Tie', 'Done', '2024-01-01');
SELECT stage_name, deals, visits, average_days, median_days, p90_days, max_days FROM time_in_stage(:empty);
UPDATE stages SET archived_at = now() WHERE name IN ('First', 'Done');
SELECT stage_name, deals FROM time_in_stage(:empty);
ROLLBACK;

-- wrong input
SELECT time_in_stage('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT time_in_stage(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT time_in_stage(:sales, measure => 'third');
\echo :LAST_ERROR_SQLSTATE
SELECT time_in_stage(:sales, entered_from => '2024-02-01', entered_before => '2024-01-01');
\echo :LAST_ERROR_SQLSTATE

-- a column may be added to the tables, and the functions still work
ALTER TABLE deals ADD COLUMN mine text;
ALTER TABLE stage_changes ADD COLUMN mine text;
SELECT sum(visits) FROM time_in_stage(:sales);

RESET search_path;
DROP SCHEMA analytics_time CASCADE;
