-- exchange_rates, exchange_rate() and the argument in_currency
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_currencies');
SET search_path = analytics_currencies, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- one currency needs no rates, nor does a deal without an amount
SELECT a - '{as_of,source,by_currency}'::text[] = b - '{as_of,source,by_currency,rates,oldest_rate}'::text[] AS same, b -> 'rates' AS rates, b -> 'source' AS source
FROM pipeline_summary(:sales) AS a, pipeline_summary(:sales, in_currency => 'USD') AS b;
SELECT s -> 'currency' AS currency, s -> 'total_value' AS total, s -> 'rates' AS rates FROM pipeline_summary(:empty, in_currency => 'EUR') AS s;
UPDATE deals SET currency = 'CHF' WHERE title = 'Epsilon';
SELECT pipeline_summary(:sales, in_currency => 'USD') -> 'deals_without_amount' AS deals_without_amount;

-- missing rates are errors that say which, and 1 is never taken instead
INSERT INTO deals (id, stage_id, title, amount, currency, created_at, stage_entered_at) VALUES
	('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000a4', 'Euro', 100, 'EUR', '2024-01-01', '2024-01-31 23:30Z'),
	('00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000a2', 'Pound', 1000, 'GBP', '2024-01-01', '2024-01-01');
SELECT pipeline_summary(:sales, in_currency => 'EUR', owner_id => '00000000-0000-0000-0000-000000000011');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES
	('EUR', 'USD', '2024-01-01', 1.10),
	('EUR', 'USD', '2024-02-01', 1.0823),
	('EUR', 'GBP', '2024-02-01', 0.85),
	('USD', 'JPY', '2024-02-01', 150);
SELECT pipeline_summary(:sales, in_currency => 'GBP');
SELECT forecast(:sales, in_currency => 'CHF', currency => 'EUR');
SELECT win_rate(:sales, in_currency => 'CHF');
SELECT sales_velocity(:sales, in_currency => 'CHF');
SELECT recurring_revenue(:sales, 'won', in_currency => 'CHF');

-- the worked example: as they were won, by the euro; by its inverse; by way of it
SELECT * FROM exchange_rate('EUR', 'USD', '2024-01-31');
SELECT * FROM exchange_rate('USD', 'EUR', '2024-02-01');
SELECT * FROM exchange_rate('GBP', 'USD', '2024-02-01');
SELECT * FROM exchange_rate('GBP', 'JPY', '2024-02-01');
SELECT * FROM exchange_rate('USD', 'USD', '1900-01-01');
SELECT rate, oldest_rate FROM exchange_rate('EUR', 'USD', '2024-01-31', 30);
SELECT exchange_rate('EUR', 'USD', '2024-01-31', 29);
SET timezone = 'Asia/Tokyo';	-- the day is UTC's
SELECT jsonb_pretty(pipeline_summary(:sales, in_currency => 'USD') -> 'won') AS won,
	jsonb_pretty(pipeline_summary(:sales, in_currency => 'USD') -> 'open') AS open,
	jsonb_pretty(pipeline_summary(:sales, in_currency => 'USD') -> 'rates') AS rates;
SET timezone = 'UTC';
SELECT stage_id, value, weighted_value FROM crm_pipeline_summary_converted('analytics_currencies', :sales, 'USD') ORDER BY 1;
SELECT bucket, period_start, value_currency, open_value, won_value, rates FROM forecast(:sales, 'quarter', in_currency => 'USD', today => '2024-02-10');
SELECT value_currency, won_value, lost_value, win_rate_by_value, jsonb_array_length(by_currency), rates FROM win_rate(:sales, in_currency => 'USD');
SELECT value_currency, open_deals, won, average_won_value, velocity_per_day, rates FROM sales_velocity(:sales, in_currency => 'USD');
SELECT deal_status, value_currency, one_time_revenue, rates FROM recurring_revenue(:sales, in_currency => 'USD');
-- the other filters hold
SELECT pipeline_summary(:sales, in_currency => 'USD', owner_id => '00000000-0000-0000-0000-000000000011') -> 'total_value' AS total;
SELECT deal_status, one_time_revenue FROM recurring_revenue(:sales, currency => 'EUR', in_currency => 'USD');
-- to yen, of which there is no rate at the time that the others were won
SELECT pipeline_summary(:sales, in_currency => 'JPY', owner_id => '00000000-0000-0000-0000-000000000011');

-- exact: many deals against a computation deal by deal
INSERT INTO exchange_rates (base, quote, valid_from, rate)
	SELECT b, 'CHF', '2023-12-01'::date + n, 0.5 + (n * 7919 % 1000) / 1000.0 + length(b) / 7.0
	FROM generate_series(0, 90, 3) AS n, unnest('{USD,EUR,GBP}'::text[]) AS b;
