-- MCP: messages, methods, revisions, and HTTP
SET client_min_messages = warning;
SELECT crm_install('mcp_protocol');
SET search_path = mcp_protocol, public;

-- a reply without what changes with every version
CREATE FUNCTION pg_temp.reply(message text) RETURNS text LANGUAGE sql AS
$$ SELECT replace(regexp_replace(mcp(message::json)::text, '"(instructions|tools)":("[^"]*"|\[.*\])', '"\1":…'), crm_version(), 'VERSION') $$;
-- what an HTTP request gets, its headers given
CREATE FUNCTION pg_temp.post(headers jsonb, message text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	reply text;
BEGIN
	PERFORM set_config('request.method', 'POST', true), set_config('request.headers', headers::text, true),
		set_config('response.status', '', true), set_config('response.headers', '', true);
	reply := pg_temp.reply(message);
	RETURN concat_ws(' ', coalesce(nullif(current_setting('response.status'), ''), '200'),
		nullif(current_setting('response.headers'), ''), left(reply, 400));
END
$$;
-- a request of the stateless revision
CREATE FUNCTION pg_temp.modern(method text, params jsonb DEFAULT '{}', version text DEFAULT '2026-07-28',
	capabilities jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
$$ SELECT jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', method, 'params', params || jsonb_build_object('_meta',
	jsonb_strip_nulls(jsonb_build_object('io.modelcontextprotocol/protocolVersion', version,
		'io.modelcontextprotocol/clientCapabilities', capabilities))))::text $$;

-- the handshake: a revision we speak is kept, for another one the newest is offered
SELECT pg_temp.reply(format('{"jsonrpc":"2.0","id":%s,"method":"initialize","params":{"protocolVersion":"%s","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}', n, version))
FROM unnest(ARRAY['2025-03-26', '2025-06-18', '2025-11-25', '2024-11-05', '2026-07-28', 'x']) WITH ORDINALITY AS v (version, n);
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"initialize"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":7}}');

-- methods
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"ping"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":null}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"%"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":5}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"completion/complete"}');

-- resources and prompts
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"resources/list"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"crm://pipelines"}}');
SELECT (pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"crm://data-dictionary"}}')::jsonb #>> '{result,contents,0,text}')
	~ '## deals\n\nA sales opportunity.*- amount \(numeric' AS the_dictionary_has_columns;
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"crm://nothing"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}');
SELECT p ->> 'name', p -> 'arguments' FROM jsonb_array_elements(pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"prompts/list"}')::jsonb #> '{result,prompts}') AS p;
SELECT m ->> 'role', m #>> '{content,type}', left(m #>> '{content,text}', 60)
FROM unnest(ARRAY['{"name":"weekly_review"}', '{"name":"qualify_deal","arguments":{"deal":"Acme \"x\""}}', '{"name":"forecast_call","arguments":{"period":"2027-Q1"}}']) AS p,
	jsonb_array_elements(pg_temp.reply(format('{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":%s}', p))::jsonb #> '{result,messages}') AS m;
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"qualify_deal"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"nothing"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":""}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mcp"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tags_list","arguments":[]}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tags_list","arguments":"x"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tags_list","arguments":null}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tags_list"}}');

-- ids come back as they are
SELECT pg_temp.reply(format('{"jsonrpc":"2.0","id":%s,"method":"ping"}', id))
FROM unnest(ARRAY['"a"', '""', '"\"\u00e9\n"', '0', '-5', '12345678901234567890', '1.0', '1.5', 'null', 'true', '[]', '{}']) AS i (id);

-- what is no message
SELECT pg_temp.reply(message)
FROM unnest(ARRAY['1', '"ping"', 'null', 'true', '{}', '{"id":1}', '{"jsonrpc":"1.0","id":1,"method":"ping"}',
	'{"jsonrpc":2.0,"id":1,"method":"ping"}', '{"id":1,"method":"ping"}', '{"jsonrpc":"2.0","id":1}',
	'{"jsonrpc":"2.0","id":1,"method":null}', '{"jsonrpc":"2.0","id":1,"method":["ping"]}',
	'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', '{"jsonrpc":"2.0","id":1,"method":"ping","params":1}',
	'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}']) AS m (message);
