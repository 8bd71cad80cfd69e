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
SELECT stage_id, value, weighted_value, divide_by FROM crm_pipeline_summary_converted('analytics_currencies', :sales, 'USD') ORDER BY 1, 4;
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
CREATE TEMP VIEW many AS SELECT n, (n * 7919 % 100003 - 50000) / 100.0 AS v, 1 + n % 7 / 10.0 AS m, 100 + n * 31 % 97 AS d FROM generate_series(1, 1000) AS n;
CREATE FUNCTION converted_sum(VARIADIC numeric[]) RETURNS numeric LANGUAGE sql
	AS $$ SELECT crm_converted_sum($1[n], $1[n + 1], $1[n + 2]) FROM generate_series(1, cardinality($1), 3) AS n $$;
SELECT converted_sum(999999999999999.9999, 1, 3), converted_sum(0.0001, 2, 3), converted_sum(NULL, 1, 1), converted_sum(5, NULL, 1), converted_sum(5, NULL, NULL),
	converted_sum(0, 1, 3), (SELECT crm_converted_sum(1, 1, 1) WHERE false) AS none;
-- added up, then rounded: thirds and sixths, halves of the last digit, what cancels out, divisors that are 1
SELECT converted_sum(1, 1, 3, 1, 1, 3, 1, 1, 3) AS whole, converted_sum(0.00000001, 1, 3, 0.00000001, 1, 6) AS half_up, converted_sum(-0.00000001, 1, 3, -0.00000001, 1, 6) AS half_down,
	converted_sum(1, 1, 3, 1, 1.0, 7, -1, 1, 3.0, -1, 1, 7) AS nothing, converted_sum(1, 1.123456789012, 1.0, -1, 2, 3, 2, 1, 3) AS not_rounded;
SELECT bool_and((SELECT crm_converted_sum(v, m, d) FROM (SELECT * FROM many ORDER BY hashint4(n + i)) AS x)
	= round((SELECT sum(s.v / s.d * 1.000000000000000000000000000000000000000000000000) FROM (SELECT d, sum(v * m) * 1.000000000000000000000000000000000000000000000000000 AS v FROM many GROUP BY d) AS s), 8)) AS right_in_any_order
FROM generate_series(1, 20) AS i;

-- a filter that no deal can pass is a mistake, too: of each report that has it
CREATE FUNCTION refused(argument text, value text) RETURNS TABLE (error text, reports text) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	f record; given text;
BEGIN
	CREATE TEMP TABLE answers (report text, answer text);
	FOR f IN SELECT p.proname, p.proargnames, p.pronargs - p.pronargdefaults AS required FROM pg_proc AS p
		WHERE p.pronamespace = 'analytics_currencies'::regnamespace AND p.provolatile = 's' AND argument = ANY (p.proargnames[:p.pronargs])
	LOOP
		SELECT concat_ws(', ', string_agg(format('%I => %L', a, CASE a WHEN 'pipeline_id' THEN '00000000-0000-0000-0000-000000000001' ELSE '2024-01-01' END), ', '),
			format('%I => %L', argument, value)) INTO given FROM unnest(f.proargnames[:f.required]) AS a;
		BEGIN
			EXECUTE format('SELECT FROM %I(%s)', f.proname, given);
			INSERT INTO answers VALUES (f.proname, 'ok');
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO answers VALUES (f.proname, SQLSTATE || ' ' || SQLERRM);
		END;
	END LOOP;
	RETURN QUERY SELECT a.answer, string_agg(a.report, ', ' ORDER BY a.report COLLATE "C") FROM answers AS a GROUP BY a.answer ORDER BY a.answer COLLATE "C";
	DROP TABLE answers;
END $$;
SELECT v.argument, r.error, r.reports
FROM (VALUES ('currency', 'usd'), ('currency', 'XXXX'), ('currency', ''), ('currency', 'SEK'), ('value_period', 'weekly'), ('value_period', ''),
	('value_period', 'monthly')) AS v (argument, value), refused(v.argument, v.value) AS r;
SELECT count(*) FROM forecast(currency => 'usd', target => 3000);
SELECT count(*) FROM win_rate(value_period => 'Monthly');

-- what is divided is rounded once: the total is the same beside groups, of whatever size, and what the deals alone add up to
BEGIN;
INSERT INTO pipelines (id, name, currency) VALUES ('00000000-0000-0000-0000-000000000003', 'Yen', 'JPY');
INSERT INTO stages (id, pipeline_id, name, deal_status, probability, position) VALUES
	('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-000000000003', 'First', 'open', 0.3333, 1),
	('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-000000000003', 'Second', 'open', 0.7, 2),
	('00000000-0000-0000-0000-0000000000c3', '00000000-0000-0000-0000-000000000003', 'Won', 'won', 1, 3),
	('00000000-0000-0000-0000-0000000000c4', '00000000-0000-0000-0000-000000000003', 'Lost', 'lost', 0, 4);
DELETE FROM exchange_rates;
INSERT INTO exchange_rates (base, quote, valid_from, rate)
	SELECT 'USD', b, '2024-01-01'::date + n, 140 + (n * 7 + length(b)) % 11 / 7.0 FROM generate_series(0, 30) AS n, unnest('{JPY,KRW}'::text[]) AS b;
