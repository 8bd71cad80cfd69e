-- Exchange rates: how a rate is found, whose it is, and that what is converted
-- is exact; for a reader with row security, and for who sees all tenants.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT no_plan();
CREATE ROLE er_admin;
SELECT extensions.crm_grant_access('crm', 'er_admin', 'admin') \g /dev/null
GRANT USAGE ON SCHEMA t TO er_admin;

-- How a conversion goes: factors and the rates used; or how it fails.
CREATE FUNCTION t.way(base text, quote text, on_date date) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT format('* %s / %s: %s', trim_scale(e.multiply_by), trim_scale(e.divide_by),
            (SELECT string_agg(concat(r ->> 'base', r ->> 'quote', ' ', r ->> 'valid_from'), ', ') FROM jsonb_array_elements(e.rates) AS r))
        FROM crm.exchange_rate(base, quote, on_date) AS e);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN sqlerrm;
END $$;
CREATE FUNCTION t.tenant(name text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('crm.tenant_id', t.id(name)::text, true) $$;

-- Looking up.
SELECT tenant('acme') \g /dev/null
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES
    ('EUR', 'USD', '2024-01-01', 1.1), ('EUR', 'USD', '2024-02-01', 1.2),
    ('EUR', 'GBP', '2024-01-15', 0.8),
    ('SEK', 'EUR', '2024-01-01', 0.09), ('NOK', 'EUR', '2024-01-01', 0.085);
SELECT is(way('EUR', 'USD', '2023-12-31'), 'there is no exchange rate from EUR to USD on 2023-12-31', 'before the first rate');
SELECT is(way('EUR', 'USD', '2024-01-01'), '* 1.1 / 1: EURUSD 2024-01-01', 'on its first day');
SELECT is(way('EUR', 'USD', '2024-01-31'), '* 1.1 / 1: EURUSD 2024-01-01', 'until the day before the next');
SELECT is(way('EUR', 'USD', '2024-02-01'), '* 1.2 / 1: EURUSD 2024-02-01', 'the next');
SELECT is(way('EUR', 'USD', '2999-01-01'), '* 1.2 / 1: EURUSD 2024-02-01', 'the last one holds on');
SELECT is(way('EUR', 'USD', NULL), '* 1.2 / 1: EURUSD 2024-02-01', 'no day: today');
SELECT is(error_of(format('SELECT * FROM exchange_rate(''EUR'', ''USD'', %L, %s)', d, m)), format(E'22023\non_date must not be "%s"\nIt is a day, such as 2026-01-31.', d), format('%s: no day, %s', d, m))
FROM (VALUES ('infinity', '5'), ('infinity', 'NULL'), ('-infinity', '5')) AS v (d, m);
SELECT is(way('USD', 'EUR', '2024-01-31'), '* 1 / 1.1: EURUSD 2024-01-01', 'the inverse');
SELECT is(way('USD', 'GBP', '2024-01-31'), '* 0.8 / 1.1: EURUSD 2024-01-01, EURGBP 2024-01-15', 'both have rates of the euro');
SELECT is(way('USD', 'GBP', '2024-01-14'), 'there is no exchange rate from USD to GBP on 2024-01-14', 'each of both has to hold');
SELECT is(way('SEK', 'NOK', '2024-01-31'), '* 0.09 / 0.085: SEKEUR 2024-01-01, NOKEUR 2024-01-01', 'both have rates in euros');
SELECT is(way('SEK', 'USD', '2024-01-31'), '* 0.099 / 1: SEKEUR 2024-01-01, EURUSD 2024-01-01', 'one and the other');
SELECT is(way('USD', 'SEK', '2024-01-31'), '* 1 / 0.099: EURUSD 2024-01-01, SEKEUR 2024-01-01', 'and back');
SELECT is(way('USD', 'USD', '1900-01-01'), '* 1 / 1: ', 'of itself');
SELECT is(way('USD', 'JPY', '2024-01-31'), 'there is no exchange rate from USD to JPY on 2024-01-31', 'an unknown pair');

-- What is added later changes nothing of the days before it.
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('USD', 'GBP', '2024-03-01', 0.7), ('GBP', 'USD', '2024-02-20', 1.3),
    ('CHF', 'USD', '2024-02-10', 1.15), ('CHF', 'GBP', '2024-02-10', 0.9);
SELECT is(way('USD', 'GBP', '2024-02-09'), '* 0.8 / 1.2: EURUSD 2024-02-01, EURGBP 2024-01-15', 'before the others: by way of the euro');
SELECT is(way('USD', 'GBP', '2024-02-19'), '* 0.9 / 1.15: CHFUSD 2024-02-10, CHFGBP 2024-02-10', 'of two currencies by way of the first');
SELECT is(way('USD', 'GBP', '2024-02-29'), '* 1 / 1.3: GBPUSD 2024-02-20', 'rather the inverse');
SELECT is(way('USD', 'GBP', '2024-03-01'), '* 0.7 / 1: USDGBP 2024-03-01', 'rather its own');

-- A conversion is of many days at once, and complains of all.
SELECT is(error_of($$SELECT * FROM extensions.crm_conversion_rates('crm', 'JPY', array_fill(id('acme'), ARRAY[7]), ARRAY['USD', 'JPY', 'USD', 'EUR', 'USD', 'SEK', 'NOK'],
        ARRAY['2024-01-02', '2024-01-01', '2024-01-01', '2024-01-02', '2024-01-01', '2024-01-04', '-infinity']::date[])$$),
    E'22023\nthere is no exchange rate from NOK to JPY on -infinity\nMissing: NOK on -infinity, USD on 2024-01-01, EUR on 2024-01-02, USD on 2024-01-02, SEK on 2024-01-04\nInsert one into exchange_rates: of NOK in JPY, valid from that day or before.',
    'what is missing, each once, in the order of days');
SELECT is(error_of($$SELECT * FROM extensions.crm_conversion_rates('crm', 'JPY', array_fill(id('acme'), ARRAY[8]), array_fill('USD'::text, ARRAY[8]),
        ARRAY(SELECT '2024-01-01'::date + n FROM generate_series(1, 8) AS n))$$) ~ ', USD on 2024-01-06, and 3 more\n', true, 'and not too many');
SELECT is((SELECT count(*) FROM extensions.crm_conversion_rates('crm', 'USD', NULL, NULL, NULL)), 0::bigint, 'nothing to convert');
SELECT is((SELECT array_agg(concat(currency, ' ', multiply_by)) FROM extensions.crm_conversion_rates('crm', 'USD', ARRAY[id('acme'), NULL], ARRAY['USD', NULL], ARRAY['2024-01-01', NULL]::date[])),
    '{USD 1}', 'itself, and what is not known');
SELECT throws_like($$SELECT * FROM extensions.crm_conversion_rates('crm', NULL, NULL, NULL, NULL)$$, '%must not be null%');
SELECT throws_like($$SELECT * FROM extensions.crm_conversion_rates('crm', 'usd', NULL, NULL, NULL)$$, 'in_currency must not be "usd"');

-- Days are UTC's, whatever the session's time zone.
SELECT results_eq($$SELECT extensions.crm_conversion_day(w::timestamptz, l::timestamptz) FROM (VALUES ('2024-01-31 23:59:59.999999Z', NULL), ('2024-02-01 00:00Z', NULL),
        (NULL, '2024-02-29 12:00Z'), ('1999-12-31 23:59:59.999999Z', NULL), ('2000-01-01 00:00Z', NULL), ('0044-03-15 12:00Z BC', NULL), ('-infinity', NULL), ('infinity', NULL)) AS x (w, l)$$,
    $$VALUES ('2024-01-31'::date), ('2024-02-01'), ('2024-02-29'), ('1999-12-31'), ('2000-01-01'), ('0044-03-15 BC'), ('-infinity'), ('infinity')$$, 'days');
SELECT is(extensions.crm_conversion_day(NULL, NULL), (now() AT TIME ZONE 'UTC')::date, 'no time: today');
SELECT is((SELECT count(*) FROM generate_series('1990-01-01 00:00Z'::timestamptz, '2030-01-01', '7 hours 11 minutes') AS x WHERE extensions.crm_conversion_day(x, NULL) <> (x AT TIME ZONE 'UTC')::date),
    0::bigint, 'as the server has it');

-- Two tenants with rates of their own, and deals alike: 100 euros won, 100
-- lost, 100 open.
CREATE FUNCTION t.populate(name text, rate numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM t.tenant(name);
    INSERT INTO crm.pipelines (id, name, currency, is_default) VALUES (t.id(name || ' p'), 'Sales', 'USD', true);
    INSERT INTO crm.stages (id, pipeline_id, name, deal_status, probability) VALUES (t.id(name || ' s1'), t.id(name || ' p'), 'Lead', 'open', 0.5),
        (t.id(name || ' s2'), t.id(name || ' p'), 'Won', 'won', 1), (t.id(name || ' s3'), t.id(name || ' p'), 'Lost', 'lost', 0);
    INSERT INTO crm.deals (stage_id, title, amount, currency, created_at, stage_entered_at) SELECT t.id(name || s), s, 100, 'EUR', '2024-05-01', '2024-05-02'
        FROM unnest(ARRAY[' s1', ' s2', ' s3']) AS s;
    INSERT INTO crm.exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'AUD', '2024-05-01', rate), ('EUR', 'AUD', '2024-06-01', rate + 10);
END $$;
SELECT populate('beta', 2), populate('gamma', 3) \g /dev/null
CREATE FUNCTION t.all_of(pipeline text, which text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE which
        WHEN 'pipeline_summary' THEN (SELECT concat_ws(' ', s #> '{won,total_value}', s #> '{lost,total_value}', s #> '{open,total_value}', s #> '{open,weighted_value}') FROM crm.pipeline_summary(t.id(pipeline), in_currency => 'AUD') AS s)
        WHEN 'pipeline_summary_as_of' THEN (SELECT concat_ws(' ', s #> '{won,total_value}', s #> '{lost,total_value}', s #> '{open,total_value}', s #> '{open,weighted_value}') FROM crm.pipeline_summary_as_of(t.id(pipeline), clock_timestamp(), 'AUD') AS s)
        WHEN 'pipeline_waterfall' THEN (SELECT string_agg(concat_ws(' ', bar, value), ' ' ORDER BY bar_no) FROM crm.pipeline_waterfall(t.id(pipeline), '2024-05-20', in_currency => 'AUD') WHERE value <> 0)
        WHEN 'win_rate' THEN (SELECT concat_ws(' ', trim_scale(won_value), trim_scale(lost_value)) FROM crm.win_rate(t.id(pipeline), in_currency => 'AUD'))
        WHEN 'sales_velocity' THEN (SELECT concat_ws(' ', trim_scale(average_won_value)) FROM crm.sales_velocity(t.id(pipeline), in_currency => 'AUD'))
        WHEN 'recurring_revenue' THEN (SELECT string_agg(trim_scale(one_time_revenue)::text, ' ') FROM crm.recurring_revenue(t.id(pipeline), in_currency => 'AUD'))
        WHEN 'forecast' THEN (SELECT concat_ws(' ', trim_scale(sum(won_value)), trim_scale(sum(open_value))) FROM crm.forecast(t.id(pipeline), in_currency => 'AUD'))
    END $$;
CREATE TABLE t.answers (which text, beta text, gamma text);
INSERT INTO t.answers VALUES ('pipeline_summary', '200 200 1200 600', '300 300 1300 650'), ('pipeline_summary_as_of', '200 200 1200 600', '300 300 1300 650'),
    ('pipeline_waterfall', 'opening 1200 closing 1200', 'opening 1300 closing 1300'), ('win_rate', '200 200', '300 300'), ('sales_velocity', '200', '300'),
    ('recurring_revenue', '200 1200 200', '300 1300 300'), ('forecast', '200 1200', '300 1300');
GRANT SELECT ON ALL TABLES IN SCHEMA t TO er_admin;
-- the superuser, whom row security does not bind, sees all of them
SELECT is(all_of('beta p', which), beta, which || ': beta''s rates, who sees all') FROM t.answers;
SELECT is(all_of('gamma p', which), gamma, which || ': gamma''s rates, who sees all') FROM t.answers;
SELECT is((SELECT won_value FROM win_rate(in_currency => 'AUD')), 500::numeric, 'deals of several tenants at the rates of each');
SELECT is((SELECT sum(won_value) FROM forecast(in_currency => 'AUD')), 500::numeric, 'deals of several tenants at the rates of each: forecast');
SELECT is((SELECT one_time_revenue FROM recurring_revenue(status => 'won', in_currency => 'AUD')), 500::numeric, 'deals of several tenants at the rates of each: revenue');
SELECT is((SELECT average_won_value FROM sales_velocity(in_currency => 'AUD')), 250::numeric, 'deals of several tenants at the rates of each: velocity');
SELECT tenant('beta') \g /dev/null
SELECT is(way('EUR', 'AUD', '2024-05-01'), '* 2 / 1: EURAUD 2024-05-01', 'exchange_rate: the tenant''s, who sees all');
SELECT set_config('crm.tenant_id', '', true) \g /dev/null
SELECT throws_ok($$SELECT * FROM exchange_rate('EUR', 'AUD')$$, '42501', NULL, 'exchange_rate: whose?');
SET LOCAL ROLE er_admin;
SELECT tenant('beta') \g /dev/null
SELECT is(all_of('beta p', which), beta, which || ': beta''s rates, for beta') FROM t.answers;
SELECT is(way('EUR', 'AUD', '2024-06-01'), '* 12 / 1: EURAUD 2024-06-01', 'exchange_rate: beta''s');
SELECT is(way('EUR', 'USD', '2024-06-01'), 'there is no exchange rate from EUR to USD on 2024-06-01', 'exchange_rate: not acme''s');
SELECT is(error_of($$SELECT * FROM extensions.crm_conversion_rates('crm', 'USD', ARRAY[id('acme')], ARRAY['EUR'], ARRAY['2024-06-01'::date])$$)
    ~ 'there is no exchange rate', true, 'conversion_rates: of another tenant nothing is seen');
SELECT tenant('gamma') \g /dev/null
SELECT is(all_of('gamma p', which), gamma, which || ': gamma''s rates, for gamma') FROM t.answers;
RESET ROLE;

-- Rates are asked for only of what is told.
SELECT tenant('gamma') \g /dev/null
INSERT INTO deals (stage_id, title, amount, currency, created_at, stage_entered_at) VALUES (id('gamma s2'), 'Old', 50, 'EUR', '2020-01-01', '2020-01-02'),
    (id('gamma s1'), 'Open', 50, 'JPY', '2024-05-01', '2024-05-02');
INSERT INTO deals (stage_id, title, created_at, stage_entered_at) VALUES (id('gamma s2'), 'No amount', '2020-01-01', '2020-01-02');
SELECT is(error_of($$SELECT pipeline_summary(id('gamma p'), in_currency => 'AUD')$$) ~ '^22023\nthere is no exchange rate from EUR to AUD on 2020-01-02\nMissing: EUR on 2020-01-02, JPY on ', true,
    'pipeline_summary: all');
SELECT is((SELECT sum(won_value) FROM forecast(id('gamma p'), period_from => '2024-01-01', currency => 'EUR', in_currency => 'AUD')), 300::numeric, 'forecast: not of other periods');
SELECT is((SELECT won_value FROM win_rate(id('gamma p'), 'created', period_from => '2024-01-01', in_currency => 'AUD')), 300::numeric, 'win_rate: not of open deals');
SELECT is((SELECT average_won_value FROM sales_velocity(id('gamma p'), closed_from => '2024-01-01', in_currency => 'AUD')), 300::numeric, 'sales_velocity: of won deals only');
SELECT is((SELECT one_time_revenue FROM recurring_revenue(id('gamma p'), 'won', closed_from => '2024-01-01', in_currency => 'AUD')), 300::numeric, 'recurring_revenue: not of other periods');
SELECT is((SELECT array_agg(s #>> ARRAY[status, 'total_value']) FROM pipeline_summary(id('gamma p'), in_currency => 'AUD', closing_from => '2024-01-01') AS s,
        unnest('{open,won,lost}'::text[]) AS status), '{0,300,300}', 'pipeline_summary: not of other deals');

-- As of a moment: open ones at the rate of its day, closed ones as they were.
SELECT tenant('beta') \g /dev/null
CREATE FUNCTION t.as_of(at timestamptz) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', s #> '{won,total_value}', s #> '{lost,total_value}', s #> '{open,total_value}') FROM crm.pipeline_summary_as_of(t.id('beta p'), at, 'AUD') AS s $$;
SELECT is(as_of('2024-05-01'), '0 0 0', 'before there was any');
SELECT is(as_of('2024-05-31 23:59:59Z'), '200 200 200', 'as of a day of the first rate');
SELECT is(as_of('2024-06-01 00:00Z'), '200 200 1200', 'as of the first day of the second one');
UPDATE deals SET won_at = '2024-06-03' WHERE stage_id = id('beta s2');
SELECT is(as_of('2024-06-05'), '1200 200 1200', 'a day of winning that was corrected');
UPDATE deals SET stage_id = id('beta s1'), stage_entered_at = '2024-06-10' WHERE stage_id = id('beta s2');
SELECT is(as_of('2024-06-05'), '1200 200 1200', 'a won deal that was reopened later');
SELECT is(as_of('2024-06-15'), '0 200 2400', 'and since');
UPDATE deals SET stage_id = id('beta s3'), stage_entered_at = '2024-06-20' WHERE stage_id = id('beta s1');
SELECT is(as_of('2024-06-15'), '0 200 2400', 'they have been lost since');
SELECT is(as_of('2024-06-25'), '0 2600 0', 'at the rate of when they were lost');
DELETE FROM deals WHERE tenant_id = id('beta') AND stage_entered_at = '2024-06-20';
SELECT is(as_of('2024-06-25'), '0 2600 0', 'they have been deleted since');
SELECT is(as_of(clock_timestamp()), '0 200 0', 'now');
SELECT is(error_of($$SELECT pipeline_summary_as_of(id('beta p'), '2024-06-25', 'SEK')$$) ~ '^22023\nthere is no exchange rate from EUR to SEK on 2024-05-02\nMissing: EUR on 2024-05-02, EUR on 2024-06-20\n', true, 'as of: what is missing');
SELECT is(error_of($$SELECT pipeline_summary_as_of(id('beta p'), '2024-06-25', 'sek')$$), E'22023\nin_currency must not be "sek"\nIt is a currency code of ISO 4217, such as EUR.', 'as of: no currency');
SELECT is(pipeline_summary_as_of(id('beta p'), '2024-06-25', 'AUD') -> 'rates', '[{"base": "EUR", "rate": 2, "quote": "AUD", "valid_from": "2024-05-01"}, {"base": "EUR", "rate": 12, "quote": "AUD", "valid_from": "2024-06-01"}]', 'as of: rates');
SELECT is(pipeline_summary_as_of(id('beta p'), '2024-04-25', 'AUD') -> 'rates', '[]', 'as of: no rates');
SELECT is(pipeline_summary_as_of(id('beta p'), '2024-04-25') -> 'rates', NULL, 'as of: without');

-- Exact to the last digit: deal by deal in another way, by rates of their own,
-- by inverses and by way of a third currency.
SELECT tenant('acme') \g /dev/null
INSERT INTO pipelines (id, name, currency, is_default) VALUES (id('acme p'), 'Sales', 'USD', true);
INSERT INTO stages (id, pipeline_id, name, deal_status, probability) VALUES (id('acme s0'), id('acme p'), 'Lead', 'open', NULL),
    (id('acme s1'), id('acme p'), 'Won', 'won', 1), (id('acme s2'), id('acme p'), 'Lost', 'lost', 0);
DELETE FROM exchange_rates WHERE tenant_id = id('acme');
INSERT INTO exchange_rates (base, quote, valid_from, rate)
    SELECT 'EUR', q, '2024-01-01'::date + n, 0.5 + (n * 7919 % 100003) / 90001.0 + ascii(q) / 7.0
    FROM generate_series(0, 200, 7) AS n, unnest(ARRAY['USD', 'GBP', 'CHF', 'JPY']) AS q;
SELECT setseed(0.5) \g /dev/null
INSERT INTO deals (stage_id, title, amount, currency, value_period, probability, created_at, stage_entered_at)
    SELECT id('acme s' || s), n::text, CASE WHEN random() < 0.9 THEN round((random() * 1000000)::numeric, 4) END,
        (ARRAY['EUR', 'USD', 'GBP', 'CHF', 'JPY'])[1 + floor(random() * 5)], (ARRAY['one_time', 'monthly'])[1 + floor(random() * 2)],
        CASE WHEN s = 0 THEN round(random()::numeric, 4) END, '2024-01-01', '2024-01-01'::timestamptz + random() * interval '300 days'
    FROM (SELECT n, floor(random() * 3)::int AS s FROM generate_series(1, 2000) AS n) AS x;
CREATE FUNCTION t.rate(currency text, on_day date) RETURNS numeric LANGUAGE sql AS $$
    -- of 1 euro
    SELECT CASE currency WHEN 'EUR' THEN 1 ELSE
        (SELECT max(r.rate) FROM crm.exchange_rates AS r WHERE r.tenant_id = t.id('acme') AND r.base = 'EUR' AND r.quote = currency AND r.valid_from =
            (SELECT max(o.valid_from) FROM crm.exchange_rates AS o WHERE o.tenant_id = t.id('acme') AND o.quote = currency AND o.valid_from <= on_day)) END $$;
CREATE TABLE t.cells AS
    SELECT d.status, d.stage_id, d.value_period, d.currency, x.day, sum(d.amount) AS value, sum(d.amount * d.probability) AS weighted
    FROM deals AS d CROSS JOIN LATERAL (SELECT CASE status WHEN 'won' THEN d.won_at WHEN 'lost' THEN d.lost_at ELSE now() END AT TIME ZONE 'UTC') AS a (at)
        CROSS JOIN LATERAL (SELECT a.at::date) AS x (day)
    WHERE d.pipeline_id = id('acme p') AND d.amount IS NOT NULL GROUP BY 1, 2, 3, 4, 5;
-- each figure is rounded once
CREATE FUNCTION t.quotient(value numeric, multiply_by numeric, divide_by numeric) RETURNS numeric LANGUAGE sql AS $$
    SELECT value * multiply_by * 1.000000000000000000000000000000000000000000000000000000000000 / divide_by $$;
CREATE TABLE t.expected AS
    SELECT q AS in_currency, c.status, c.value_period, sum(CASE WHEN c.currency = q THEN c.value ELSE t.quotient(c.value, t.rate(q, c.day), t.rate(c.currency, c.day)) END) AS value,
        sum(CASE WHEN c.currency = q THEN c.weighted ELSE t.quotient(c.weighted, t.rate(q, c.day), t.rate(c.currency, c.day)) END) AS weighted
    FROM t.cells AS c, unnest(ARRAY['EUR', 'USD', 'JPY']) AS q GROUP BY 1, 2, 3;
SELECT is((s ->> 'total_value')::numeric, (SELECT round(sum(value), 8) FROM t.expected AS e WHERE e.in_currency = q), q || ': total') FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q, pipeline_summary(id('acme p'), in_currency => q) AS s;
SELECT is((s ->> 'weighted_value')::numeric, (SELECT round(sum(weighted), 8) FROM t.expected AS e WHERE e.in_currency = q), q || ': weighted') FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q, pipeline_summary(id('acme p'), in_currency => q) AS s;
SELECT is((s #>> ARRAY[k, 'total_value'])::numeric, (SELECT round(sum(value), 8) FROM t.expected AS e WHERE e.in_currency = q AND e.status = k), format('%s: %s', q, k))
FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q, unnest(ARRAY['open', 'won', 'lost']) AS k, pipeline_summary(id('acme p'), in_currency => q) AS s;
SELECT ok(abs((SELECT sum((g ->> 'total_value')::numeric) FROM jsonb_array_elements(s -> k) AS g) - (s ->> 'total_value')::numeric) <= 0.00000002, format('%s: %s add up, but for the last digit', q, k))
FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q, unnest(ARRAY['stages', 'by_currency', 'by_value_period']) AS k, pipeline_summary(id('acme p'), in_currency => q) AS s;
SELECT is((SELECT won_value FROM win_rate(id('acme p'), in_currency => q, value_period => 'monthly')), (SELECT round(sum(value), 8) FROM t.expected AS e WHERE e.in_currency = q AND e.status = 'won' AND e.value_period = 'monthly'), q || ': win_rate')
FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q;
SELECT is((SELECT sum(open_value) FROM forecast(id('acme p'), in_currency => q, value_period => 'monthly')), (SELECT round(sum(value), 8) FROM t.expected AS e WHERE e.in_currency = q AND e.status = 'open' AND e.value_period = 'monthly'), q || ': forecast')
FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q;
SELECT is((SELECT jsonb_agg(DISTINCT r) FROM jsonb_array_elements(s -> 'rates') AS r), (SELECT jsonb_agg(DISTINCT jsonb_build_object('base', r.base, 'quote', r.quote, 'valid_from', r.valid_from, 'rate', r.rate))
        FROM t.cells AS c JOIN exchange_rates AS r ON r.tenant_id = id('acme') AND r.quote IN (c.currency, 'USD') AND r.valid_from <= c.day AND c.currency <> 'USD'
        WHERE NOT EXISTS (SELECT FROM exchange_rates AS o WHERE o.tenant_id = id('acme') AND o.quote = r.quote AND o.valid_from > r.valid_from AND o.valid_from <= c.day)),
    'the rates that were used, and no others') FROM pipeline_summary(id('acme p'), in_currency => 'USD') AS s;
SELECT is(jsonb_array_length(s -> 'rates'), (SELECT count(DISTINCT r)::int FROM jsonb_array_elements(s -> 'rates') AS r), 'each once') FROM pipeline_summary(id('acme p'), in_currency => 'USD') AS s;
SELECT is(pipeline_summary_as_of(id('acme p'), clock_timestamp(), q) - '{as_of,source}'::text[], pipeline_summary(id('acme p'), in_currency => q) - '{as_of,source}'::text[], q || ': as of now')
FROM unnest(ARRAY['EUR', 'USD', 'JPY']) AS q;
SELECT * FROM finish();
ROLLBACK;
