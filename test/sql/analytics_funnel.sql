-- funnel() and stage_conversion()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_funnel');
SET search_path = analytics_funnel, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- the worked example
SELECT stage_name, deals, converted, conversion, won, lost, still_open, won_conversion, lost_conversion FROM funnel(:sales);
SELECT stage_name, deals, converted, conversion FROM funnel(:sales, rule => 'direct');
SELECT from_stage_name, to_stage_name, is_next, deals, converted, conversion FROM stage_conversion(:sales);
SELECT from_stage_name, to_stage_name, is_next, deals, converted, conversion
FROM stage_conversion(:sales, rule => 'direct') WHERE converted > 0 OR is_next;
-- both tell the same of the steps they share
SELECT rule, count(*), bool_and(f.deals = c.deals AND f.converted = c.converted AND f.conversion = c.conversion) AS same
FROM (VALUES ('direct'), ('reached')) AS r (rule), funnel(:sales, rule) AS f
	JOIN stage_conversion(:sales, rule) AS c ON c.from_stage_id = f.stage_id AND c.is_next
WHERE f.deal_status = 'open' GROUP BY rule ORDER BY rule;

-- cohorts, by when deals were created and by when they entered the stage
SELECT stage_name, deals, converted, conversion, won_conversion
FROM funnel(:sales, period_from => '2024-01-02', period_before => '2024-01-11');
SELECT stage_name, deals, converted, conversion, won_conversion
FROM funnel(:sales, cohort => 'entered', period_from => '2024-01-05', period_before => '2024-01-11');
SELECT from_stage_name, deals, converted FROM stage_conversion(:sales, cohort => 'entered',
	period_from => '2024-01-05', period_before => '2024-01-11') WHERE is_next;
SELECT from_stage_name, deals, converted FROM stage_conversion(:sales,
	period_from => '2024-01-02', period_before => '2024-01-11') WHERE is_next;
SELECT stage_name, deals, converted FROM funnel(:sales, owner_id => '00000000-0000-0000-0000-000000000011');
SELECT stage_name, deals, converted, conversion FROM funnel(:sales, currency => 'EUR');
-- a deal without an amount is of the pipeline's currency
SELECT stage_name, deals FROM funnel(:sales, currency => 'USD');

-- no deals; one deal; a deal reopened after it was lost, and one won twice
SELECT stage_name, deals, converted, conversion, won_conversion, lost_conversion FROM funnel(:empty);
BEGIN;
INSERT INTO deals (stage_id, title, created_at) VALUES ('00000000-0000-0000-0000-0000000000b1', 'One', '2024-01-01');
SELECT stage_name, deals, converted, conversion FROM funnel(:empty);
SELECT move('One', 'Done', '2024-01-02');
SELECT move('One', 'First', '2024-01-03');
SELECT stage_name, deals, converted, conversion, won_conversion FROM funnel(:empty);
SELECT move('One', 'Done', '2024-01-04');
SELECT stage_name, deals, converted, conversion, won_conversion FROM funnel(:empty);
ROLLBACK;
-- a stage that is archived is no next one, but was one
BEGIN;
UPDATE stages SET archived_at = now() WHERE name = 'Demo';
SELECT stage_name, deals, converted, conversion FROM funnel(:sales);
SELECT from_stage_name, to_stage_name, converted FROM stage_conversion(:sales) WHERE is_next;
ROLLBACK;

-- wrong input
SELECT funnel('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT funnel(NULL);
SELECT funnel(:sales, rule => 'any');
\echo :LAST_ERROR_SQLSTATE
SELECT funnel(:sales, cohort => 'closed');
SELECT funnel(:sales, period_from => '2024-02-01', period_before => '2024-01-01');
SELECT stage_conversion('00000000-0000-0000-0000-00000000dead');
SELECT stage_conversion(NULL);
SELECT stage_conversion(:sales, rule => NULL);
SELECT stage_conversion(:sales, cohort => NULL);
SELECT stage_conversion(:sales, period_from => '2024-02-01', period_before => '2024-01-01');

RESET search_path;
DROP SCHEMA analytics_funnel CASCADE;
