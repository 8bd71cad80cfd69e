-- pipeline_trend(): the worked example, steps, currencies, errors
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_trend');
SET search_path = analytics_trend, public;
SET timezone = 'UTC';
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''
SET crm.effective_at = '2024-02-10';
UPDATE deals SET amount = 500, expected_close_date = '2024-06-30' WHERE title = 'Epsilon';
RESET crm.effective_at;

SELECT at::date, open_deals AS open, open_value, open_weighted_value AS weighted, won_deals AS won, won_value, won_weighted_value AS weighted,
	lost_deals AS lost, lost_value, lost_weighted_value AS weighted, deals_without_amount AS no_amount, deals_without_probability AS no_probability
FROM pipeline_trend(:sales, '2024-01-01', '2024-02-12', 'week');
SELECT at::date, stage, open_deals, open_value, open_weighted_value, won_deals, won_value, lost_deals
FROM pipeline_trend(:sales, '2024-01-12', '2024-02-12', 'month', by_stage => true);
SELECT value_currency, stage_id, stage, rates FROM pipeline_trend(:sales, '2024-01-01', '2024-01-01');

-- each step is counted from the beginning
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS months FROM pipeline_trend(:sales, '2024-01-31', '2024-07-31', 'month');
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS quarters FROM pipeline_trend(:sales, '2023-11-30', '2024-12-01', 'quarter');
SELECT count(*) AS days FROM pipeline_trend(:sales, '2024-01-01', '2024-12-31');
-- in the session's time zone
SET timezone = 'Europe/Berlin';
SELECT min(at) AS first, max(at) AS last, count(*) FROM pipeline_trend(:sales, '2024-03-30', '2024-04-01');
-- an island that left out December 30
SET timezone = 'Pacific/Apia';
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS days FROM pipeline_trend(:sales, '2011-12-28', '2012-01-01');
SET timezone = 'UTC';
-- the beginnings of calendar periods; years and quarters are fiscal, the first day of weeks is chosen
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS months FROM pipeline_trend(:sales, '2024-01-31', '2024-06-01', 'month', calendar => true);
SET crm.fiscal_year_start = 2;
SET crm.week_start = 'sunday';
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS quarters FROM pipeline_trend(:sales, '2023-11-30', '2024-12-01', 'quarter', calendar => true);
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS years FROM pipeline_trend(:sales, '2021-02-01', '2024-12-01', 'year', calendar => true);
SELECT string_agg(to_char(at, 'Dy DD'), ' ' ORDER BY at) AS weeks FROM pipeline_trend(:sales, '2024-02-22 12:00', '2024-03-17', 'week', calendar => true);
SELECT string_agg(at::date::text, ' ' ORDER BY at) AS years FROM pipeline_trend(:sales, '2020-02-29', '2024-12-01', 'year');
RESET crm.fiscal_year_start;
RESET crm.week_start;
-- days of another time zone, one of which has 23 hours; an unknown one
SELECT min(at) AS first, max(at) AS last, count(*) FROM pipeline_trend(:sales, '2024-03-30 00:00+01', '2024-04-01 00:00+02', time_zone => 'Europe/Berlin');
SELECT string_agg(at::text, ' ' ORDER BY at) AS days FROM pipeline_trend(:sales, '2024-03-30 00:00+01', '2024-04-01 00:00+02', calendar => true, time_zone => 'Europe/Berlin');
SELECT pipeline_trend(:sales, '2024-01-01', time_zone => 'Middle/Earth');
\echo :LAST_ERROR_SQLSTATE
SHOW timezone;

