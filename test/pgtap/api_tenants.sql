-- Tenants through the API, as PostgREST calls it: acme, and mallory, who knows
-- the ids of acme's rows, is of the same role and may do all that it may.
BEGIN;
\set tenancy shared
\ir include/setup.sql
\ir include/request.sql
SELECT no_plan();
CREATE ROLE ta_admin;
SELECT extensions.crm_grant_access('crm', 'ta_admin', 'admin') \g /dev/null
CREATE FUNCTION t.tenant(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT extensions.crm_external_uuid('tenant', name) $$;
CREATE FUNCTION t.claims(name text) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$ SELECT jsonb_build_object('role', 'ta_admin', 'sub', name, 'tenant_id', name) $$;
CREATE FUNCTION t.said(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN jsonb_typeof(answer) = 'array' THEN jsonb_array_length(answer) || ' rows'
        ELSE concat_ws(' ', answer ->> 'code', answer ->> 'status') END $$;

-- The same for both, through the API; ids are made of the tenant's name.
CREATE FUNCTION t.populate(name text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ',
        t.said(t.post('ta_admin', t.claims(name), 'pipelines', jsonb_build_object('id', t.id(name || ' p'), 'name', 'Sales', 'is_default', true, 'external_id', 'p'))),
        t.said(t.post('ta_admin', t.claims(name), 'stages', jsonb_build_array(
            jsonb_build_object('id', t.id(name || ' s1'), 'pipeline_id', t.id(name || ' p'), 'name', 'Lead', 'deal_status', 'open', 'external_id', 's1'),
            jsonb_build_object('id', t.id(name || ' s2'), 'pipeline_id', t.id(name || ' p'), 'name', 'Won', 'deal_status', 'won', 'external_id', 's2')))),
        t.said(t.post('ta_admin', t.claims(name), 'deals', jsonb_build_object('id', t.id(name || ' d'), 'title', name || ' secret', 'amount', 77, 'external_id', 'd'))),
        t.said(t.rpc('ta_admin', t.claims(name), 'move_deal', jsonb_build_object('deal_id', t.id(name || ' d'), 'stage_id', t.id(name || ' s2')))),
        t.said(t.post('ta_admin', t.claims(name), 'tags', jsonb_build_object('id', t.id(name || ' t'), 'name', 'hot'))),
        t.said(t.post('ta_admin', t.claims(name), 'deal_tags', jsonb_build_object('deal_id', t.id(name || ' d'), 'tag_id', t.id(name || ' t')))),
        t.said(t.post('ta_admin', t.claims(name), 'deal_contacts', jsonb_build_object('id', t.id(name || ' c'), 'deal_id', t.id(name || ' d'), 'contact_id', t.id('Ann')))))
$$;
SELECT is(populate('acme'), '1 rows, 2 rows, 1 rows, 1 rows, 1 rows, 1 rows, 1 rows', 'acme works');
SELECT is(populate('mallory'), '1 rows, 2 rows, 1 rows, 1 rows, 1 rows, 1 rows, 1 rows', 'mallory has rows of the same names');

-- What acme has, to the byte: no request of mallory's changes it.
CREATE FUNCTION t.acme() RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(r, E'\n' ORDER BY r)) FROM (SELECT to_jsonb(x)::text FROM crm.pipelines AS x WHERE tenant_id = t.tenant('acme')
        UNION ALL SELECT to_jsonb(x)::text FROM crm.stages AS x WHERE tenant_id = t.tenant('acme')
        UNION ALL SELECT to_jsonb(x)::text FROM crm.deals AS x WHERE tenant_id = t.tenant('acme')
        UNION ALL SELECT to_jsonb(x)::text FROM crm.stage_changes AS x WHERE tenant_id = t.tenant('acme')
        UNION ALL SELECT to_jsonb(x)::text FROM crm.tags AS x WHERE tenant_id = t.tenant('acme')
        UNION ALL SELECT to_jsonb(x)::text FROM crm.deal_tags AS x WHERE tenant_id = t.tenant('acme')
        UNION ALL SELECT to_jsonb(x)::text FROM crm.deal_contacts AS x WHERE tenant_id = t.tenant('acme')) AS rows (r)
$$;
CREATE TABLE t.before AS SELECT t.acme() AS acme;

-- Arguments of functions: as if acme's rows were not there.
CREATE TABLE t.attacks (n serial, function text, body jsonb);
INSERT INTO t.attacks (function, body) VALUES
    ('move_deal', '{"deal_id": "@acme d", "stage_id": "@mallory s1"}'), ('move_deal', '{"deal_id": "@mallory d", "stage_id": "@acme s1"}'),
    ('move_deal', '{"deal_id": "@acme d", "stage_id": "@acme s1"}'),
    ('move_deal', '{"deal_id": "@mallory d", "stage_id": "@mallory s1", "expected_stage_id": "@acme s2"}'),
    ('undo_move', '{"deal_id": "@acme d"}'), ('set_primary_contact', '{"deal_id": "@acme d", "contact_id": "@Ann"}'),
    ('set_default_pipeline', '{"pipeline_id": "@acme p"}'), ('delete_stage', '{"stage_id": "@acme s1"}'),
    ('delete_stage', '{"stage_id": "@mallory s2", "move_deals_to": "@acme s1"}'), ('apply_stage_probability', '{"stage_id": "@acme s1"}'),
    ('reorder_stages', '{"pipeline_id": "@acme p", "stage_ids": "{}"}'), ('pipeline_summary', '{"pipeline_id": "@acme p"}'),
    ('context_for_deal', '{"deal_id": "@acme d"}'), ('deal_history', '{"deal_id": "@acme d"}'),
    ('merge_deals', '{"keep": "@mallory d", "merge": "@acme d"}'), ('merge_deals', '{"keep": "@acme d", "merge": "@mallory d"}'),
    ('unmerge_deals', '{"merged": "@acme d"}');
CREATE FUNCTION t.ids(body jsonb, of text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_object_agg(k, CASE WHEN v #>> '{}' ~ '^@' THEN to_jsonb(t.id(replace(substr(v #>> '{}', 2), 'acme', of))) ELSE v END), '{}')
    FROM jsonb_each(body) AS e (k, v) $$;
CREATE FUNCTION t.anonymous(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(answer::text, '[0-9a-f]{8}-[0-9a-f-]{27}', 'an id', 'g'), '\d{4}-\d\d-\d\d[ T][0-9:.+]+', 'a time', 'g') $$;
SELECT is(anonymous(rpc('ta_admin', claims('mallory'), function, ids(body, 'acme'))), anonymous(rpc('ta_admin', claims('mallory'), function, ids(body, 'nobody'))),
    format('rpc/%s %s: as with ids of nobody', function, body)) FROM t.attacks ORDER BY n;
SELECT ok(rpc('ta_admin', claims('mallory'), function, ids(body, 'acme')) ->> 'status' IN ('404', '409', '403', '400'), format('rpc/%s %s: refused', function, body))
FROM t.attacks ORDER BY n;
SELECT is(rpc('ta_admin', claims('mallory'), 'pipeline_summary', jsonb_build_object('pipeline_id', id('mallory p'), 'tag_id', id('acme t'))) #> '{0,total_deals}',
    '0', 'pipeline_summary: a tag of acme''s selects nothing');
SELECT is(jsonb_path_query_array(rpc('ta_admin', claims('mallory'), 'context_for_person', jsonb_build_object('person_id', id('Ann'))), '$[0].deals[*].title'),
    '["mallory secret"]', 'context_for_person: mallory''s deal only, of a person both know');

-- Rows: forged ids and tenants, upserts on acme's keys.
CREATE TABLE t.posts (n serial, tab text, body jsonb, on_conflict text, said text, why text);
INSERT INTO t.posts (tab, body, on_conflict, said, why) VALUES
    ('deals', '{"id": "@acme d", "title": "x"}', NULL, '23505 409', 'the id of acme''s deal shows that it exists, no more'),
    ('deals', '{"id": "@acme d", "title": "x"}', 'id', '42501 403', 'upserting it'),
    ('deals', '{"id": "@acme d", "title": "x", "external_id": "d"}', 'tenant_id, external_id', '23514 400', 'upserting its id by external_id'),
    ('deals', '{"title": "x", "stage_id": "@acme s1"}', NULL, '23503 409', 'into acme''s stage'),
    ('deals', '{"title": "x", "pipeline_id": "@acme p"}', NULL, '23503 409', 'into acme''s pipeline'),
    ('deals', '{"title": "x", "tenant_id": "#acme"}', NULL, '42501 403', 'as acme''s'),
    ('deals', '{"title": "x", "tenant_id": "#acme", "external_id": "d"}', 'tenant_id, external_id', '42501 403', 'upserting as acme''s'),
    ('pipelines', '{"name": "x", "tenant_id": "#acme"}', NULL, '42501 403', 'as acme''s'),
    ('pipelines', '{"id": "@acme p", "name": "x"}', 'id', '42501 403', 'upserting acme''s'),
    ('stages', '{"name": "x", "pipeline_id": "@acme p"}', NULL, '23503 409', 'into acme''s pipeline'),
    ('stages', '{"id": "@acme s1", "name": "x", "pipeline_id": "@mallory p"}', 'id', '42501 403', 'upserting acme''s'),
    ('tags', '{"id": "@acme t", "name": "x"}', 'id', '42501 403', 'upserting acme''s'),
    ('tags', '{"name": "x", "tenant_id": "#acme"}', NULL, '42501 403', 'as acme''s'),
    ('deal_tags', '{"deal_id": "@acme d", "tag_id": "@mallory t"}', NULL, '23503 409', 'on acme''s deal'),
    ('deal_tags', '{"deal_id": "@mallory d", "tag_id": "@acme t"}', NULL, '23503 409', 'acme''s tag'),
    ('deal_tags', '{"deal_id": "@acme d", "tag_id": "@acme t"}', 'deal_id, tag_id', '23503 409', 'upserting acme''s link'),
    ('deal_contacts', '{"deal_id": "@acme d", "contact_id": "@Ann", "role": "x"}', 'deal_id, contact_id', '23503 409', 'upserting acme''s link'),
    ('deal_contacts', '{"id": "@acme c", "deal_id": "@mallory d", "contact_id": "@Ben"}', 'id', '42501 403', 'upserting its id'),
    ('deals', '{"external_id": "d", "title": "mine"}', 'tenant_id, external_id', '1 rows', 'upserting by external_id is of one''s own');
CREATE FUNCTION t.body(body jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(k, CASE left(v #>> '{}', 1) WHEN '@' THEN to_jsonb(t.id(substr(v #>> '{}', 2)))
        WHEN '#' THEN to_jsonb(t.tenant(substr(v #>> '{}', 2))) ELSE v END) FROM jsonb_each(body) AS e (k, v) $$;
SELECT is(said(post('ta_admin', claims('mallory'), tab, body(body), on_conflict)), said, format('POST /%s %s: %s', tab, coalesce('on_conflict=' || on_conflict, ''), why))
FROM t.posts ORDER BY n;
SELECT unalike(post('ta_admin', claims('mallory'), tab, body(body), on_conflict)::text, '%secret%', format('POST /%s: tells nothing (%s)', tab, why)) FROM t.posts ORDER BY n;
SELECT is(said(patch('ta_admin', claims('mallory'), tab, format('%I.tenant_id = %L', tab, tenant('acme')), jsonb_build_object('tenant_id', tenant('mallory')))), '0 rows',
    'PATCH /' || tab || ': none of acme''s') FROM unnest('{pipelines,stages,deals,tags,deal_tags,deal_contacts}'::text[]) AS tab;
SELECT is(said(patch('ta_admin', claims('mallory'), tab, 'true', jsonb_build_object('tenant_id', tenant('acme')))), '23514 400',
    'PATCH /' || tab || ': none given away') FROM unnest('{pipelines,stages,deals,tags,deal_tags,deal_contacts}'::text[]) AS tab;
SELECT is(said(request('ta_admin', claims('mallory'), format('WITH d AS (DELETE FROM crm.%I WHERE tenant_id = %L RETURNING 1) SELECT coalesce(jsonb_agg(1), ''[]'') FROM d', tab, tenant('acme')))),
    CASE tab WHEN 'stage_changes' THEN '42501 403' ELSE '0 rows' END, 'DELETE /' || tab || ': none of acme''s')
FROM unnest('{pipelines,stages,deals,tags,deal_tags,deal_contacts,stage_changes}'::text[]) AS tab;

-- Reading: filters on embedded rows, by foreign key and computed.
SELECT is(get('ta_admin', claims('mallory'), q), '[]', why) FROM (VALUES
    ('SELECT 1 FROM crm.deals WHERE tenant_id <> ''' || tenant('mallory') || '''', 'deals of others'),
    ('SELECT 1 FROM crm.stages AS s JOIN LATERAL (SELECT 1 FROM crm.deals AS d WHERE d.stage_id = s.id AND d.title = ''acme secret'') AS d ON true',
        'stages?select=deals!inner(*)&deals.title=eq.'),
    ('SELECT 1 FROM crm.stage_changes AS c JOIN LATERAL (SELECT 1 FROM crm.deal(c) AS d WHERE d.title LIKE ''acme%'') AS d ON true',
        'stage_changes?select=deal!inner(*)&deal.title=like.'),
    (format('SELECT d.* FROM crm.deal(jsonb_populate_record(NULL::crm.stage_changes, ''{"deal_id": "%s"}'')) AS d', id('acme d')),
        'deal() of a forged stage change'),
    (format('SELECT h.* FROM (SELECT (jsonb_populate_record(NULL::crm.deals, ''{"id": "%s"}'')).*) AS d, LATERAL crm.stage_changes(d) AS h', id('acme d')),
        'stage_changes() of a forged deal'),
    ('SELECT 1 FROM crm.pipeline_stage_summary WHERE pipeline_id = ''' || id('acme p') || '''', 'the view of totals')) AS v (q, why);
SELECT is(get('ta_admin', claims('mallory'), format('SELECT p.summary FROM (SELECT (jsonb_populate_record(NULL::crm.pipelines, ''{"id": "%s"}'')).*) AS p, LATERAL crm.summary(p) AS summary',
    id('acme p'))) ->> 'status', '404', 'summary() of a forged pipeline');

-- Without a tenant nothing is served, whatever else the claims say.
SELECT is(get('ta_admin', claims, 'SELECT 1 FROM crm.deals') ->> 'status', '403', 'claims ' || claims::text)
FROM unnest(ARRAY['{}', '{"role": "ta_admin"}', '{"tenant_id": null}', '{"tenant_id": ""}', '{"tenant_id": {}}', '{"tenant_id": ["acme"]}',
    '{"app_metadata": {"tenant_id": "acme"}}', '{"tenant_id": "00000000-0000-0000-0000-000000000000"}']::jsonb[]) AS claims;
SELECT set_config('crm.tenant_claim', 'app_metadata.tenant_id', true) \g /dev/null
SELECT is(get('ta_admin', '{"tenant_id": "acme", "app_metadata": {"tenant_id": "mallory"}}', 'SELECT DISTINCT tenant_id FROM crm.deals'),
    jsonb_build_array(jsonb_build_object('tenant_id', tenant('mallory'))), 'the claim is the one that the setting names, no other');
SELECT is(said(get('ta_admin', claims('acme'), 'SELECT 1 FROM crm.deals')), '42501 403', 'and where it is missing there is none');

SELECT is(acme(), (SELECT acme FROM t.before), 'nothing of acme''s has changed');

SELECT * FROM finish();
ROLLBACK;
