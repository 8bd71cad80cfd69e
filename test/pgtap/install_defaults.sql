-- The defaults of a CRM's columns, as PostgREST evaluates them for Prefer:
-- missing=default: it pastes their text into SQL that the role of the request
-- runs, and no role has a right on the extension's schema.
BEGIN;
\ir include/setup.sql
\ir include/roles.sql
SELECT no_plan();
CREATE ROLE def_owner;
CREATE ROLE def_agent;
CREATE ROLE def_write;
CREATE ROLE def_admin;
SELECT format('GRANT CREATE ON DATABASE %I TO def_owner', current_database()) \gexec
REVOKE USAGE ON SCHEMA extensions FROM PUBLIC;
GRANT USAGE ON SCHEMA extensions TO def_owner;
DROP SCHEMA crm CASCADE;
SET LOCAL ROLE def_owner;
SELECT extensions.crm_install('crm'), extensions.crm_install('shared', 'shared') \g /dev/null
SELECT extensions.crm_grant_access(s, 'def_' || l, l)
FROM unnest('{crm,shared}'::text[]) AS s, unnest('{agent,write,admin}'::text[]) AS l \g /dev/null
RESET ROLE;
GRANT USAGE ON SCHEMA t TO PUBLIC;

-- What PostgREST reads of the columns, with the path that it reads it by.
CREATE TABLE t.defaults AS
SELECT c.relnamespace::regnamespace::text AS schema, c.relname AS tab, a.attname AS col, pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.adnum
WHERE c.relnamespace IN ('crm'::regnamespace, 'shared'::regnamespace);
SELECT cmp_ok((SELECT count(*) FROM t.defaults)::integer, '>', 60, 'columns have defaults');

SELECT is_empty(format($$SELECT d.*, '%1$s' AS level FROM t.defaults AS d
    WHERE has_any_column_privilege('%1$s', d.schema || '.' || d.tab, 'INSERT')
    AND as_role('%1$s', 'SELECT set_config(''request.jwt.claims'', ''{"tenant_id": "a"}'', true), ' || d.expression) <> 'ok'$$, level),
    level || ' may evaluate those of the columns that it writes')
FROM unnest('{def_agent,def_write,def_admin}'::text[]) AS level;
SELECT ok(NOT has_schema_privilege('def_admin', 'extensions', 'USAGE'), 'without a right on the extension''s schema');

-- Tools copy the text, and some cut it at "::", which is harmless behind a literal only.
SELECT is_empty($$SELECT * FROM t.defaults WHERE expression ~ '::' AND expression !~ '^''[^'']*''::[a-z ]+$'$$, 'no casts but of literals');
SELECT is_empty($$SELECT * FROM t.defaults WHERE expression !~ '^(''.*|[a-z_]+|[0-9]+|[a-z_]+(\.[a-z_]+)?\(\))$'$$, 'literals and calls without arguments');
SELECT is_empty($$SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'crm_defaults'::regnamespace
    AND (p.pronargs > 0 OR NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.objid = p.oid AND e.classid = 'pg_proc'::regclass AND e.deptype = 'e'))$$,
    'all of them are the extension''s and take no arguments');

-- The statement of PostgREST 16 for an array in which objects lack members.
SELECT is(as_role('def_admin', $$WITH pgrst_source AS (
    INSERT INTO "crm"."pipelines"("id", "name", "metadata", "tenant_id") SELECT "pgrst_body"."id", "pgrst_body"."name", "pgrst_body"."metadata", "pgrst_body"."tenant_id"
    FROM (SELECT '[{"name": "A", "metadata": {"a": 1}}, {"name": "B"}]'::jsonb AS json_data) pgrst_payload,
    LATERAL (SELECT jsonb_agg(jsonb_build_object('id', crm_defaults.new_id(),'metadata', '{}'::jsonb,'tenant_id', '00000000-0000-0000-0000-000000000000'::uuid) || elem) AS val
        FROM jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_json_defs,
    LATERAL (SELECT "id", "name", "metadata", "tenant_id" FROM jsonb_to_recordset(pgrst_json_defs.val) AS _("id" uuid, "name" text, "metadata" jsonb, "tenant_id" uuid)) pgrst_body
    RETURNING "crm"."pipelines"."name") SELECT name FROM pgrst_source$$), 'ok', 'objects of which some members are missing');
SELECT is((SELECT string_agg(name || metadata, ' ' ORDER BY name) FROM crm.pipelines), 'A{"a": 1} B{}', 'are created');

-- Nobody but the extension's owner can put anything there.
SELECT ok(NOT has_schema_privilege('def_owner', 'crm_defaults', 'CREATE'), 'others create nothing in crm_defaults');

SELECT * FROM finish();
ROLLBACK;
