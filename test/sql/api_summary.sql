-- pipeline_summary() and the view pipeline_stage_summary
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm_install('api_summary');
SET search_path = api_summary, public;

INSERT INTO pipelines (id, name, currency, is_default) VALUES
	('00000000-0000-0000-0000-000000000001', 'Sales', 'USD', true),
	('00000000-0000-0000-0000-000000000002', 'World', 'CHF', false);
INSERT INTO stages (id, pipeline_id, name, deal_status, probability) VALUES
	('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001', 'Lead', 'open', 0.3333),
	('00000000-0000-0000-0000-0000000000a2', '00000000-0000-0000-0000-000000000001', 'Talks', 'open', NULL),
	('00000000-0000-0000-0000-0000000000a3', '00000000-0000-0000-0000-000000000001', 'Won', 'won', 1),
	('00000000-0000-0000-0000-0000000000a4', '00000000-0000-0000-0000-000000000001', 'Lost', 'lost', 0),
	('00000000-0000-0000-0000-0000000000a5', '00000000-0000-0000-0000-000000000001', 'Old', 'open', 0.5),
	('00000000-0000-0000-0000-0000000000a6', '00000000-0000-0000-0000-000000000001', 'Older', 'open', 0.5),
	('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-000000000002', 'New', 'open', 0.5),
	('00000000-0000-0000-0000-0000000000b2', '00000000-0000-0000-0000-000000000002', 'Done', 'won', 1);
-- as_of changes with every call
CREATE FUNCTION printed(uuid) RETURNS text LANGUAGE sql
	AS $$ SELECT jsonb_pretty(api_summary.pipeline_summary($1) - 'as_of') $$;

-- no deals
SELECT printed('00000000-0000-0000-0000-000000000001');

INSERT INTO deals (stage_id, title, amount, value_period, owner_id, expected_close_date, created_at, won_at, lost_at) VALUES
	('00000000-0000-0000-0000-0000000000a1', 'One', 100.0001, 'one_time', '00000000-0000-0000-0000-000000000011', '2026-03-01', NULL, NULL, NULL),
	('00000000-0000-0000-0000-0000000000a1', 'Two', 0.07, 'monthly', '00000000-0000-0000-0000-000000000011', '2026-03-31', NULL, NULL, NULL),
	('00000000-0000-0000-0000-0000000000a1', 'Three', NULL, 'one_time', NULL, '2026-03-01', NULL, NULL, NULL),
	('00000000-0000-0000-0000-0000000000a2', 'Four', 1000, 'one_time', '00000000-0000-0000-0000-000000000012', NULL, NULL, NULL, NULL),
	('00000000-0000-0000-0000-0000000000a3', 'Five', 250, 'annual', '00000000-0000-0000-0000-000000000012', '2026-04-01', '2024-01-01', '2024-03-31 22:30+00', NULL),
	('00000000-0000-0000-0000-0000000000a4', 'Six', 70, 'one_time', NULL, '2026-03-01', '2024-01-01', NULL, '2024-04-01 00:30+00'),
	('00000000-0000-0000-0000-0000000000a5', 'Seven', -10.5, 'one_time', NULL, NULL, NULL, NULL, NULL),
	('00000000-0000-0000-0000-0000000000a1', 'Archived', 5000, 'one_time', '00000000-0000-0000-0000-000000000011', '2026-03-01', NULL, NULL, NULL),
	('00000000-0000-0000-0000-0000000000b1', 'Elsewhere', 9000, 'one_time', NULL, NULL, NULL, NULL, NULL);
UPDATE deals SET archived_at = '2026-01-01' WHERE title = 'Archived';
UPDATE stages SET archived_at = '2026-01-01' WHERE name LIKE 'Old%';
INSERT INTO tags (id, name) VALUES
	('00000000-0000-0000-0000-0000000000f1', 'urgent'), ('00000000-0000-0000-0000-0000000000f2', 'unused');
INSERT INTO deal_tags (deal_id, tag_id)
	SELECT id, '00000000-0000-0000-0000-0000000000f1' FROM deals WHERE title IN ('Two', 'Four', 'Elsewhere', 'Archived');

-- one currency; an archived stage as long as deals stand there
SELECT printed('00000000-0000-0000-0000-000000000001');
SELECT pipeline_name, stage_name, position, deal_status, currency, value_period, deals, deals_without_amount, deals_without_probability, value, weighted_value
FROM pipeline_stage_summary ORDER BY pipeline_name, position, currency, value_period;
SELECT (s ->> 'as_of')::timestamptz BETWEEN now() AND clock_timestamp() AS now
FROM pipeline_summary('00000000-0000-0000-0000-000000000001') AS s;

