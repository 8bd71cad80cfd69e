-- periods of reports: weeks, fiscal quarters and years, time zones, leap days
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_calendar');
SET search_path = analytics_calendar, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''

-- the first and the last day of what a day is in
SELECT day, crm_period_start('week', day) AS week, crm_period_end('week', day) AS week_end, crm_period_start('month', day) AS month,
	crm_period_end('month', day) AS month_end, crm_period_start('quarter', day) AS quarter, crm_period_end('quarter', day) AS quarter_end,
	crm_period_start('year', day) AS year, crm_period_end('year', day) AS year_end, crm_period_end('day', day) AS day_end
FROM unnest('{2024-02-29,2023-02-28,1900-02-28,2000-02-29,2024-12-31,1999-12-31,0001-01-01}'::date[]) AS day;
-- every day is in one period, which begin where date_trunc() says, and follow each other
SELECT unit, count(*) FILTER (WHERE crm_period_start(unit, day) <> date_trunc(unit, day::timestamp)) AS differ,
	count(*) FILTER (WHERE day NOT BETWEEN crm_period_start(unit, day) AND crm_period_end(unit, day)) AS outside,
	count(*) FILTER (WHERE crm_period_start(unit, crm_period_end(unit, day) + 1) <> crm_period_end(unit, day) + 1) AS gaps
FROM unnest('{day,week,month,quarter,year}'::text[]) AS unit, generate_series(0, 3000, 1) AS n, LATERAL (SELECT '1995-11-11'::date + n * 7 + n % 7) AS d (day)
GROUP BY unit ORDER BY unit;
SET crm.week_start = 'sunday';
SELECT crm_period_start('week', '2024-03-03'), crm_period_start('week', '2024-03-02'), crm_period_end('week', '2024-03-03');
SET crm.week_start = 'saturday';
SELECT crm_period_start('week', '2024-03-03'), crm_period_start('week', '2024-03-01');
SET crm.fiscal_year_start = 2;
SELECT day, crm_period_start('quarter', day), crm_period_end('quarter', day), crm_period_start('year', day), crm_period_end('year', day)
FROM unnest('{2024-01-31,2024-02-01,2024-02-29,2024-05-01,2023-12-01}'::date[]) AS day;
SELECT m, count(*) FILTER (WHERE day NOT BETWEEN crm_period_start('quarter', day) AND crm_period_end('quarter', day)
	OR crm_period_start('quarter', crm_period_end('quarter', day) + 1) <> crm_period_end('quarter', day) + 1
	OR extract(month FROM crm_period_start('year', day)) <> m OR extract(day FROM crm_period_start('quarter', day)) <> 1) AS wrong
FROM generate_series(1, 12) AS m, set_config('crm.fiscal_year_start', m::text, false) AS c, generate_series(0, 800) AS n, LATERAL (SELECT '1999-01-01'::date + n) AS d (day)
WHERE c = m::text GROUP BY m HAVING count(*) FILTER (WHERE day NOT BETWEEN crm_period_start('quarter', day) AND crm_period_end('quarter', day)) > 0;
SET crm.fiscal_year_start = 13;
SET crm.week_start = 'someday';
RESET crm.fiscal_year_start;
RESET crm.week_start;
SELECT crm_period_start('month', 'infinity'), crm_period_end('week', '-infinity'), crm_period_start('month', NULL);
SELECT crm_period_start('decade', '2024-01-01');

-- the worked example: the fiscal year begins in February
SET crm.fiscal_year_start = 2;
SELECT bucket, period_start, period_end, won_deals, won_value, open_value FROM forecast(:sales, 'quarter', today => '2024-02-10');
SELECT group_key, won, won_value FROM win_rate(:sales, group_by => 'won_at.year') WHERE NOT is_total;
RESET crm.fiscal_year_start;