INSERT INTO deals (stage_id, title, amount, currency, value_period, created_at, stage_entered_at, lost_reason)
	SELECT ('00000000-0000-0000-0000-0000000000c' || n % 4 + 1)::uuid, 'Yen ' || n, 1 + n % 5, (ARRAY['JPY', 'KRW', 'USD'])[n % 9 / 4 + 1],
		(ARRAY['one_time', 'monthly'])[n % 2 + 1], '2024-01-01', '2024-01-01'::timestamptz + n * interval '5 hours', CASE WHEN n % 4 = 3 THEN 'price' || n % 8 END
	FROM generate_series(1, 120) AS n;
-- a part of each deal's past, in groups: it came by the first stage
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000c2', stage_entered_at = stage_entered_at + interval '1 hour' WHERE stage_id = '00000000-0000-0000-0000-0000000000c1' AND amount > 2;
\set yen '\'00000000-0000-0000-0000-000000000003\''
-- the rows of all deals, without what names groups
CREATE FUNCTION totals(report text, arguments text, dimension text) RETURNS SETOF jsonb LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT to_jsonb(r) FROM %I(%s, in_currency => ''USD'', group_by => %L) AS r WHERE r.is_total', report, arguments, dimension);
END $$;
SELECT r.report, count(*) AS dimensions, count(*) FILTER (WHERE t.totals IS DISTINCT FROM a.totals) AS different, count(*) FILTER (WHERE a.totals IS NULL) AS nothing
FROM (VALUES ('forecast', :'yen'), ('funnel', :'yen'), ('stage_conversion', :'yen'), ('lost_reasons', :'yen'), ('lost_reasons', :'yen' || ', true'), ('recurring_revenue', :'yen'),
		('sales_velocity', :'yen'), ('stage_flow', :'yen' || ', ''day'''), ('win_rate', :'yen'), ('win_rate', :'yen' || ', ''created'''),
		('pipeline_trend', :'yen' || ', ''2024-01-01'', ''2024-02-10'''), ('pipeline_trend', :'yen' || ', ''2024-01-01'', ''2024-02-10'', by_stage => true')) AS r (report, arguments)
	CROSS JOIN unnest('{deal,currency,value_period,stage,created_at.day,stage_entered_at.week}'::text[]) AS d (dimension)
	CROSS JOIN LATERAL (SELECT jsonb_agg(t ORDER BY t) AS totals FROM totals(r.report, r.arguments, NULL) AS t) AS a
	CROSS JOIN LATERAL (SELECT jsonb_agg(t ORDER BY t) AS totals FROM totals(r.report, r.arguments, d.dimension) AS t) AS t
GROUP BY r.report, r.arguments ORDER BY r.report, r.arguments;
CREATE TEMP VIEW quotients AS
	SELECT d.stage_id, d.status, d.value_period, d.amount * 1.000000000000000000000000000000000000000000000000000000000000 / coalesce(r.rate, 1) AS value
	FROM deals AS d LEFT JOIN LATERAL (
		SELECT rate FROM exchange_rates AS e WHERE e.quote = d.currency
			AND e.valid_from <= coalesce(d.won_at, d.lost_at, now()) AT TIME ZONE 'UTC' ORDER BY valid_from DESC LIMIT 1) AS r ON true
	WHERE d.pipeline_id = :yen;
SELECT (SELECT won_value FROM win_rate(:yen, in_currency => 'USD')) = q.won AS win_rate,
	(SELECT sum(open_value) FROM forecast(:yen, 'year', in_currency => 'USD')) = q.open AS forecast,
	(SELECT (s -> 'total_value')::numeric FROM pipeline_summary(:yen, in_currency => 'USD') AS s) = q.total AS summary,
	(SELECT (s #> '{won,total_value}')::numeric FROM pipeline_summary(:yen, in_currency => 'USD') AS s) = q.won AS summary_won,
	(SELECT bool_and((g ->> 'total_value')::numeric = round((SELECT sum(v.value) FROM quotients AS v WHERE v.stage_id = (g ->> 'stage_id')::uuid), 8))
		FROM pipeline_summary(:yen, in_currency => 'USD') AS s, jsonb_array_elements(s -> 'stages') AS g) AS summary_of_stages,
	(SELECT s - '{as_of,source,rates}'::text[] = a - '{as_of,source,rates}'::text[]
		FROM pipeline_summary(:yen, in_currency => 'USD') AS s, pipeline_summary_as_of(:yen, now(), 'USD') AS a) AS as_of,
	(SELECT won_value = q.won AND open_value = q.open AND lost_value = q.lost FROM pipeline_trend(:yen, now(), in_currency => 'USD')) AS trend
FROM (SELECT round(sum(value), 8) AS total, round(sum(value) FILTER (WHERE status = 'won'), 8) AS won, round(sum(value) FILTER (WHERE status = 'open'), 8) AS open,
		round(sum(value) FILTER (WHERE status = 'lost'), 8) AS lost FROM quotients) AS q;
SELECT count(*) AS moments, count(*) FILTER (WHERE t.open_value IS DISTINCT FROM (s #> '{open,total_value}')::numeric
	OR t.won_value IS DISTINCT FROM (s #> '{won,total_value}')::numeric OR t.lost_value IS DISTINCT FROM (s #> '{lost,total_value}')::numeric
	OR t.open_weighted_value IS DISTINCT FROM (s #> '{open,weighted_value}')::numeric) AS different
FROM pipeline_trend(:yen, '2024-01-01', '2024-02-10', in_currency => 'USD') AS t, pipeline_summary_as_of(:yen, t.at, 'USD') AS s;
ROLLBACK;

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