-- the same as by hand, to the last digit
SELECT (s ->> 'total_value')::numeric = sum(amount) AS value,
	(s ->> 'weighted_value')::numeric = sum(amount * probability) AS weighted,
	(s ->> 'total_deals')::int = count(*) AS deals,
	(s #>> '{open,weighted_value}')::numeric = sum(amount * probability) FILTER (WHERE status = 'open') AS open
FROM deals, pipeline_summary('00000000-0000-0000-0000-000000000001') AS s
WHERE pipeline_id = '00000000-0000-0000-0000-000000000001' AND archived_at IS NULL
GROUP BY s;

-- some of the deals
CREATE FUNCTION brief(s jsonb) RETURNS text LANGUAGE sql
	AS $$ SELECT format('%s deals, %s, %s', s -> 'total_deals', s -> 'total_value', s -> 'weighted_value') $$;
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', owner_id => '00000000-0000-0000-0000-000000000011'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', tag_id => '00000000-0000-0000-0000-0000000000f1'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', tag_id => '00000000-0000-0000-0000-0000000000f2'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2026-03-01', closing_to => '2026-03-31'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2026-03-02'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', closing_to => '2026-03-01'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2026-03-31', closing_to => '2026-03-31'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000012', '00000000-0000-0000-0000-0000000000f1'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000011',
	'00000000-0000-0000-0000-0000000000f1', '2026-03-31', '2026-12-31'));
-- closed deals by the day on which they were closed, in the session's time zone, as in forecast
SELECT brief(s), brief(s -> 'won'), brief(s -> 'lost'), s -> 'closing_date' AS closing_date
FROM pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2024-03-31', closing_to => '2024-03-31') AS s;
SELECT brief(s), brief(s -> 'won'), brief(s -> 'lost'), s -> 'closing_date' AS closing_date
FROM pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2024-04-01', closing_to => '2024-04-30') AS s;
SET timezone = 'Europe/Berlin';
SELECT brief(s), brief(s -> 'won'), brief(s -> 'lost'), s -> 'closing_date' AS closing_date
FROM pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2024-04-01', closing_to => '2024-04-30') AS s;
SELECT brief(s), brief(s -> 'won'), brief(s -> 'lost'), s -> 'rates' AS rates, s -> 'closing_date' AS closing_date
FROM pipeline_summary('00000000-0000-0000-0000-000000000001', closing_to => '2024-04-01', in_currency => 'USD') AS s;
SELECT brief(s), s ? 'closing_date' AS told FROM pipeline_summary('00000000-0000-0000-0000-000000000001', owner_id => '00000000-0000-0000-0000-000000000012') AS s;
SELECT closed_only FROM forecast('00000000-0000-0000-0000-000000000001', 'month', '2024-04-01', '2024-05-01') WHERE bucket = 'period';
SET timezone = 'UTC';
SELECT count(*) FROM forecast('00000000-0000-0000-0000-000000000001', 'month', '2024-04-01', '2024-05-01') WHERE bucket = 'period';
INSERT INTO deal_tags (deal_id, tag_id) SELECT id, '00000000-0000-0000-0000-0000000000f2' FROM deals WHERE title IN ('Five', 'Six', 'One');
SELECT brief(s) FROM pipeline_summary('00000000-0000-0000-0000-000000000001', tag_id => '00000000-0000-0000-0000-0000000000f2', closing_to => '2024-03-31') AS s;
SELECT brief(s) FROM pipeline_summary('00000000-0000-0000-0000-000000000001', tag_id => '00000000-0000-0000-0000-0000000000f2', closing_from => '2024-04-01') AS s;

-- sums over several value periods are told, as those over several currencies
SELECT s -> 'value_period' AS whole, s #> '{open,value_period}' AS open, s #> '{won,value_period}' AS won, s #> '{lost,value_period}' AS lost,
	jsonb_path_query_array(s, '$.stages[*].value_period') AS stages, jsonb_path_query_array(s, '$.by_currency[*].value_period') AS by_currency,
	jsonb_path_query_array(s, '$.by_value_period[*].value_period') AS by_value_period
FROM pipeline_summary('00000000-0000-0000-0000-000000000001') AS s;
SELECT s -> 'value_period' AS whole, s #> '{open,value_period}' AS open, s #> '{won,value_period}' AS won,
	jsonb_path_query_array(s, '$.stages[*].value_period') AS stages
FROM pipeline_summary('00000000-0000-0000-0000-000000000001', closing_to => '2024-03-31') AS s;

SELECT jsonb_array_length(s -> 'stages'), s -> 'currency', s -> 'by_currency', s -> 'by_value_period'
FROM pipeline_summary('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000dead') AS s;

-- a currency that only deals without an amount have does not mix
UPDATE deals SET currency = 'JPY' WHERE title = 'Three';
SELECT s -> 'currency', brief(s), s -> 'deals_without_amount', s -> 'deals_without_probability',
	jsonb_path_query_array(s, '$.by_currency[*].currency')
FROM pipeline_summary('00000000-0000-0000-0000-000000000001') AS s;