-- a deal that is won at half past eleven in New York, the next day elsewhere; in the
-- hour that clocks skip, and in the one that they repeat
BEGIN;
UPDATE deals SET won_at = '2024-02-01 04:30+00' WHERE title = 'Gamma';
SELECT zone, period_start, won_value FROM (VALUES (NULL), ('America/New_York'), ('Asia/Tokyo')) AS z (zone), forecast(:sales, time_zone => zone) WHERE won_deals > 0;
SELECT zone, group_key, won FROM (VALUES (NULL), ('America/New_York')) AS z (zone), win_rate(:sales, group_by => 'won_at.day', time_zone => zone) WHERE won > 0 AND NOT is_total;
SHOW timezone;
UPDATE deals SET won_at = '2024-03-31 00:59:59+00' WHERE title = 'Alpha';
UPDATE deals SET won_at = '2024-03-31 22:00:00+00' WHERE title = 'Gamma';
SELECT group_key, won FROM win_rate(:sales, group_by => 'won_at.day', time_zone => 'Europe/Berlin') WHERE won > 0 AND NOT is_total;
UPDATE deals SET won_at = '2024-10-26 22:00:00+00' WHERE title = 'Alpha';
UPDATE deals SET won_at = '2024-10-27 22:59:59+00' WHERE title = 'Gamma';
SELECT group_key, won FROM win_rate(:sales, group_by => 'won_at.day', time_zone => 'Europe/Berlin') WHERE won > 0 AND NOT is_total;
-- today is that of the time zone, too
SELECT count(DISTINCT x.overdue) FROM (VALUES ('Etc/GMT+12'), ('Etc/GMT-14')) AS z (zone),
	LATERAL (SELECT (now() AT TIME ZONE zone)::date AS today) AS t,
	LATERAL (SELECT zone || (SELECT count(*) FROM (SELECT f.* FROM forecast(time_zone => zone) AS f EXCEPT SELECT f.* FROM forecast(time_zone => zone, today => t.today) AS f) AS d)) AS x (overdue)
WHERE x.overdue LIKE '%0';
ROLLBACK;
-- a day that begins twice, as clocks are put back to midnight, begins the first time; it is the day from then on, whatever the clocks do
CREATE FUNCTION day_start(zone text, day date) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('timezone', zone, true);
	RETURN public.crm_day_start(day);
END $$;
SELECT z.zone, z.day, day_start(z.zone, z.day) AT TIME ZONE 'UTC' AS start, z.what
FROM (VALUES ('America/Havana', '2024-11-03'::date, 'from 1:00 to 0:00'), ('America/Havana', '2024-11-04', 'the next day'), ('America/Havana', '2024-03-10', 'from 0:00 to 1:00'),
	('America/Asuncion', '2024-03-24', 'from 24:00 to 23:00'), ('America/St_Johns', '2010-11-07', 'from 0:01 to 23:01'), ('Europe/Berlin', '2024-10-27', 'in the night'),
	('Australia/Lord_Howe', '2024-04-07', 'by half an hour'), ('Pacific/Apia', '2011-12-30', 'left out'), ('UTC', '2024-11-03', 'never')) AS z (zone, day, what);
SELECT day_start('UTC', 'infinity'), day_start('UTC', NULL);
-- from it on, and not before it, times are of the day or a later one
SELECT count(*) AS days, count(*) FILTER (WHERE (s.start AT TIME ZONE z.zone)::date < d.day) AS late, count(*) FILTER (WHERE ((s.start - interval '1 second') AT TIME ZONE z.zone)::date >= d.day) AS early
FROM unnest('{America/Havana,Asia/Amman,Africa/Cairo,America/Sao_Paulo,Atlantic/Azores,Europe/Berlin,Asia/Beirut}'::text[]) AS z (zone),
	LATERAL (SELECT '2000-01-01'::date + n AS day FROM generate_series(0, 9000) AS n) AS d, LATERAL (SELECT day_start(z.zone, d.day) AS start) AS s;
