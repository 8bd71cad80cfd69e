-- MCP: the tools of tables, links and functions
SET client_min_messages = warning;
SELECT crm_install('mcp_tools');
SET search_path = mcp_tools, public;
\set p1 '00000000-0000-7000-8000-0000000000a1'
\set s1 '00000000-0000-7000-8000-0000000000b1'
\set s2 '00000000-0000-7000-8000-0000000000b2'
\set d1 '00000000-0000-7000-8000-0000000000d1'
\set d2 '00000000-0000-7000-8000-0000000000d2'
\set t1 '00000000-0000-7000-8000-0000000000e1'
\set c1 '00000000-0000-7000-8000-0000000000f1'

-- what a call gives, without what is not the same each time
CREATE FUNCTION pg_temp.call(tool text, arguments jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
$$
	SELECT (CASE WHEN (r ->> 'isError')::boolean THEN 'ERROR ' ELSE '' END)
		|| regexp_replace(coalesce(r ->> 'structuredContent', reply::text),
			'"(created_at|updated_at|stage_entered_at|won_at|changed_at)": ?"[^"]*"|"(details)":"(?:[^"\\]|\\.)*(?:Failing row|since)(?:[^"\\]|\\.)*"', '"\1\2":"…"', 'g')
	FROM mcp(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call',
			'params', json_build_object('name', tool, 'arguments', arguments))) AS reply,
		LATERAL (SELECT reply -> 'result' AS r) AS r