-- groups: an owner's deals are his as long as he had them
BEGIN;
SET LOCAL crm.effective_at = '2024-01-17';
UPDATE deals SET owner_id = '00000000-0000-0000-0000-000000000011' WHERE title IN ('Delta', 'Gamma');
SET LOCAL crm.effective_at = '2024-02-07';
UPDATE deals SET owner_id = '00000000-0000-0000-0000-000000000012' WHERE title = 'Delta';
SELECT right(group_key, 2) AS owner, is_total, at::date, open_deals, open_value, won_deals, won_value FROM pipeline_trend(:sales, '2024-01-15', '2024-02-12', 'week', group_by => 'owner');
SELECT group_key, stage, open_deals FROM pipeline_trend(:sales, '2024-01-15', '2024-01-15', group_by => 'value_period', by_stage => true) WHERE NOT is_total;
-- as they are now; of a deal that is deleted nobody knows
SELECT group_key, is_total, open_deals, open_value FROM pipeline_trend(:sales, '2024-01-03', '2024-01-03', group_by => 'created_month');
SELECT group_key, is_total FROM pipeline_trend(:empty, '2024-01-03', '2024-01-03', group_by => 'owner');
-- amounts of several value periods
UPDATE deals SET value_period = 'monthly' WHERE title = 'Alpha';
SELECT stage, mixed_value_periods, open_value, won_value FROM pipeline_trend(:sales, now(), now(), by_stage => true);
SELECT mixed_value_periods FROM pipeline_trend(:sales, now(), now());
SELECT DISTINCT mixed_value_periods, bar FROM pipeline_waterfall(:sales, '2024-01-02', '2024-02-10') WHERE bar = 'won';
UPDATE deals SET value_period = 'annual' WHERE title = 'Delta';
SELECT mixed_value_periods, bar, value FROM pipeline_waterfall(:sales, '2024-01-02') WHERE bar = 'closing';
ROLLBACK;
SELECT pipeline_trend(:sales, '2024-01-01', group_by => 'nothing');

-- up to now; before the first deal
SELECT count(*) AS days FROM pipeline_trend(:sales, now() - interval '30 days');
SELECT at::date, value_currency, open_deals, open_value, won_deals FROM pipeline_trend(:sales, '2023-11-01', '2024-01-01', 'month');
SELECT at::date, value_currency, open_deals, open_value, won_deals FROM pipeline_trend(:empty, '2023-11-01', '2023-12-01', 'month');
SELECT count(*) AS stages FROM pipeline_trend(:empty, '2023-11-01', '2023-11-01', by_stage => true);

-- several currencies: a row for each, at every moment
INSERT INTO deals (id, stage_id, title, amount, currency, created_at, stage_entered_at) VALUES
	('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000a4', 'Euro', 100, 'EUR', '2024-01-01', '2024-01-31 23:30Z'),
	('00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000a2', 'Pound', 1000, 'GBP', '2024-01-01', '2024-02-01');
SELECT at::date, value_currency, open_deals, open_value, won_deals, won_value FROM pipeline_trend(:sales, '2024-01-31', '2024-02-02');
\set VERBOSITY terse
SELECT count(*) FROM pipeline_trend(:sales, '2024-01-31', '2024-02-02', in_currency => 'USD');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 1.10), ('EUR', 'USD', '2024-02-01', 1.0823),
	('EUR', 'GBP', '2024-02-01', 0.85), ('GBP', 'USD', '2024-02-02', 1.27);