SELECT t.at AT TIME ZONE 'UTC' AS at FROM pipeline_trend(:sales, '2024-11-02 04:00Z', '2024-11-04 05:00Z', 'day', calendar => true, time_zone => 'America/Havana') AS t;
SET timezone = 'UTC';
-- names only: offsets would be east or west of UTC by the way in which they are written
CREATE FUNCTION answer(zone text) RETURNS text LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM forecast(time_zone => zone);
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT z.zone, answer(z.zone)
FROM (VALUES ('+02:00'), ('+02'), ('-02:30'), ('02:00'), ('2'), ('UTC+2'), ('GMT+2'), ('<+02>-2'), ('Europe/Berlin-2'), (''), ('inf'), ('Europe'), ('CEST'),
	('interval ''2 hours'''), ('Etc/GMT+2'), ('europe/berlin')) AS z (zone);
DROP FUNCTION answer(text);
-- after an error the session's time zone is what it was
SELECT count(*) FROM forecast(time_zone => 'Asia/Tokyo', target => 1);
SELECT count(*) FROM forecast(time_zone => 'Mars');
\echo :LAST_ERROR_SQLSTATE
SHOW timezone;
SELECT count(*) FROM forecast(period => 'decade');

\set empty '\'00000000-0000-0000-0000-000000000002\''
-- coverage: 4,000 to be won in each month, on February 10
BEGIN;
INSERT INTO deals (stage_id, title, amount, expected_close_date, created_at) VALUES
	('00000000-0000-0000-0000-0000000000a3', 'Zeta', 2000, '2024-02-20', '2024-02-01'), ('00000000-0000-0000-0000-0000000000a1', 'Iota', 400, '2024-02-10', '2024-02-01'),
	('00000000-0000-0000-0000-0000000000a2', 'Eta', 800, '2024-05-15', '2024-02-01');
SELECT bucket, period_start, won_value, open_value, weighted_value, target_value, attainment, coverage, weighted_coverage
FROM forecast(:sales, currency => 'USD', target => 4000, today => '2024-02-10');
-- a period without deals has a target, too, of which nothing is attained: between those with deals, or in the range that is asked for; in each group
SELECT period_start, period_end, value_currency, open_deals, won_value, target_value, attainment, coverage, rates, mixed_value_periods
FROM forecast(:sales, 'quarter', '2025-01-15', '2025-10-01', in_currency => 'USD', target => 4000) WHERE bucket = 'period';
SELECT group_key, is_total, period_start, won_value, target_value, attainment, coverage
FROM forecast(:sales, 'month', '2024-03-01', '2024-06-01', currency => 'USD', target => 4000, group_by => 'stage', today => '2024-02-10') WHERE bucket = 'period';
SELECT bucket, period_start, open_deals FROM forecast(:sales, 'year', '2030-01-01', currency => 'USD', target => 1, today => '2024-02-10');
SELECT count(*) FROM forecast(:sales, 'year', period_before => '2020-01-01', currency => 'USD', target => 1) WHERE bucket = 'period';
SELECT count(*) FROM forecast(:sales, 'year', '2030-01-15', '2030-01-15', currency => 'USD', target => 1) WHERE bucket = 'period';
SELECT period_start, period_end FROM forecast(:empty, 'week', '2030-01-02', '2030-01-15', currency => 'USD', target => 1);
SELECT count(*) FROM forecast(:empty, 'month', '2030-01-01', '2031-01-01', currency => 'USD');
SELECT count(*) FROM forecast(:empty, 'month', '-infinity', 'infinity', currency => 'USD', target => 1);
ROLLBACK;
SELECT count(*) FROM forecast(:empty, 'day', '1990-01-01', '2030-01-01', currency => 'USD', target => 1);
SELECT count(*) FROM forecast(:sales, target => 100);
SELECT count(*) FROM forecast(:sales, target => 0, currency => 'USD');
SELECT count(*) FROM forecast(:sales, target => 'NaN', currency => 'USD');
SELECT count(*) FROM forecast(:sales, target => 'Infinity', currency => 'USD');
RESET search_path;
DROP SCHEMA analytics_calendar CASCADE;
