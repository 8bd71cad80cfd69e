-- MCP: finding rows by their names, and choosing them
SET client_min_messages = warning;
SELECT crm_install('mcp_find');
CREATE SCHEMA mcp_people;
CREATE TABLE mcp_people.people (id uuid PRIMARY KEY, first_name text, last_name text, email text,
	name text GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED);
INSERT INTO mcp_people.people VALUES ('00000000-0000-4000-8000-0000000000a1', 'Ana', 'Pérez', 'ana@acme.example'),
	('00000000-0000-4000-8000-0000000000a2', 'Ana', 'Lopes', 'lopes@globex.example'), ('00000000-0000-4000-8000-0000000000b1', 'Bob', 'Stone', 'bob@initech.example');
SET search_path = mcp_find, public;
CREATE FUNCTION pg_temp.call(tool text, arguments jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$
	SELECT mcp(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call',
			'params', json_build_object('name', tool, 'arguments', arguments)))::jsonb #> '{result,structuredContent}'
$$;
-- the titles that a list has, and what else it tells
CREATE FUNCTION pg_temp.titles(arguments jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(r ->> 'message', concat_ws(' ', (SELECT string_agg(coalesce(i ->> 'title', i ->> 'name'), ',') FROM jsonb_array_elements(r -> 'items') AS i),
		'of', r ->> 'total', CASE WHEN r ? 'next' THEN 'and more' END))
	FROM pg_temp.call('deals_list', arguments) AS r
$$;
CREATE FUNCTION pg_temp.failure(tool text, arguments jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT regexp_replace(concat_ws(' | ', r ->> 'code', r ->> 'message', r ->> 'details', r ->> 'hint'), '01[0-9a-f]{6}-[0-9a-f]{4}-7[-0-9a-f]{21}', 'ID', 'g')
	FROM pg_temp.call(tool, arguments) AS r
$$;

-- contacts are not linked: only their ids
INSERT INTO pipelines (id, name, currency, is_default) VALUES ('00000000-0000-7000-8000-000000000001', 'Sales', 'EUR', true), ('00000000-0000-7000-8000-000000000002', 'Partners', 'USD', false);
INSERT INTO stages (pipeline_id, name, deal_status)
SELECT p.id, s.name, s.status FROM pipelines AS p, (VALUES ('Zero', 'open'), ('Proposal', 'open'), ('Won', 'won'), ('Lost', 'lost')) AS s (name, status) ORDER BY p.id DESC;
INSERT INTO tags (name) VALUES ('hot'), ('cold');
INSERT INTO deals (id, title, amount, expected_close_date, description, metadata)
SELECT ('00000000-0000-7000-8000-0000000000d' || n)::uuid, t.title, t.amount, t.close, t.description, t.metadata
FROM (VALUES (1, 'Acme', 12000, date '2026-12-05', 'a licence', '{}'::jsonb), (2, 'Acme pilot', 500.5, '2026-12-31', NULL, '{"source": "Fair"}'),
	(3, 'Globex', NULL, NULL, NULL, '{}'), (4, 'Globex again', 12000, '2027-01-01', NULL, '{}')) AS t (n, title, amount, close, description, metadata);
INSERT INTO deal_contacts (deal_id, contact_id) VALUES ('00000000-0000-7000-8000-0000000000d1', '00000000-0000-4000-8000-0000000000a1'), ('00000000-0000-7000-8000-0000000000d4', '00000000-0000-4000-8000-0000000000a2');
SELECT pg_temp.failure('context_for_person', '{"person_id": "Ana"}');
SELECT crm_link('mcp_find', 'deal_contacts.contact_id', 'mcp_people.people') IS NOT NULL AS linked;

-- names for ids
SELECT pg_temp.call('deals_move', '{"deal_id": "acme", "stage_id": " proposal"}') ->> 'status' AS moved;
SELECT pg_temp.call('deals_tag', '{"deal_id": "Acme", "tag_id": "HOT"}') ->> 'deal_id' AS tagged;
SELECT pg_temp.call('deals_link_contact', '{"deal_id": "Acme pilot", "contact_id": "ana pérez"}') ->> 'contact_id' AS linked;
SELECT pg_temp.call('deals_create', '{"title": "By name", "pipeline_id": "partners", "stage_id": "Proposal"}') ->> 'currency' AS in_the_named_pipeline;
SELECT pg_temp.call('stages_get', '{"id": "Zero"}') ->> 'message' AS two_of_them;
SELECT pg_temp.call('tags_get', '{"id": "co"}') ->> 'name' AS reading_takes_a_part;
SELECT pg_temp.failure('tags_update', '{"id": "co", "color": "red"}') AS writing_does_not;
SELECT pg_temp.call('context_for_person', '{"person_id": "Bob"}') #>> '{person,email}' AS bob;
SELECT pg_temp.failure(tool, arguments) FROM (VALUES ('deals_list', '{"contact_id": "ana"}'::jsonb), ('deals_list', '{"stage_id": "Proposal"}'),
	('deals_move', '{"deal_id": "Acme", "stage_id": "Propsal"}'), ('deals_move', '{"deal_id": "Acm", "stage_id": "Won"}'),
	('deals_move', '{"deal_id": "00000000-0000-7000-8000-0000000000d9", "stage_id": "Won"}'), ('deals_tag', '{"deal_id": "Acme", "tag_id": "00000000-0000-7000-8000-0000000000d9"}'),
	('stages_list', '{"pipeline_id": "Nothing"}')) AS t (tool, arguments);

-- among many rows, those that are like a name that none has; the whole name is found first
INSERT INTO deals (title) SELECT n || ' ' || g FROM unnest(ARRAY['Press', 'Licence']) AS n, generate_series(1, 20) AS g;
SELECT pg_temp.failure('deals_get', '{"id": "Prest 7"}') LIKE '%Most like it are "Press 7" (%' AS likely, pg_temp.failure('deals_get', '{"id": "Unlike"}');
SELECT i ->> 'name' AS first FROM jsonb_array_elements(pg_temp.call('find', '{"text": "press 1 "}') -> 'items') AS i LIMIT 1;
DELETE FROM deals WHERE title ~ '^(Press|Licence) ';

-- a number where a text is expected
SELECT pg_temp.call('deals_list', '{"search": 5}') - 'items' AS listed, pg_temp.call('find', '{"text": 12000}') ->> 'message' AS found;
SELECT pg_temp.call('contacts_search', '{"text": 5}') ->> 'total' AS people, pg_temp.failure('context_for_deal', '{"deal_id": 5}') LIKE '22023 | no row of deals has the name "5"%' AS by_name;

-- what a list chooses
SELECT a, pg_temp.titles(a::jsonb) FROM unnest(ARRAY['{"amount_min": "500.5", "amount_max": 501}', '{"expected_close_from": "2026-12-05", "expected_close_before": "2027-01-01"}',
	'{"stage_id": ["Zero", "Proposal"], "pipeline_id": "Sales", "limit": 2.0}', '{"status": ["won", "lost"]}', '{"tag_id": "hot"}', '{"tag_id": ["hot", "cold"], "amount_min": 20000}',
	'{"contact_id": "Ana Lopes"}', '{"search": "ACME fair"}', '{"search": "licence"}', '{"search": "licence fair"}', '{"updated_since": "2999-01-01"}',
	'{"order": "amount", "pipeline_id": "Sales"}', '{"order": "amount", "descending": "true", "pipeline_id": "Sales"}', '{"archived": true}',
	'{"order": "rank"}', '{"status": "closed"}', '{"status": ["open", "closed"]}', '{"amount_min": "much"}', '{"limit": "1.5"}', '{"limit": 101}', '{"fields": ["nothing"]}']) AS a;
SELECT jsonb_pretty(pg_temp.call('deals_list', '{"search": "pilot"}'));
SELECT pg_temp.call('deals_list', '{"search": "pilot", "fields": ["title", "metadata", "tags", "contacts"]}') -> 'items' -> 0;
SELECT pg_temp.call('deals_list', '{"pipeline_id": "Sales"}') -> 'totals';
-- each row once, whatever the order
WITH RECURSIVE orders AS (
	SELECT o, d FROM unnest(ARRAY['amount', 'expected_close_date', 'title', 'created_at']) AS o, unnest(ARRAY[true, false]) AS d
), page AS (
	SELECT o, d, pg_temp.call('deals_list', jsonb_build_object('order', o, 'descending', d, 'limit', 2)) AS r FROM orders
	UNION ALL
	SELECT o, d, pg_temp.call('deals_list', jsonb_build_object('order', o, 'descending', d, 'limit', 2, 'cursor', r -> 'next')) FROM page WHERE r ? 'next'
)
SELECT o, d, count(*) AS rows, count(DISTINCT i ->> 'id') AS deals FROM page, jsonb_array_elements(r -> 'items') AS i GROUP BY o, d ORDER BY o, d;
SELECT pg_temp.titles(jsonb_build_object('order', 'title', 'cursor', pg_temp.call('deals_list', '{"order": "amount", "limit": 1}') -> 'next'));

-- stages in the order of their pipelines
SELECT string_agg(i ->> 'name', ' ' ORDER BY n) FROM jsonb_array_elements(pg_temp.call('stages_list', '{"pipeline_id": "Sales"}') -> 'items') WITH ORDINALITY AS t (i, n);

-- find
SELECT pg_temp.call('find', '{"text": " "}') ->> 'message';
SELECT i ->> 'kind', i ->> 'name' FROM jsonb_array_elements(pg_temp.call('find', '{"text": "a"}') -> 'items') AS i;
SELECT pg_temp.call('find', '{"text": "globex again"}') #>> '{items,0,id}';
SELECT i ->> 'email' FROM jsonb_array_elements(pg_temp.call('contacts_search', '{"text": "ana example"}') -> 'items') AS i;
SELECT jsonb_array_length(p -> 'items'), p ->> 'total', jsonb_array_length(pg_temp.call('contacts_search', jsonb_build_object('limit', 2, 'cursor', p -> 'next')) -> 'items')
FROM pg_temp.call('contacts_search', '{"limit": 2}') AS p;

-- numbers without loss
SELECT pg_temp.call('deals_update', '{"id": "Acme", "amount": "123456789012345.6789"}') -> 'amount' AS text, pg_temp.call('deals_update', '{"id": "Acme", "amount": 99999999999.1}') -> 'amount' AS number;

-- a role that may read the view and not the table finds no contact, and all the rest
CREATE ROLE regress_mcp_find;
SELECT crm_grant_access('mcp_find', 'regress_mcp_find', 'agent');
SET ROLE regress_mcp_find;
SELECT string_agg(DISTINCT i ->> 'kind', ' ') FROM jsonb_array_elements(pg_temp.call('find', '{"text": "a"}') -> 'items') AS i;
SELECT mcp('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"contacts_search"}}') -> 'error' ->> 'message';
RESET ROLE;

-- what models and their hosts can use
GRANT USAGE ON SCHEMA mcp_people TO regress_mcp_find;
GRANT SELECT ON mcp_people.people TO regress_mcp_find;
SET ROLE regress_mcp_find;
CREATE TEMP TABLE tools AS SELECT t FROM jsonb_array_elements(mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')::jsonb #> '{result,tools}') AS t;
CREATE TEMP TABLE properties AS SELECT t ->> 'name' AS tool, p.key, p.value FROM tools, jsonb_each(t #> '{inputSchema,properties}') AS p;
SELECT octet_length(mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')::text) < 24000 AS small;
SELECT t ->> 'name' AS "too long, or the title again" FROM tools WHERE length(t ->> 'description') > 1024 OR t ->> 'description' LIKE (t ->> 'title') || '%';
SELECT tool, key, value FROM properties WHERE length(value ->> 'description') > 1024 OR value ->> 'description' IS NULL
	OR NOT (jsonb_typeof(value -> 'type') = 'string' OR (jsonb_array_length(value -> 'type') = 2 AND value #>> '{type,1}' = 'null')) OR value ? 'anyOf' OR value ? 'oneOf';
SELECT tool, key AS undescribed FROM properties WHERE value ->> 'description' = 'See explain';
SELECT tool, key FROM properties WHERE value ->> 'type' = 'array' AND value #>> '{items,type}' IS NULL;
SELECT t ->> 'name' AS without_output FROM tools WHERE t #>> '{outputSchema,type}' IS DISTINCT FROM 'object' OR t -> 'outputSchema' ? 'required';
SELECT DISTINCT w[1] AS "functions that are no tools" FROM tools, regexp_matches(t::text, '\m(?:crm_)?[a-z]+_[a-z_]+\M', 'g') AS w
WHERE w[1] LIKE 'crm\_%' OR (w[1] IN (SELECT name FROM crm_api_functions()) AND w[1] NOT IN (SELECT t ->> 'name' FROM tools)
	AND w[1] NOT IN (SELECT jsonb_array_elements_text(value -> 'enum') FROM properties WHERE key = 'report'));
SELECT string_agg(key, ' ' ORDER BY key) AS editable FROM properties WHERE tool = 'deals_update';
RESET ROLE;

-- people who have no id are left out
SET client_min_messages = warning;
SELECT crm_install('mcp_find_guests');
CREATE TABLE mcp_people.guests (id uuid UNIQUE, name text);
INSERT INTO mcp_people.guests SELECT CASE n WHEN 5 THEN '00000000-0000-4000-8000-0000000000a1'::uuid END, 'Ana ' || n FROM generate_series(1, 5) AS n;
SELECT crm_link('mcp_find_guests', 'deal_contacts.contact_id', 'mcp_people.guests', id_column => 'id');
SET search_path = mcp_find_guests, public;
SELECT n, pg_temp.call('contacts_search', jsonb_build_object('text', 'ana', 'limit', n)) FROM generate_series(1, 3) AS n;
SELECT pg_temp.call('find', '{"text": "ana"}');

DROP TABLE tools, properties;
DROP SCHEMA mcp_find, mcp_find_guests, mcp_people CASCADE;
DROP ROLE regress_mcp_find;
