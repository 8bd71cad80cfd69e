-- MCP: reports, and the bounds of what is read at once
SET client_min_messages = warning;
SELECT crm_install('mcp_reports');
SET search_path = mcp_reports, public;
CREATE FUNCTION pg_temp.call(tool text, arguments jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$
	SELECT mcp(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call',
			'params', json_build_object('name', tool, 'arguments', arguments)))::jsonb #> '{result,structuredContent}'
$$;
SELECT name FROM create_pipeline('Sales', '["New", "Proposal", {"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]', is_default => true, currency => 'EUR');
INSERT INTO deals (id, title, amount, created_at, description, metadata)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Deal ' || n, n, '2026-01-01 12:00+00', repeat('x', 3000), jsonb_build_object('y', repeat('y', 5000))
FROM generate_series(1, 45) AS n;
INSERT INTO deal_contacts (deal_id, contact_id) SELECT id, '00000000-0000-4000-8000-000000000001' FROM deals;
INSERT INTO deal_contacts (deal_id, contact_id) SELECT '00000000-0000-7000-8000-000000000001', ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(2, 31) AS n;
UPDATE deals SET stage_id = s.id, stage_entered_at = '2026-02-01 12:00+00' FROM stages AS s WHERE s.name = 'Won' AND deals.amount <= 2;
UPDATE deals SET stage_id = s.id, stage_entered_at = '2026-03-01 12:00+00', lost_reason = 'price' FROM stages AS s WHERE s.name = 'Lost' AND deals.amount = 3;

-- which there are
SELECT t ->> 'name', t ->> 'description' FROM json_array_elements(mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' -> 'tools') AS t WHERE t ->> 'name' LIKE 'report%';
SELECT pg_temp.call('report_flow', '{"report": "funnel", "pipeline_id": "sales"}') #> '{items,0,deals}';
-- a range by its common names, also with the function's own
SELECT a, pg_temp.call('report_flow', a::jsonb) #> '{items,0,won}' FROM unnest(ARRAY['{"report": "win_rate", "from": "2026-02-01", "before": "2026-02-15"}',
	'{"report": "win_rate", "from": "2026-02-15"}', '{"report": "win_rate", "before": "2026-01-15", "limit": 5}', '{"report": "win_rate", "from": null}']) AS a;
SELECT a, concat_ws(' | ', r ->> 'code', r ->> 'message', r ->> 'details', r ->> 'hint')
FROM unnest(ARRAY['{}', '{"report": "nothing"}', '{"report": "funnel"}', '{"report": "win_rate", "each": "deal"}', '{"report": "win_rate", "nothing": 1}',
	'{"report": "slippage", "each": "nothing"}', '{"report": "deal_history", "deal_id": "00000000-0000-7000-8000-000000000001", "cursor": "x"}']) AS a, pg_temp.call('report_flow', a::jsonb) AS r;
SELECT pg_temp.call('report_flow', '{"report": "sales_cycle", "explain": true}') - 'definition';
SELECT pg_temp.call('report_flow', '{"report": "sales_cycle", "explain": true}') ->> 'definition' LIKE 'How long it takes%Of the deals that are won%' AS defined;
SELECT (regexp_matches(pg_temp.call('report_flow', '{"report": "win_rate", "explain": true}') ->> 'definition', 'won or lost from .* \(not included\)'))[1] AS named_as_here;
-- pages
SELECT jsonb_array_length(p -> 'items'), p -> 'total', jsonb_array_length(pg_temp.call('report_flow', jsonb_build_object('report', 'funnel', 'pipeline_id', 'Sales', 'limit', 3, 'cursor', p -> 'next')) -> 'items')
FROM pg_temp.call('report_flow', '{"report": "funnel", "pipeline_id": "Sales", "limit": 3}') AS p;
-- the pages of changes_since are the report's own: next leads to the last change, and nothing comes twice when others write
CREATE FUNCTION pg_temp.walk(since timestamptz, size integer, writes text DEFAULT '') RETURNS TABLE (pages integer, items bigint, distinct_items bigint, totals bigint) LANGUAGE plpgsql AS
$$
DECLARE
	page jsonb;
	given jsonb := jsonb_build_object('report', 'changes_since', 'at', since, 'limit', size);
	seen jsonb := '[]';
