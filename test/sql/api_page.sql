-- board_page, pipeline_page and pipeline_chart: test/page has what a browser makes of them.
SET client_min_messages = warning;
SELECT crm_install('api_page');
SET search_path = api_page, public;
SET timezone = 'UTC';

CREATE FUNCTION pg_temp.data(page text) RETURNS jsonb LANGUAGE sql
	AS $$ SELECT (regexp_match(page, '<script type="application/json" id="data">(.*?)</script>'))[1]::jsonb $$;

-- without a pipeline
SELECT pg_temp.data(board_page()) -> 'pipelines' AS pipelines, pg_typeof(board_page());
SELECT pipeline_page('00000000-0000-0000-0000-000000000001');
SELECT pipeline_chart('00000000-0000-0000-0000-000000000001');
SELECT pipeline_page(NULL);

SELECT id AS sales FROM create_pipeline('A & B <i>', '[{"name": "Lead", "probability": 0.25}, {"name": "Offer", "probability": 0.5},
	{"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]', currency => 'EUR', is_default => true) \gset
SELECT pg_temp.data(board_page()) #> '{pipelines,0,stages,0,cards}' AS no_cards,
	pg_temp.data(pipeline_page(:'sales')) -> 'reports' -> 'rotting' AS rotting;
INSERT INTO deals (title, amount, currency, value_period, rank) VALUES
	('</script><!--', 999999999999999.1234, 'EUR', 'one_time', 'a'), ('JPY', 50, 'JPY', 'monthly', 'b'), ('None', NULL, NULL, 'one_time', 'c');

-- The data is whole whatever it has, and amounts are texts.
SELECT c ->> 'title' AS title, c -> 'amount' AS amount, c ->> 'currency' AS currency, c ->> 'per' AS per
FROM jsonb_array_elements(pg_temp.data(pipeline_page(:'sales')) #> '{pipelines,0,stages,0,cards}') AS c;
SELECT jsonb_pretty(pg_temp.data(board_page()) #> '{pipelines,0,stages,0,amounts}') AS amounts;
SELECT (regexp_match(pipeline_page(:'sales'), '<title>.*?</title>'))[1] AS title,
	(SELECT count(*) FROM regexp_matches(pipeline_page(:'sales'), '</script>', 'g')) AS scripts;

SELECT * FROM pipeline_chart(:'sales');

-- The policy has the hash of each script and of the style.
SELECT count(*) AS hashes, bool_and(strpos(page, encode(sha256(convert_to(found[1], 'UTF8')), 'base64')) > 0) AS stated
FROM board_page() AS page
	CROSS JOIN LATERAL (SELECT regexp_matches(page, '<style>(.*?)</style>', 'g')
		UNION ALL SELECT regexp_matches(page, '<script>(.*?)</script>', 'g')) AS f (found);

-- For roles that have the right.
CREATE ROLE api_page_reader;
SELECT crm_grant_access('api_page', 'api_page_reader', 'read');
SET ROLE api_page_reader;
SELECT pg_temp.data(pipeline_page(:'sales')) #>> '{pipelines,0,stages,0,deals}' AS deals;
RESET ROLE;
SELECT crm_revoke_access('api_page', 'api_page_reader');
SET ROLE api_page_reader;
SELECT api_page.board_page();
RESET ROLE;
DROP ROLE api_page_reader;

-- Trend and waterfall begin after what was erased of the history.
UPDATE deals SET amount = 60 WHERE title = 'JPY';
DELETE FROM deal_changes WHERE change = 'updated';
\set VERBOSITY sqlstate
SELECT * FROM pipeline_trend(:'sales', now() - interval '1 week');
\set VERBOSITY default
SELECT t ->> 'currency' AS currency, t -> 'deals' AS deals, t -> 'open' AS open
FROM jsonb_array_elements(pg_temp.data(pipeline_page(:'sales')) #> '{reports,trend}') AS t;
SELECT (pg_temp.data(pipeline_page(:'sales')) #>> '{reports,waterfall_from}')::timestamptz = max(changed_at) AS after_it
FROM deal_changes WHERE change = 'erased';

-- A domain over what the extension returns is checked.
CREATE DOMAIN short AS text CHECK (length(VALUE) < 10);
DROP FUNCTION board_page();
CREATE FUNCTION board_page() RETURNS short LANGUAGE crm STABLE AS '';
SELECT board_page();
DROP FUNCTION board_page();
CREATE FUNCTION board_page() RETURNS SETOF short LANGUAGE crm STABLE AS '';
DROP DOMAIN short;

SELECT crm_uninstall('api_page');
SELECT to_regtype('api_page."text/html"');
