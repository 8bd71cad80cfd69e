-- MCP: who may do what, and tenants
SET client_min_messages = warning;
CREATE ROLE regress_mcp_reader;
CREATE ROLE regress_mcp_agent;
CREATE ROLE regress_mcp_partial;
CREATE ROLE regress_mcp_stranger;
SELECT crm_install('mcp_access', 'shared');
GRANT USAGE ON SCHEMA mcp_access TO regress_mcp_reader, regress_mcp_agent, regress_mcp_partial, regress_mcp_stranger;
GRANT EXECUTE ON FUNCTION mcp_access.mcp(json) TO regress_mcp_reader, regress_mcp_agent, regress_mcp_partial;
GRANT SELECT ON ALL TABLES IN SCHEMA mcp_access TO regress_mcp_reader, regress_mcp_agent;
GRANT INSERT, UPDATE ON mcp_access.deals, mcp_access.deal_contacts, mcp_access.deal_tags, mcp_access.tags TO regress_mcp_agent;
GRANT EXECUTE ON FUNCTION mcp_access.move_deal, mcp_access.context_for_deal TO regress_mcp_agent;
GRANT SELECT (id, name), INSERT (name, color), UPDATE (color) ON mcp_access.tags TO regress_mcp_partial;
GRANT INSERT (title) ON mcp_access.deals TO regress_mcp_partial;
SET search_path = mcp_access, public;

CREATE FUNCTION pg_temp.call(tool text, arguments jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
$$
	SELECT CASE WHEN (r ->> 'isError')::boolean THEN 'ERROR ' ELSE '' END
		|| regexp_replace(coalesce(r ->> 'structuredContent', reply::text),
			'"(created_at|updated_at|stage_entered_at)":"[^"]*"|01[0-9a-f]{6}-[0-9a-f]{4}-7[-0-9a-f]{21}', '"\1":…', 'g')
	FROM mcp_access.mcp(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call',
			'params', json_build_object('name', tool, 'arguments', arguments))) AS reply,
		LATERAL (SELECT reply -> 'result' AS r) AS r
$$;
CREATE FUNCTION pg_temp.tools() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(t ->> 'name', ' ') FROM json_array_elements(
	mcp_access.mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' -> 'tools') AS t $$;
CREATE FUNCTION pg_temp.arguments(tool text) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(k, ' ') FROM json_array_elements(mcp_access.mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}') -> 'result' -> 'tools') AS t,
	json_object_keys(t -> 'inputSchema' -> 'properties') AS k WHERE t ->> 'name' = tool $$;

-- two tenants with the same
SET request.jwt.claims = '{"tenant_id": "11111111-1111-4111-8111-111111111111", "sub": "one"}';
SELECT pg_temp.call('pipelines_create', '{"id": "11111111-0000-7000-8000-000000000001", "name": "Sales", "is_default": true}') LIKE '{%' AS made,
	pg_temp.call('stages_create', '{"id": "11111111-0000-7000-8000-000000000002", "pipeline_id": "11111111-0000-7000-8000-000000000001", "name": "New"}') LIKE '{%' AS made,
	pg_temp.call('deals_create', '{"id": "11111111-0000-7000-8000-000000000003", "title": "secret of one"}') LIKE '{%' AS made,
	pg_temp.call('tags_create', '{"id": "11111111-0000-7000-8000-000000000004", "name": "one"}') LIKE '{%' AS made;
SET request.jwt.claims = '{"tenant_id": "22222222-2222-4222-8222-222222222222", "sub": "two"}';
SELECT pg_temp.call('pipelines_create', '{"id": "22222222-0000-7000-8000-000000000001", "name": "Sales", "is_default": true}') LIKE '{%' AS made,
	pg_temp.call('stages_create', '{"id": "22222222-0000-7000-8000-000000000002", "pipeline_id": "22222222-0000-7000-8000-000000000001", "name": "New"}') LIKE '{%' AS made;
SELECT pg_temp.call('pipelines_get', '{"id": "22222222-0000-7000-8000-000000000001"}') AS "the owner passes row security";

-- tools/list shows what the role may do
SET ROLE regress_mcp_reader;
SELECT pg_temp.tools();
SELECT pg_temp.call('tags_create', '{"name": "x"}');
SET ROLE regress_mcp_agent;
SELECT pg_temp.tools();
-- as far as columns go
SET ROLE regress_mcp_partial;
SELECT pg_temp.tools();
SELECT tool, pg_temp.arguments(tool) FROM unnest(ARRAY['tags_list', 'tags_create', 'tags_update', 'deals_create']) AS t (tool);
SELECT pg_temp.call('tags_create', '{"name": "partial", "color": "red"}') ~ '^{"id":"[-0-9a-f]*","name":"partial"}$' AS readable_only;
SELECT pg_temp.call('tags_create', '{"name": "x", "id": "11111111-0000-7000-8000-000000000009"}');
SELECT pg_temp.call('deals_create', '{"title": "unseen"}');
SET ROLE regress_mcp_stranger;
SELECT mcp('{"jsonrpc":"2.0","id":1,"method":"ping"}');

-- the hostile tenant reads nothing and changes nothing
SET ROLE regress_mcp_agent;
SELECT call, pg_temp.call(call, arguments::jsonb) FROM (VALUES
	('deals_list', '{}'), ('tags_list', '{"search": "one"}'), ('stages_list', '{"pipeline_id": "11111111-0000-7000-8000-000000000001"}'),
	('deals_get', '{"id": "11111111-0000-7000-8000-000000000003"}'),
	('context_for_deal', '{"deal_id": "11111111-0000-7000-8000-000000000003"}'),
	('deals_update', '{"id": "11111111-0000-7000-8000-000000000003", "title": "taken"}'),
	('deals_move', '{"deal_id": "11111111-0000-7000-8000-000000000003", "stage_id": "22222222-0000-7000-8000-000000000002"}'),
	('deals_create', '{"title": "x", "stage_id": "11111111-0000-7000-8000-000000000002"}'),
	('deals_create', '{"title": "x", "id": "11111111-0000-7000-8000-000000000003"}'),
	('deals_create', '{"title": "x", "tenant_id": "11111111-1111-4111-8111-111111111111"}'),
	('deals_tag', '{"deal_id": "11111111-0000-7000-8000-000000000003", "tag_id": "11111111-0000-7000-8000-000000000004"}'),
	('deals_link_contact', '{"deal_id": "11111111-0000-7000-8000-000000000003", "contact_id": "11111111-0000-7000-8000-000000000009"}')) AS t (call, arguments);
-- nor does one without a tenant
SET request.jwt.claims = '{"sub": "nobody"}';
SELECT call, pg_temp.call(call, arguments::jsonb) FROM (VALUES ('deals_list', '{}'), ('tags_create', '{"name": "x"}')) AS t (call, arguments);
SELECT pg_temp.tools() LIKE 'context_for_deal%' AS the_tools_are_no_secret;
SET request.jwt.claims = '{"tenant_id": "11111111-1111-4111-8111-111111111111", "sub": "one"}';
SELECT pg_temp.call('deals_list')::text ~ 'secret of one.*"version":1|"version":1.*secret of one' AS as_it_was;
RESET ROLE;
RESET request.jwt.claims;

DROP SCHEMA mcp_access CASCADE;
DROP ROLE regress_mcp_reader, regress_mcp_agent, regress_mcp_partial, regress_mcp_stranger;