-- several currencies: sums only of what is alike
INSERT INTO deals (stage_id, title, amount, currency) VALUES
	('00000000-0000-0000-0000-0000000000b1', 'Euro', 100, 'EUR'),
	('00000000-0000-0000-0000-0000000000b1', 'Yen', 30000, 'JPY'),
	('00000000-0000-0000-0000-0000000000b1', 'Nothing', NULL, NULL),
	('00000000-0000-0000-0000-0000000000b2', 'Won euro', 50, 'EUR');
SELECT printed('00000000-0000-0000-0000-000000000002');
SELECT pipeline_name, stage_name, currency, value_period, deals, deals_without_amount, deals_without_probability, value, weighted_value
FROM pipeline_stage_summary WHERE pipeline_name = 'World' ORDER BY position, currency;
-- each of them as by hand
SELECT d.currency, c.currency IS NOT NULL AS found, c.total_value = sum(amount) AS value, c.weighted_value = sum(amount * probability) AS weighted
FROM deals AS d LEFT JOIN jsonb_to_recordset(pipeline_summary('00000000-0000-0000-0000-000000000002') -> 'by_currency')
	AS c (currency text, total_value numeric, weighted_value numeric) USING (currency)
WHERE pipeline_id = '00000000-0000-0000-0000-000000000002' AND archived_at IS NULL AND amount IS NOT NULL
GROUP BY d.currency, c.currency, c.total_value, c.weighted_value ORDER BY 1;

-- a pipeline without stages
INSERT INTO pipelines (id, name) VALUES ('00000000-0000-0000-0000-000000000003', 'Bare');
SELECT brief(s), s -> 'stages', s -> 'currency' FROM pipeline_summary('00000000-0000-0000-0000-000000000003') AS s;
-- archived pipelines can be summed up, too
UPDATE pipelines SET archived_at = '2026-01-01' WHERE name = 'World';
SELECT s -> 'total_deals' FROM pipeline_summary('00000000-0000-0000-0000-000000000002') AS s;

-- wrong input
SELECT pipeline_summary('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT pipeline_summary(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT pipeline_summary('00000000-0000-0000-0000-000000000001', in_currency => 'BUCKS');
\echo :LAST_ERROR_SQLSTATE
SELECT pipeline_summary('00000000-0000-0000-0000-000000000001', closing_from => '2026-04-01', closing_to => '2026-03-31');
\echo :LAST_ERROR_SQLSTATE

-- it writes nothing, so it may be read anywhere
BEGIN READ ONLY;
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001'));
SELECT brief(pipeline_summary('00000000-0000-0000-0000-00000000dead'));
ROLLBACK;

-- who may
CREATE ROLE regress_api_summary;
GRANT USAGE ON SCHEMA api_summary TO regress_api_summary;
\set VERBOSITY terse
SET ROLE regress_api_summary;
SELECT pipeline_summary('00000000-0000-0000-0000-000000000001');
SELECT count(*) FROM pipeline_stage_summary;
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api_summary TO regress_api_summary;
GRANT SELECT ON pipelines, pipeline_stage_summary TO regress_api_summary;
SET ROLE regress_api_summary;
-- which table the error names is the server's to choose
\set VERBOSITY sqlstate
SELECT pipeline_summary('00000000-0000-0000-0000-000000000001');
\set VERBOSITY default
-- with the reader's rights, not the owner's
SELECT count(*) FROM pipeline_stage_summary;
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA api_summary TO regress_api_summary;
ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON deals USING (title = 'Two');
ALTER TABLE pipelines ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON pipelines USING (name <> 'World');
SET ROLE regress_api_summary;
SELECT brief(pipeline_summary('00000000-0000-0000-0000-000000000001'));
SELECT pipeline_summary('00000000-0000-0000-0000-000000000002');
SELECT stage_name, deals, value FROM pipeline_stage_summary;
RESET ROLE;

-- tenants see their own
SELECT crm_install('api_summary_shared', 'shared');
SET search_path = api_summary_shared, public;
GRANT USAGE ON SCHEMA api_summary_shared TO regress_api_summary;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api_summary_shared TO regress_api_summary;
GRANT ALL ON ALL TABLES IN SCHEMA api_summary_shared TO regress_api_summary;
SET ROLE regress_api_summary;
SET crm.tenant_id = 'one';
SELECT id AS one FROM create_pipeline('Sales', '["A"]', true) \gset
INSERT INTO deals (title, amount) VALUES ('One', 1);
SET crm.tenant_id = 'two';
SELECT id AS two FROM create_pipeline('Sales', '["A"]', true) \gset
INSERT INTO deals (title, amount) VALUES ('Two', 2);
SELECT api_summary.brief(pipeline_summary(:'two'));
SELECT value FROM pipeline_stage_summary;
\set VERBOSITY sqlstate
SELECT pipeline_summary(:'one');
RESET crm.tenant_id;
SELECT pipeline_summary(:'one');
RESET ROLE;

SET client_min_messages = error;
DROP SCHEMA api_summary, api_summary_shared CASCADE;
DROP ROLE regress_api_summary;