-- JSON that jsonb cannot hold: the id is found all the same, if it is not that
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":8,"method":"ping","params":{"a":"\u0000 \\u0000"}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":8,"method":"\ud800"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1e999999,"method":"ping"}');
-- not even JSON: the argument's type refuses it
SELECT mcp('{');
-- nested as deeply as json itself allows, or deeper
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":8,"method":"ping","params":{"a":' || repeat('[', 1000) || repeat(']', 1000) || '}}');
\set VERBOSITY sqlstate
SELECT mcp(repeat('[', 1000000)::json);
\set VERBOSITY default
SELECT mcp(NULL) IS NULL AS nothing;

-- no reply: notifications, whatever they ask for, and responses
SELECT pg_temp.reply(message) IS NULL AS nothing
FROM unnest(ARRAY['{"jsonrpc":"2.0","method":"notifications/initialized"}', '{"jsonrpc":"2.0","method":"nothing","params":[1]}',
	'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"tags_create","arguments":{"name":"none"}}}',
	'{"jsonrpc":"2.0","id":1,"result":{}}', '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}']) AS m (message);
SELECT count(*) FROM tags;

-- batches
SELECT pg_temp.reply('[]');
SELECT pg_temp.reply('[1, {"jsonrpc":"2.0","id":1,"method":"ping"}, {"jsonrpc":"2.0","method":"x"}, {"jsonrpc":"2.0","id":2,"method":"x"}, []]');
SELECT pg_temp.reply('[{"jsonrpc":"2.0","method":"x"}]') IS NULL AS nothing;
SELECT pg_temp.reply('[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}]');

-- the stateless revision
SELECT pg_temp.reply(pg_temp.modern('server/discover'));
SELECT pg_temp.reply(pg_temp.modern('tools/list'));
SELECT pg_temp.reply(pg_temp.modern('tools/call', '{"name":"tags_list"}'));
SELECT pg_temp.reply(pg_temp.modern('tools/call', '{"name":"tags_get","arguments":{}}'));
SELECT pg_temp.reply(pg_temp.modern(method)) FROM unnest(ARRAY['initialize', 'ping', 'subscriptions/listen', 'x']) AS m (method);
SELECT pg_temp.reply(pg_temp.modern('tools/list', version => '2025-11-25'));
SELECT pg_temp.reply(pg_temp.modern('tools/list', version => '2031-01-01'));
SELECT pg_temp.reply(pg_temp.modern('tools/list', capabilities => NULL));
SELECT pg_temp.reply(pg_temp.modern('tools/list', capabilities => '[]'));
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"server/discover"}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}');
SELECT pg_temp.reply('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":7}}');

-- HTTP: the status, the headers set, the reply
\set ping '{"jsonrpc":"2.0","id":1,"method":"ping"}'
SELECT pg_temp.post('{}', :'ping');
SELECT pg_temp.post('{}', '{"jsonrpc":"2.0","method":"notifications/initialized"}');
SELECT pg_temp.post('{}', '1');
SELECT pg_temp.post('{}', '{"jsonrpc":"2.0","id":1,"method":"x"}');
SELECT pg_temp.post('{}', '[' || :'ping' || ']');
-- the revision in the header
SELECT pg_temp.post(jsonb_build_object('mcp-protocol-version', version), :'ping')
FROM unnest(ARRAY['2025-03-26', '2025-06-18', '2025-11-25', '2024-11-05', '2026-07-28', '']) AS v (version);
SELECT pg_temp.post('{"mcp-protocol-version":"2025-06-18"}', '[' || :'ping' || ']');
SELECT pg_temp.post('{"mcp-protocol-version":"2025-03-26"}', '[' || :'ping' || ']');
-- modern requests repeat themselves in the headers
SELECT headers, pg_temp.post(headers, pg_temp.modern('tools/call', '{"name":"tags_list"}'))
FROM unnest(ARRAY[
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call","mcp-name":"tags_list"}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call","mcp-name":"=?base64?dGFnc19saXN0?="}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call","mcp-name":" tags_list "}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call","mcp-name":"=?base64?%%%?="}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call","mcp-name":"=?base64?/w==?="}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call","mcp-name":"tags_get"}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/call"}',
	'{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/list","mcp-name":"tags_list"}',
	'{"mcp-protocol-version":"2026-07-28"}', '{"mcp-protocol-version":"2025-11-25"}', '{}']::jsonb[]) AS h (headers);