$$;
CREATE FUNCTION pg_temp.tool(name text) RETURNS text LANGUAGE sql AS
$$
	SELECT jsonb_pretty(t::jsonb) FROM json_array_elements(
		mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' -> 'tools') AS t WHERE t ->> 'name' = tool.name
$$;

-- all of them
SELECT t ->> 'name' AS name, t ->> 'title' AS title, t -> 'annotations' ->> 'readOnlyHint' AS read_only,
	t -> 'annotations' ->> 'destructiveHint' AS destructive, t -> 'annotations' ->> 'idempotentHint' AS idempotent
FROM json_array_elements(mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' -> 'tools') AS t;
SELECT pg_temp.tool('stages_create');
SELECT pg_temp.tool('stages_update');
SELECT pg_temp.tool('stages_list');
SELECT pg_temp.tool('deals_tag');
SELECT pg_temp.tool('deals_move');

-- rows
SELECT pg_temp.call('pipelines_create', jsonb_build_object('id', :'p1', 'name', 'Sales', 'is_default', true));
SELECT pg_temp.call('pipelines_create', jsonb_build_object('id', :'p1', 'name', 'Again'));
SELECT pg_temp.call('stages_create', jsonb_build_object('id', :'s1', 'pipeline_id', :'p1', 'name', 'New', 'probability', 0.25));
SELECT pg_temp.call('stages_create', jsonb_build_object('id', :'s2', 'pipeline_id', :'p1', 'name', 'Won', 'deal_status', 'won', 'rotting_days', NULL));
SELECT pg_temp.call('stages_create', jsonb_build_object('pipeline_id', :'p1', 'name', 'Odd', 'deal_status', 'odd'));
SELECT pg_temp.call('deals_create', jsonb_build_object('id', :'d1', 'title', 'One', 'amount', 12345.67, 'metadata', '{"a": [1, null]}'::jsonb));
SELECT pg_temp.call('deals_create', jsonb_build_object('id', :'d2', 'title', 'Two, "quoted" \ and ''all''', 'amount', NULL, 'status', NULL));
SELECT pg_temp.call('deals_get', jsonb_build_object('id', :'d1'));
SELECT pg_temp.call('deals_update', jsonb_build_object('id', :'d1', 'amount', 1, 'expected_version', 1));
SELECT pg_temp.call('deals_update', jsonb_build_object('id', :'d1', 'amount', 2, 'expected_version', 1));
SELECT pg_temp.call('deals_update', jsonb_build_object('id', :'d1', 'amount', NULL, 'description', 'x', 'metadata', '{}'::jsonb));
SELECT pg_temp.call('deals_update', jsonb_build_object('id', :'s1', 'amount', 2));
SELECT pg_temp.call('deals_update', jsonb_build_object('id', :'s1', 'amount', 2, 'expected_version', 1));
SELECT pg_temp.call('deals_update', jsonb_build_object('id', :'d1'));
SELECT pg_temp.call('tags_create', jsonb_build_object('id', :'t1', 'name', 'hot'));

-- lists
SELECT pg_temp.call('deals_list', '{"limit": 1}');
SELECT pg_temp.call('deals_list', jsonb_build_object('limit', 1, 'cursor',
	mcp('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_list","arguments":{"limit":1}}}')
	-> 'result' -> 'structuredContent' ->> 'next_cursor'));
SELECT pg_temp.call('deals_list', jsonb_build_object('stage_id', :'s2'));
SELECT pg_temp.call('stages_list', '{"deal_status": "won", "archived": false, "search": "WO"}');
SELECT pg_temp.call('stages_list', '{"archived": true}');
SELECT pg_temp.call('stages_list', '{"search": "%"}');
SELECT pg_temp.call('deals_list', arguments) FROM unnest(ARRAY['{"limit": 0}', '{"limit": 101}', '{"limit": 1.5}', '{"limit": "5"}',
	'{"limit": null, "stage_id": "x"}', '{"cursor": "x"}', '{"cursor": "AAAA"}', '{"archived": "yes"}', '{"status": "odd"}']::jsonb[]) AS a (arguments);

-- arguments that are wrong
SELECT pg_temp.call(tool, arguments) FROM (VALUES
	('deals_get', '{}'::jsonb), ('deals_get', '{"id": null}'), ('deals_get', '{"id": "x"}'), ('deals_get', '{"id": {}}'), ('deals_get', '{"id": 5}'),
	('deals_get', '{"id": "00000000-0000-7000-8000-0000000000d9"}'),
	('deals_get', '{"id": "00000000-0000-7000-8000-0000000000d1", "x": 1, "y": 2}'),
	('deals_create', '{"title": "x", "tenant_id": "00000000-0000-7000-8000-0000000000d1"}'), ('deals_create', '{"title": "x", "version": 5}'),
	('deals_create', '{"title": ["x"]}'), ('deals_create', '{"title": " "}'), ('deals_create', '{"title": "x", "amount": "much"}'),
	('deals_create', '{"title": "x", "metadata": []}'), ('deals_create', '{"title": "x", "expected_close_date": "soon"}'),
	('deals_move', '{"deal_id": "00000000-0000-7000-8000-0000000000d1"}'), ('stages_reorder', '{"pipeline_id": "00000000-0000-7000-8000-0000000000a1", "stage_ids": "x"}'),
	('stages_reorder', '{"pipeline_id": "00000000-0000-7000-8000-0000000000a1", "stage_ids": ["x"]}')) AS t (tool, arguments);

-- links
SELECT pg_temp.call('deals_tag', jsonb_build_object('deal_id', :'d1', 'tag_id', :'t1'))::jsonb - 'id';
SELECT pg_temp.call('deals_tag', jsonb_build_object('deal_id', :'d1', 'tag_id', :'t1'))::jsonb - 'id';
SELECT pg_temp.call('deals_tag', jsonb_build_object('deal_id', :'d1', 'tag_id', :'d1'));
SELECT pg_temp.call('deals_untag', jsonb_build_object('deal_id', :'d1', 'tag_id', :'t1'));
SELECT pg_temp.call('deals_untag', jsonb_build_object('deal_id', :'d1', 'tag_id', :'t1'));
SELECT pg_temp.call('deals_untag', jsonb_build_object('deal_id', :'d1'));
SELECT pg_temp.call('deals_link_contact', jsonb_build_object('deal_id', :'d1', 'contact_id', :'c1', 'role', 'buyer'))::jsonb - 'id';
SELECT pg_temp.call('deals_link_contact', jsonb_build_object('deal_id', :'d1', 'contact_id', :'c1', 'is_primary', true))::jsonb - 'id';
SELECT pg_temp.call('deals_link_contact', jsonb_build_object('deal_id', :'d1', 'contact_id', :'c1'))::jsonb - 'id';

-- functions
SELECT pg_temp.call('deals_move', jsonb_build_object('deal_id', :'d1', 'stage_id', :'s2', 'lost_reason', NULL));
SELECT pg_temp.call('deals_move', jsonb_build_object('deal_id', :'d1', 'stage_id', :'s1', 'expected_stage_id', :'s1'));
SELECT regexp_replace(pg_temp.call('context_for_deal', jsonb_build_object('deal_id', :'d1')), '"changed_by": "[^"]*"', '"changed_by":"…"');
SELECT pg_temp.call('deals_undo_move', jsonb_build_object('deal_id', :'d1'))::jsonb ->> 'status';
SELECT pg_temp.call('report_value', jsonb_build_object('report', 'pipeline_summary', 'pipeline_id', :'p1'))::jsonb -> 'total_deals';
SELECT pg_temp.call('report_value', jsonb_build_object('report', 'forecast', 'pipeline_id', :'p1', 'period', 'quarter'))::jsonb #> '{items,0,bucket}';
SELECT pg_temp.call('report_value', '{"report": "forecast", "period": "decade"}');
SELECT pg_temp.call('context_for_person', jsonb_build_object('person_id', :'c1'))::jsonb -> 'deals' -> 0 ->> 'title';
SELECT pg_temp.call('deals_unlink_contact', jsonb_build_object('deal_id', :'d1', 'contact_id', :'c1'));
SELECT pg_temp.call('context_for_deal', jsonb_build_object('deal_id', :'c1'));
SELECT pg_temp.call('stages_reorder', jsonb_build_object('pipeline_id', :'p1', 'stage_ids', jsonb_build_array(:'s2', :'s1')))::jsonb #> '{items,0,name}';

-- overdue
UPDATE stages SET rotting_days = 3 WHERE id = :'s1';
SELECT pg_temp.call('context_for_deal', jsonb_build_object('deal_id', id))::jsonb -> 'overdue' AS overdue
FROM (SELECT crm_uuid_v7() AS id) AS i,
	LATERAL (SELECT pg_temp.call('deals_create', jsonb_build_object('id', id, 'title', 'Late', 'expected_close_date', current_date - 2,
		'stage_entered_at', now() - interval '5 days 1 hour', 'created_at', now() - interval '9 days'))) AS c (made)
WHERE made NOT LIKE 'ERROR%';

-- deleting
SELECT pg_temp.call('stages_delete', jsonb_build_object('id', :'s1'));
SELECT pg_temp.call('deals_delete', jsonb_build_object('id', :'d2'))::jsonb ->> 'title';
SELECT pg_temp.call('deals_delete', jsonb_build_object('id', :'d2'));

-- columns of the user's own
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN size AS text CHECK (VALUE IN ('s', 'm', 'l'));
ALTER TABLE deals ADD region text CHECK (region IN ('north', 'south')), ADD mood mood, ADD size size, ADD "Odd ""Name""" int DEFAULT 7,
	ADD parts text[], ADD doubled numeric GENERATED ALWAYS AS (amount * 2) STORED;
COMMENT ON COLUMN deals.region IS 'Where it is';
CREATE INDEX ON deals ("Odd ""Name""");
SELECT p.key, p.value FROM jsonb_each(pg_temp.tool('deals_create')::jsonb #> '{inputSchema,properties}') AS p
WHERE p.key IN ('region', 'mood', 'size', 'Odd "Name"', 'parts', 'doubled');
SELECT p.key, p.value FROM jsonb_each(pg_temp.tool('deals_list')::jsonb #> '{inputSchema,properties}') AS p
WHERE p.key IN ('region', 'mood', 'size', 'Odd "Name"', 'parts', 'doubled');
SELECT pg_temp.call('deals_create', '{"title": "own", "region": "north", "mood": "sad", "size": "m", "Odd \"Name\"": 9, "parts": ["a", "b c"], "amount": 2}')::jsonb
	- ARRAY['id', 'created_at', 'updated_at', 'stage_entered_at', 'stage_id', 'pipeline_id'];
SELECT pg_temp.call('deals_list', '{"region": "north", "mood": "sad", "size": "m", "Odd \"Name\"": 9}')::jsonb #>> '{items,0,title}';
SELECT pg_temp.call('deals_create', '{"title": "own", "mood": "odd"}');
SELECT pg_temp.call('deals_create', '{"title": "own", "parts": {"a": 1}}');

-- tools of the user's own
CREATE FUNCTION greet(who text, times int DEFAULT 2, loud boolean DEFAULT false, moods mood[] DEFAULT NULL, size size DEFAULT 'm')
	RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT repeat(CASE WHEN loud THEN upper(who) ELSE who END || ' ', times) || coalesce(moods::text, 'none') || size; END;
COMMENT ON FUNCTION greet IS E'Greet somebody\n\nAs often as you like.\n@param who The name\n@param loud Whether to shout\n@mcp name=people.greet idempotent';
SELECT pg_temp.tool('people.greet');
SELECT pg_temp.call('people.greet', '{"who": "you"}');
SELECT pg_temp.call('people.greet', '{"who": "you", "times": 1, "loud": true, "moods": ["sad", "glad"], "size": null}');
SELECT pg_temp.call('people.greet', '{"who": "you", "size": "xl"}');
SELECT pg_temp.call('people.greet', '{"times": 1}');
SELECT pg_temp.call('greet', '{"who": "you"}');
-- a comment that is indented, as the statement is
CREATE FUNCTION wave(who text) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT who; END;
COMMENT ON FUNCTION wave IS E'\n    Wave to somebody\n\n    From afar.\n\t@param who The name\n    @mcp name=people.wave\n    ';
SELECT t ->> 'title' AS title, t ->> 'description' AS description, t #>> '{inputSchema,properties,who,description}' AS who FROM CAST(pg_temp.tool('people.wave') AS jsonb) AS t;
SELECT pg_temp.call('people.wave', '{"who": "you"}');
CREATE FUNCTION nothing() RETURNS void LANGUAGE sql VOLATILE BEGIN ATOMIC END;
COMMENT ON FUNCTION nothing() IS '@mcp additive';
SELECT pg_temp.call('nothing');
SELECT pg_temp.tool('nothing');
CREATE FUNCTION two(OUT a int, OUT b text) LANGUAGE sql STABLE BEGIN ATOMIC SELECT 1, 'x'; END;
COMMENT ON FUNCTION two() IS '@mcp';
SELECT pg_temp.call('two');
CREATE FUNCTION numbers(n int) RETURNS TABLE (i int, square int) LANGUAGE sql STABLE BEGIN ATOMIC SELECT g, g * g FROM generate_series(1, n) AS g; END;
COMMENT ON FUNCTION numbers(int) IS '@mcp';
SELECT pg_temp.call('numbers', '{"n": 2}'), pg_temp.call('numbers', '{"n": 0}');
CREATE FUNCTION plain(n int) RETURNS SETOF int LANGUAGE sql STABLE BEGIN ATOMIC SELECT generate_series(1, n); END;
COMMENT ON FUNCTION plain(int) IS '@mcp';
SELECT pg_temp.call('plain', '{"n": 2}');
CREATE FUNCTION newest() RETURNS tags LANGUAGE sql STABLE BEGIN ATOMIC SELECT t FROM tags AS t ORDER BY id DESC LIMIT 1; END;
COMMENT ON FUNCTION newest() IS '@mcp';
SELECT pg_temp.call('newest');
CREATE FUNCTION odd(which int) RETURNS json LANGUAGE sql STABLE AS $$ SELECT (ARRAY['{"items": {"a": 1}}', '{"items": 3}', '{"a": "\u0000"}']::json[])[which] $$;
COMMENT ON FUNCTION odd(int) IS '@mcp';
SELECT mcp(json_build_object('jsonrpc', '2.0', 'id', n, 'method', 'tools/call', 'params', json_build_object('name', 'odd', 'arguments', json_build_object('which', n)))) FROM generate_series(1, 3) AS n;
-- one in the place of a generated tool
CREATE FUNCTION list_tags() RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT 'mine'; END;
COMMENT ON FUNCTION list_tags() IS '@mcp name=tags_list';
SELECT pg_temp.call('tags_list');
-- these cannot be: no name for an argument, no type, no name for the tool, no mark
CREATE FUNCTION unnamed(int) RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT 1; END;
COMMENT ON FUNCTION unnamed(int) IS '@mcp';
CREATE FUNCTION anything(a anyelement) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
COMMENT ON FUNCTION anything(anyelement) IS '@mcp';
CREATE FUNCTION many(VARIADIC a int[]) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
COMMENT ON FUNCTION many(int[]) IS '@mcp';
CREATE FUNCTION "odd name"() RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT 1; END;
COMMENT ON FUNCTION "odd name"() IS '@mcp';
CREATE FUNCTION unmarked() RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT 1; END;
COMMENT ON FUNCTION unmarked() IS 'Says @mcp and @mcpx';
SELECT pg_temp.call(tool, arguments) FROM (VALUES ('unnamed', '{}'::jsonb), ('anything', '{"a":1}'), ('many', '{"a":[]}'), ('odd name', '{}'), ('unmarked', '{}')) AS t (tool, arguments);

-- a failed tool leaves nothing behind, and those before and after it stand
CREATE FUNCTION fail(state text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO mcp_tools.tags (name) VALUES ('left behind'); RAISE EXCEPTION USING ERRCODE = state, MESSAGE = 'failed', DETAIL = 'a' || chr(10) || 'b', HINT = 'h'; END $$;
COMMENT ON FUNCTION fail(text) IS '@mcp';
SELECT mcp(('[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tags_create","arguments":{"name":"first"}}},'
	'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"fail","arguments":{"state":"23514"}}},'
	'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"tags_create","arguments":{"name":"FIRST"}}},'
	'{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"fail","arguments":{"state":"XX000"}}},'
	'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"tags_create","arguments":{"name":"last"}}}]')::json) -> n AS reply FROM generate_series(1, 3, 2) AS n;
SELECT name FROM tags ORDER BY id;
SELECT pg_temp.call('fail', '{"state": "XX000"}');
SELECT pg_temp.call('fail', '{"state": "40001"}');
-- but what ends the statement does so
SELECT pg_temp.call('fail', '{"state": "57014"}');
SELECT pg_temp.call('fail', '{"state": "53200"}');
CREATE FUNCTION slow() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(60)';
COMMENT ON FUNCTION slow() IS '@mcp';
SET statement_timeout = '100ms';
SELECT pg_temp.call('slow');
RESET statement_timeout;
-- a deferred constraint fails in its tool, not with the transaction
ALTER TABLE deals ADD reviewer uuid REFERENCES tags (id) DEFERRABLE INITIALLY DEFERRED;
SELECT pg_temp.call('deals_create', '{"title": "x", "reviewer": "00000000-0000-7000-8000-000000000099"}');

-- many tools have pages
DO $$ BEGIN FOR i IN 10..89 LOOP EXECUTE format('CREATE FUNCTION tool_%s() RETURNS int LANGUAGE sql STABLE AS ''SELECT 1''; COMMENT ON FUNCTION tool_%s() IS ''@mcp''', i, i); END LOOP; END $$;
WITH RECURSIVE page AS (
	SELECT mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' AS r, 1 AS n
	UNION ALL
	SELECT mcp(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/list', 'params', json_build_object('cursor', r ->> 'nextCursor'))) -> 'result', n + 1
	FROM page WHERE r ->> 'nextCursor' IS NOT NULL
)
SELECT n, json_array_length(r -> 'tools') AS tools, (r ->> 'nextCursor') IS NOT NULL AS more FROM page;

-- a hostile search_path changes nothing
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.equal(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR hostile.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = hostile.equal);
CREATE FUNCTION hostile.lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''''';
SET search_path = hostile, pg_catalog, mcp_tools, public;
SELECT pg_temp.call('deals_get', '{"id": "00000000-0000-7000-8000-0000000000d9"}');
SELECT pg_temp.call('deals_list', '{"search": "nothing has this"}');
SET search_path = mcp_tools, public;

DROP SCHEMA hostile CASCADE;
DROP SCHEMA mcp_tools CASCADE;