INSERT INTO deals (stage_id, title, amount, currency, probability, created_at, stage_entered_at, value_period)
	SELECT (ARRAY['00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000a4', '00000000-0000-0000-0000-0000000000a5'])[n % 3 + 1]::uuid,
		'Many ' || n, n * 7919 % 100003 / 100.0, (ARRAY['USD', 'EUR', 'GBP'])[n % 5 % 3 + 1],
		CASE WHEN n % 3 = 0 THEN (n % 11) / 11.0 END, '2023-12-01', '2023-12-01'::timestamptz + n * interval '4 hours',
		(ARRAY['one_time', 'monthly'])[n % 2 + 1]
	FROM generate_series(1, 500) AS n;
CREATE TEMP VIEW converted AS
	SELECT d.status, d.value_period, d.amount * r.rate AS value, d.amount * d.probability * r.rate AS weighted
	FROM deals AS d CROSS JOIN LATERAL (
		SELECT rate FROM exchange_rates AS e WHERE e.base = d.currency AND e.quote = 'CHF'
			AND e.valid_from <= coalesce(d.won_at, d.lost_at, now()) AT TIME ZONE 'UTC' ORDER BY valid_from DESC LIMIT 1) AS r
	WHERE d.pipeline_id = :sales AND d.archived_at IS NULL;
SELECT s -> 'total_value' = to_jsonb((SELECT trim_scale(sum(value)) FROM converted)) AS total,
	s -> 'weighted_value' = to_jsonb((SELECT trim_scale(sum(weighted)) FROM converted)) AS weighted,
	s #> '{won,total_value}' = to_jsonb((SELECT trim_scale(sum(value)) FROM converted WHERE status = 'won')) AS won,
	s #> '{by_value_period,1,lost,total_value}' = to_jsonb((SELECT trim_scale(sum(value)) FROM converted WHERE status = 'lost' AND value_period = 'monthly')) AS lost_monthly,
	(SELECT sum((g ->> 'total_value')::numeric) FROM jsonb_array_elements(s -> 'stages') AS g) = (s ->> 'total_value')::numeric AS stages_add_up
FROM pipeline_summary(:sales, in_currency => 'CHF') AS s;
SELECT (SELECT sum(open_value) FROM forecast(in_currency => 'CHF')) = (SELECT sum(value) FROM converted WHERE status = 'open') AS forecast,
	(SELECT won_value FROM win_rate(in_currency => 'CHF')) = (SELECT sum(value) FROM converted WHERE status = 'won') AS win_rate,
	(SELECT sum(one_time_revenue) FROM recurring_revenue(in_currency => 'CHF')) = (SELECT sum(value) FROM converted WHERE value_period = 'one_time') AS one_time,
	(SELECT sum(arr) FROM recurring_revenue(in_currency => 'CHF')) = (SELECT sum(value) * 12 FROM converted WHERE value_period = 'monthly') AS arr;
-- quotients have 8 digits, of large amounts too
SELECT crm_convert(999999999999999.9999, 1, 3), crm_convert(0.0001, 2, 3), crm_convert(NULL, 1, 1), crm_convert(5, NULL, 1);

-- wrong rates and arguments
\set VERBOSITY sqlstate
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 2);
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'EUR', 1);
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'BUCKS', 1);
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'SEK', 0);
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'SEK', 'NaN');
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'SEK', 'Infinity');
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'SEK', -1);
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'SEK', '-infinity', 1);
\set VERBOSITY default
SELECT exchange_rate('EUR', 'BUCKS');
SELECT exchange_rate(NULL, 'EUR');
SELECT crm_pipeline_summary_converted('analytics_currencies', :sales, NULL);
SELECT forecast(in_currency => 'BUCKS');
SELECT win_rate(in_currency => '');
SELECT sales_velocity(in_currency => 'usd');
SELECT recurring_revenue(in_currency => 'BUCKS');
RESET search_path;
DROP SCHEMA analytics_currencies CASCADE;

-- tenants have rates of their own
SELECT crm_install('analytics_currencies', tenancy => 'shared');
CREATE ROLE regress_crm_rates;
SELECT crm_grant_access('analytics_currencies', 'regress_crm_rates', 'admin');
SET search_path = analytics_currencies, public;
SET ROLE regress_crm_rates;
SET crm.tenant_id = '00000000-0000-0000-0000-00000000000a';
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 2);
SET crm.tenant_id = '00000000-0000-0000-0000-00000000000b';
SELECT exchange_rate('EUR', 'USD', '2024-01-01');
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 3);
SELECT rate FROM exchange_rate('EUR', 'USD', '2024-01-01');
UPDATE exchange_rates SET tenant_id = '00000000-0000-0000-0000-00000000000a';
RESET ROLE;
RESET crm.tenant_id;
RESET search_path;
DROP SCHEMA analytics_currencies CASCADE;
DROP ROLE regress_crm_rates;
