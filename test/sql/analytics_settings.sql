-- wrong settings of the calendar: where they are refused
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_settings');
SET search_path = analytics_settings, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''

-- settings that nothing checked when they were set, as the library was not loaded: what is by them refuses, all else does not care
SET crm.fiscal_year_start = 2;
\c -
SET search_path = analytics_settings, public;
SET client_min_messages = warning;
SET crm.fiscal_year_start = 13;
SET crm.week_start = 'funday';
SELECT count(*) FROM forecast();
SELECT count(*) FROM forecast(period => 'day');
SELECT count(*) FROM forecast(period => 'quarter');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM forecast(period => 'year');
SELECT count(*) FROM forecast(period => 'week');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM win_rate(group_by => 'created_at.year');
SELECT count(*) FROM stage_flow(:sales, 'week');
SELECT count(*) FROM pipeline_trend(:sales, '2024-01-01', step => 'quarter', calendar => true);
SHOW crm.fiscal_year_start;
SET crm.fiscal_year_start = 0;
SET crm.week_start = 'Sunday';
SET crm.fiscal_year_start = '';
SELECT crm_period_start('week', '2024-03-03'), crm_period_start('year', '2024-03-03');
RESET ALL;
SET search_path = analytics_settings, public;
SHOW crm.week_start;
SELECT format('ALTER DATABASE %I SET crm.week_start = %L', current_database(), 'funday') AS set_it, format('ALTER DATABASE %I RESET crm.week_start', current_database()) AS reset_it \gset
-- a worker gets what the session has
\c -
SET search_path = analytics_settings, public;
SET client_min_messages = warning;
SET crm.fiscal_year_start = 13;
SELECT crm_period_start('day', '2024-03-03');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT count(*) > 0 AS counted FROM deals WHERE crm_period_start('month', created_at::date) > '2000-01-01';
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
-- of the database: not let in where it is checked, else refused where it is used
:set_it;
\c -
:set_it;
\c -
SET search_path = analytics_settings, public;
SET client_min_messages = warning;
SELECT crm_period_start('week', '2024-03-03');
SET crm.week_start = 'sunday';
SELECT crm_period_start('week', '2024-03-03');
:reset_it;
\c -
SET client_min_messages = warning;
DROP SCHEMA analytics_settings CASCADE;