SELECT pg_temp.post('{"mcp-protocol-version":"2031-01-01","mcp-method":"tools/list"}', pg_temp.modern('tools/list', version => '2031-01-01'));
SELECT pg_temp.post('{"mcp-protocol-version":"2026-07-28","mcp-method":"x"}', pg_temp.modern('x'));
SELECT pg_temp.post('{"mcp-protocol-version":"2026-07-28","mcp-method":"tools/list"}', pg_temp.modern('tools/list', capabilities => NULL));
-- where a page may come from
SELECT origin, left(pg_temp.post(jsonb_build_object('origin', origin, 'host', 'evil.example'), :'ping'), 3) AS status
FROM unnest(ARRAY['http://localhost', 'http://localhost:6274', 'HTTP://LOCALHOST:1', 'http://127.0.0.1:80', 'http://[::1]:80',
	'http://localhost:80.evil.example', 'http://localhost.evil.example', 'http://localhost:', 'http://evil.example', 'null', '']) AS o (origin);
SET crm.mcp_allowed_origins = 'https://app.example,https://dev.example:*';
SELECT origin, left(pg_temp.post(jsonb_build_object('origin', origin), :'ping'), 3) AS status
FROM unnest(ARRAY['https://app.example', 'https://app.example:444', 'https://dev.example:444', 'http://localhost']) AS o (origin);
SELECT pg_temp.post('{"origin":"http://localhost"}', '{"jsonrpc":"2.0","method":"notifications/initialized"}');
SET crm.mcp_allowed_origins = '*';
SELECT pg_temp.post('{"origin":"https://any.example"}', :'ping');
SET crm.mcp_allowed_origins = '';
SELECT pg_temp.post('{"origin":"http://localhost"}', :'ping');
RESET crm.mcp_allowed_origins;
-- a reply is JSON, also to who would rather have a stream
SELECT accept, pg_temp.post(jsonb_build_object('accept', accept), :'ping')
FROM unnest(ARRAY['application/json, text/event-stream', 'text/event-stream, application/json', 'text/event-stream',
	'application/json;q=0.1, text/event-stream', 'Text/Event-Stream;q=0.9, application/json;q=0.8', '*/*']) AS a (accept);
-- beside the headers that others have set
BEGIN;
SET LOCAL request.headers = '{"accept":"text/event-stream"}';
SET LOCAL response.headers = '[{"X-Own": "1"}]';
SELECT mcp(:'ping');
SHOW response.headers;
ROLLBACK;
-- a status that was set before does not stay
BEGIN;
SELECT mcp('1');
SHOW response.status;
SELECT mcp(:'ping');
SHOW response.status;
ROLLBACK;
-- GET, and a body that holds no message
BEGIN READ ONLY;
SET LOCAL request.method = 'GET';
SELECT r, pg_typeof(r) FROM mcp() AS r;
SELECT current_setting('response.status'), current_setting('response.headers');
ROLLBACK;
BEGIN;
SET LOCAL request.method = 'POST';
SELECT mcp();
SHOW response.status;
SET LOCAL request.headers = '{"origin":"http://evil.example"}';
SELECT mcp();
SHOW response.status;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA mcp_protocol CASCADE;