SELECT at::date, open_deals AS open, open_value, won_deals AS won, won_value, (SELECT string_agg(concat(r ->> 'base', r ->> 'quote', ' ', r ->> 'valid_from'), ', ' ORDER BY r) FROM jsonb_array_elements(rates) AS r) AS rates
FROM pipeline_trend(:sales, '2024-01-31', '2024-02-03', in_currency => 'USD');
SELECT at::date, oldest_rate FROM pipeline_trend(:sales, '2024-01-31', '2024-02-03', in_currency => 'USD', max_rate_age => 31);
SELECT pipeline_trend(:sales, '2024-01-31', '2024-02-03', in_currency => 'USD', max_rate_age => 29);
-- what is divided is rounded as the summary of each moment rounds it
CREATE FUNCTION differ(in_currency text) RETURNS TABLE (moments bigint, differ bigint) LANGUAGE sql SET search_path FROM CURRENT AS $$
	SELECT count(*), count(*) FILTER (WHERE row(t.open_deals, t.open_value, t.open_weighted_value, t.won_deals, t.won_value, t.won_weighted_value, t.lost_deals, t.lost_value, t.lost_weighted_value)
		<> row((r #>> '{open,total_deals}')::bigint, (r #>> '{open,total_value}')::numeric, (r #>> '{open,weighted_value}')::numeric, (r #>> '{won,total_deals}')::bigint,
			(r #>> '{won,total_value}')::numeric, (r #>> '{won,weighted_value}')::numeric, (r #>> '{lost,total_deals}')::bigint, (r #>> '{lost,total_value}')::numeric, (r #>> '{lost,weighted_value}')::numeric))
	FROM pipeline_trend('00000000-0000-0000-0000-000000000001', '2024-01-01', '2024-05-01', 'day', in_currency) AS t,
		pipeline_summary_as_of('00000000-0000-0000-0000-000000000001', t.at, in_currency) AS r
$$;
INSERT INTO exchange_rates (base, quote, valid_from, rate)
	SELECT b, 'CHF', '2023-12-01'::date + n, 0.5 + (n * 7919 % 1000) / 1000.0 + length(b) / 7.0
	FROM generate_series(0, 150, 3) AS n, unnest(ARRAY['USD', 'GBP']) AS b;
INSERT INTO exchange_rates (base, quote, valid_from, rate) SELECT 'NZD', 'GBP', '2023-12-01'::date + n, 0.3 + n / 7.0 FROM generate_series(0, 150, 5) AS n;
SELECT setseed(0.5);
INSERT INTO deals (stage_id, title, amount, currency, stage_entered_at)
	SELECT ('00000000-0000-0000-0000-0000000000a' || 1 + n % 5)::uuid, 'Random ' || n, n * 1.37, (ARRAY['EUR', 'USD', 'GBP'])[1 + n % 3], '2024-01-01'::timestamptz + random() * interval '90 days'
	FROM generate_series(1, 60) AS n;
UPDATE deals SET stage_id = ('00000000-0000-0000-0000-0000000000a' || 1 + (3 * amount)::integer % 5)::uuid, stage_entered_at = stage_entered_at + random() * interval '30 days'
	WHERE title LIKE 'Random %' AND stage_id <> ('00000000-0000-0000-0000-0000000000a' || 1 + (3 * amount)::integer % 5)::uuid;
UPDATE deals SET archived_at = '2024-04-03' WHERE title LIKE 'Random %5';
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'CHF', '2023-01-01', 0.97), ('NZD', 'EUR', '2023-01-01', 0.57), ('NZD', 'USD', '2023-01-01', 0.61);
SELECT * FROM differ('CHF');
SELECT * FROM differ('NZD');

-- keys are those of other reports, however dates are written
SET datestyle = 'German';
SELECT group_key FROM pipeline_trend(:sales, now(), group_by => 'expected_close_date') WHERE NOT is_total;
SELECT group_key FROM win_rate(:sales, 'created', group_by => 'expected_close_date') WHERE NOT is_total;
SET datestyle = 'SQL, DMY';
SELECT group_key FROM pipeline_trend(:sales, now(), group_by => 'expected_close_date') WHERE NOT is_total;
SELECT group_key FROM pipeline_trend(:sales, now(), group_by => 'expected_close_date.month') WHERE NOT is_total;
SET datestyle = 'ISO';

-- errors
SELECT pipeline_trend(:sales, '2024-01-01', '2024-02-01', 'decade');
SELECT pipeline_trend(:sales, '2024-02-01', '2024-01-01');
SELECT pipeline_trend(:sales, '2024-01-01', '2999-01-01');
SELECT pipeline_trend(:sales, '2999-01-01');
SELECT pipeline_trend(:sales, '2024-01-01', 'infinity');
SELECT pipeline_trend(:sales, '-infinity', '2024-01-01');
SELECT pipeline_trend(:sales, '1900-01-01', '2024-01-01');
SELECT count(*) AS months FROM pipeline_trend(:sales, '1900-01-01', '2024-01-01', 'month');
SELECT pipeline_trend(:sales, NULL);
SELECT pipeline_trend(NULL, '2024-01-01');
SELECT pipeline_trend('00000000-0000-0000-0000-00000000dead', '2024-01-01');
SELECT pipeline_trend(:sales, '2024-01-01', in_currency => 'BUCKS');

RESET search_path;
DROP SCHEMA analytics_trend CASCADE;