BEGIN
	pages := 0;
	totals := 0;
	LOOP
		page := pg_temp.call('report_flow', given);
		pages := pages + 1;
		totals := totals + (page ? 'total')::integer;
		seen := seen || (page -> 'items');
		EXIT WHEN NOT page ? 'next' OR pages > 1000;
		given := given || jsonb_build_object('cursor', page -> 'next');
		EXECUTE writes;
	END LOOP;
	SELECT count(*), count(DISTINCT concat_ws('/', i -> 'changed_at', i -> 'deal_id', i -> 'change', i -> 'old_value', i -> 'new_value')) INTO items, distinct_items FROM jsonb_array_elements(seen) AS i;
	RETURN NEXT;
END
$$;
UPDATE deals SET amount = amount + 100 WHERE amount > 5;
UPDATE deals SET amount = amount + 100 WHERE amount > 100;
SELECT count(*) AS changes FROM changes_since('2020-01-01', max_rows => 1000);
SELECT * FROM pg_temp.walk('2020-01-01', 100);
SELECT * FROM pg_temp.walk('2020-01-01', 3);
SELECT * FROM pg_temp.walk('2020-01-01', 3, 'UPDATE deals SET amount = amount + 1 WHERE amount BETWEEN 210 AND 212');
SELECT p - 'items', jsonb_array_length(p -> 'items') FROM pg_temp.call('report_flow', '{"report": "changes_since", "at": "2026-02-15", "limit": 100}') AS p;
SELECT p - 'items' - 'next' AS told, p ? 'next' AS more, (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(p #> '{items,0}') AS k) AS columns FROM pg_temp.call('report_flow', '{"report": "changes_since", "at": "2020-01-01", "limit": 1}') AS p;
SELECT mcp('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"report_flow","arguments":{"report":"changes_since","at":"2020-01-01","limit":2}}}') #>> '{result,content,0,text}' ~ '^2 \(more: cursor [^ ]*\)\n' AS text;
SELECT pg_temp.call('report_flow', '{"report": "changes_since", "explain": true}') ->> 'arguments' AS arguments, (regexp_match(pg_temp.call('report_flow', '{"report": "changes_since", "explain": true}') ->> 'definition', 'At most[^.]*\.'))[1] AS pages;
-- a function of the user's that makes pages itself is asked for one row more
CREATE FUNCTION newest(max_rows integer DEFAULT 10, after_cursor text DEFAULT NULL) RETURNS TABLE (title text, asked integer, next_cursor text) LANGUAGE sql STABLE
BEGIN ATOMIC SELECT 'Row ' || n, max_rows, n::text FROM generate_series(coalesce(after_cursor, '6')::integer - 1, 1, -1) AS n LIMIT max_rows; END;
COMMENT ON FUNCTION newest(integer, text) IS E'The newest\n\n@mcp';
SELECT a, pg_temp.call('newest', a::jsonb) FROM unnest(ARRAY['{}', '{"limit": 2}', '{"limit": 2, "cursor": "4"}', '{"limit": 2, "cursor": 2}', '{"limit": 5}', '{"max_rows": 5}', '{"cursor": "1"}']) AS a;
DROP FUNCTION newest(integer, text);

-- errors have the names that the arguments have here, and a hint
SELECT a, concat_ws(' | ', r ->> 'code', r ->> 'message', r ->> 'hint')
FROM unnest(ARRAY['{"report": "pipeline_trend", "pipeline_id": "Sales"}', '{"report": "pipeline_trend", "pipeline_id": "Sales", "from_at": "2026-01-01"}', '{"report": "pipeline_trend", "pipeline_id": "Sales", "from": "2026-02-01", "before": "2026-01-01"}',
	'{"report": "pipeline_trend", "pipeline_id": "Sales", "from": "2026-02-01", "before": "2999-01-01"}', '{"report": "pipeline_trend", "pipeline_id": "Sales", "from": "-infinity"}', '{"report": "pipeline_trend", "pipeline_id": "Sales", "from": "yesterday evening"}',
	'{"report": "pipeline_waterfall", "pipeline_id": "Sales", "from": "2026-02-01", "before": "2026-01-01"}', '{"report": "pipeline_summary_as_of", "pipeline_id": "Sales", "at": "2026-02-30"}', '{"report": "forecast", "period": 5}', '{"report": "forecast", "target": "much"}',
	'{"report": "forecast", "max_rate_age": 99999999999}', '{"report": "forecast", "owner_id": "Ann"}', '{"report": "win_rate"}', '{"report": "context_for_deal"}', '{"report": "deals_list"}']) AS a, pg_temp.call('report_value', a::jsonb) AS r;
SELECT a, concat_ws(' | ', r ->> 'code', r ->> 'message', r ->> 'hint')
FROM unnest(ARRAY['{"report": "changes_since"}', '{"report": "changes_since", "at": "gestern"}', '{"report": "changes_since", "at": "2026-01-01", "cursor": "MjA="}', '{"report": "changes_since", "at": "2026-01-01", "limit": 101}',
	'{"report": "changes_since", "at": "2026-01-01", "max_rows": 5}', '{"report": "win_rate", "from": "2026-02-01", "before": "2026-01-01"}', '{"report": "pipeline_trend"}']) AS a, pg_temp.call('report_flow', a::jsonb) AS r;
SELECT length(r ->> 'message') FROM unnest(ARRAY['report', 'group_by', 'cohort', 'in_currency', 'pipeline_id', repeat('x', 500)]) AS a, pg_temp.call('report_flow', jsonb_build_object('report', 'win_rate') || jsonb_build_object(a, repeat('y', 500))) AS r;
-- an empty name is no part of one
SELECT concat_ws(' | ', r ->> 'code', r ->> 'message', regexp_replace(r ->> 'details', '\([-0-9a-f]*\)', '(id)')) FROM unnest(ARRAY['', '  ']) AS a, pg_temp.call('report_flow', jsonb_build_object('report', 'funnel', 'pipeline_id', a)) AS r;
SELECT DISTINCT t #>> '{inputSchema,properties,before,description}' FROM json_array_elements(mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' -> 'tools') AS t WHERE t ->> 'name' LIKE 'report%';

-- one of the user's own
CREATE FUNCTION biggest(pipeline_id uuid, created_from timestamptz DEFAULT NULL) RETURNS TABLE (title text) LANGUAGE sql STABLE
BEGIN ATOMIC SELECT d.title FROM deals AS d WHERE d.pipeline_id = biggest.pipeline_id AND (created_from IS NULL OR d.created_at >= created_from) ORDER BY d.amount DESC; END;
COMMENT ON FUNCTION biggest(uuid, timestamptz) IS E'The biggest deals\n\n@mcp report=value';
SELECT pg_temp.call('report_value', '{"report": "biggest", "pipeline_id": "Sales", "limit": 1}'), pg_temp.call('report_value', '{"report": "biggest", "pipeline_id": "Sales", "from": "2999-01-01"}');

-- contexts have bounds
SELECT jsonb_array_length(c -> 'deals') AS deals, c -> 'deals_total' AS total, c -> 'next_deals' AS next, c #> '{totals,0,deals}' AS open, octet_length(c::text) < 10000 AS small
FROM context_for_person('00000000-0000-4000-8000-000000000001') AS c;
SELECT jsonb_array_length(c -> 'deals') AS deals, c -> 'next_deals' AS next FROM context_for_person('00000000-0000-4000-8000-000000000001', 30, 40) AS c;
SELECT jsonb_array_length(c -> 'deals') AS deals, c -> 'next_deals' AS next FROM context_for_person('00000000-0000-4000-8000-000000000001', NULL, NULL) AS c;
SELECT context_for_person('00000000-0000-4000-8000-000000000001', 0);
SELECT context_for_person('00000000-0000-4000-8000-000000000001', 5, -1);
SELECT jsonb_array_length(c -> 'contacts') AS contacts, c -> 'contacts_total' AS total, length(c #>> '{deal,description}') AS description, c #> '{deal,metadata}' AS metadata, c #> '{deal,metadata_bytes}' AS bytes
FROM context_for_deal('00000000-0000-7000-8000-000000000001') AS c;

-- the text beside the data is short
SELECT mcp('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"report_value","arguments":{"report":"biggest","pipeline_id":"Sales","limit":3}}}') #>> '{result,content,0,text}' AS text;
SELECT length(x.r #>> '{content,0,text}') < length(x.r ->> 'structuredContent') / 2 AS short
FROM mcp('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"context_for_person","arguments":{"person_id":"00000000-0000-4000-8000-000000000001"}}}') AS m (r), LATERAL (SELECT m.r -> 'result') AS x (r);

-- the history of a deal
SELECT h.change, h.from_stage, h.to_stage, h.status, h.changes - 'probability' AS changes FROM deal_history('00000000-0000-7000-8000-000000000002') AS h;
UPDATE deals SET amount = 20, expected_close_date = '2026-12-01' WHERE title = 'Deal 20';
SELECT i -> 'changes' FROM jsonb_array_elements(pg_temp.call('report_flow', '{"report": "deal_history", "deal_id": "Deal 20", "limit": 1}') -> 'items') AS i;
SELECT count(*) FROM deal_history('00000000-0000-7000-8000-000000000002', '2026-01-15', '2026-02-15');
SELECT deal_history('00000000-0000-4000-8000-000000000001');
DROP SCHEMA mcp_reports CASCADE;
