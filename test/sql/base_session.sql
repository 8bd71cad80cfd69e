-- The session's context: tenant, actor, effective time.

SELECT crm_version() = extversion AS version_of_code FROM pg_extension WHERE extname = 'crm';

-- A session that names no tenant has none.
SELECT crm_current_tenant();
\echo :LAST_ERROR_SQLSTATE

-- The setting crm.tenant_id.
SET crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SELECT crm_current_tenant();
SET crm.tenant_id = '{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}';
SELECT crm_current_tenant() = current_setting('crm.tenant_id')::uuid AS uuid_forms;
SET crm.tenant_id = 'a0eebc999c0b4ef8bb6d6bb9bd380a11';
SELECT crm_current_tenant();
-- Not quite uuids: ids of another kind.
SELECT id, crm_current_tenant() = crm_external_uuid('tenant', id) AS external
FROM unnest(ARRAY['acme', ' ', '{a0eebc999c0b4ef8bb6d6bb9bd380a11', 'a0eebc999c0b4ef8bb6d6bb9bd380a11}',
	'a0eebc999c0b4ef8bb6d6bb9bd380a1', 'a0eebc999c0b4ef8bb6d6bb9bd380a111', 'a-0eebc999c0b4ef8bb6d6bb9bd380a11',
	'g0eebc999c0b4ef8bb6d6bb9bd380a11', 'Zürich']) AS id,
	LATERAL (SELECT set_config('crm.tenant_id', id, false) OFFSET 0) s
WHERE s.set_config IS NOT NULL;
SET crm.tenant_id = 'acme';
SELECT crm_current_tenant();
SET crm.tenant_id = '';
SELECT crm_current_tenant();
SET crm.tenant_id = '00000000-0000-0000-0000-000000000000';
SELECT crm_current_tenant();
\echo :LAST_ERROR_SQLSTATE
SET crm.tenant_id = '{00000000000000000000000000000000}';
SELECT crm_current_tenant();

-- A setting that the namespace does not have is refused.
SET crm.tenant = 'acme';

-- Claims: they alone count, whatever crm.tenant_id says.
SET crm.tenant_id = '99999999-9999-4999-8999-999999999999';
CREATE FUNCTION tenant_of(claims text, claim text DEFAULT 'tenant_id') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	PERFORM set_config('request.jwt.claims', claims, true), set_config('crm.tenant_claim', claim, true);
	RETURN crm_current_tenant();
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, message, NULLIF(detail, ''), NULLIF(hint, ''));
END $$;
\x on
\t on
SELECT tenant_of('{"tenant_id": "22222222-2222-4222-8222-222222222222"}') AS a_uuid,
	tenant_of('{"tenant_id": "acme"}') = crm_external_uuid('tenant', 'acme')::text AS a_text,
	-- a uuid of version 5 could be what another tenant's name was turned into
	tenant_of(format('{"tenant_id": "%s"}', crm_external_uuid('tenant', 'acme'))) = crm_external_uuid('tenant', 'acme')::text AS the_uuid_of_a_text,
	tenant_of(format('{"tenant_id": "{%s}"}', upper(crm_external_uuid('tenant', 'acme')::text)))
		= crm_external_uuid('tenant', crm_external_uuid('tenant', 'acme')::text)::text AS the_same_however_written,
	tenant_of('{"tenant_id": 42}') = crm_external_uuid('tenant', '42')::text AS a_number,
	tenant_of('{"tenant_id": 12345678901234567890}') = crm_external_uuid('tenant', '12345678901234567890')::text AS a_big_number,
	tenant_of('{"tenant_id": "\u00e9"}') = crm_external_uuid('tenant', 'é')::text AS escaped,
	tenant_of('{"tenant_id": "a", "tenant_id": "b"}') = crm_external_uuid('tenant', 'b')::text AS last_counts;
-- No claims at all: the setting crm.tenant_id.
SELECT tenant_of('') AS no_claims;
-- Claims without a tenant.
SELECT tenant_of('{}') AS none,
	tenant_of('{"role": "anon"}') AS other,
	tenant_of('{"tenant_id": ""}') AS empty,
	tenant_of('{"tenant_id": null}') AS a_null,
	tenant_of('{"tenant_id": true}') AS a_boolean,
	tenant_of('{"tenant_id": {"id": "acme"}}') AS an_object,
	tenant_of('{"tenant_id": ["acme"]}') AS an_array,
	tenant_of('{"tenant_id": "00000000-0000-0000-0000-000000000000"}') AS nil;
-- Malformed claims.
SELECT tenant_of(' ') AS blank,
	tenant_of('{"tenant_id": "acme"') AS cut_off,
	tenant_of('{"tenant_id": "acme"} x') AS trailing,
	tenant_of('{"tenant_id": "ac\u0000me"}') AS nul,
	tenant_of('"acme"') AS a_string,
	tenant_of('[{"tenant_id": "acme"}]') AS an_array,
	tenant_of('null') AS a_null;
-- Paths; a claim that has the whole name comes first.
SELECT tenant_of('{"app_metadata": {"tenant_id": "acme"}}', 'app_metadata.tenant_id') = crm_external_uuid('tenant', 'acme')::text AS path,
	tenant_of('{"o": {"id": "acme"}}', 'o.id') = crm_external_uuid('tenant', 'acme')::text AS short,
	tenant_of('{"a": {"b": {"c": "acme"}}}', 'a.b.c') = crm_external_uuid('tenant', 'acme')::text AS deep,
	tenant_of('{"https://x.y/tenant": "acme"}', 'https://x.y/tenant') = crm_external_uuid('tenant', 'acme')::text AS url,
	tenant_of('{"o": {"id": "no"}, "o.id": "acme"}', 'o.id') = crm_external_uuid('tenant', 'acme')::text AS whole_name,
	tenant_of('{"tenant_id": "acme"}', '') = crm_external_uuid('tenant', 'acme')::text AS default_claim;
SELECT tenant_of('{"o.id": null, "o": {"id": "acme"}}', 'o.id') AS whole_name_is_null,
	tenant_of('{"o": {"name": "acme"}}', 'o.id') AS no_leaf,
	tenant_of('{"o": "acme"}', 'o.id') AS no_object,
	tenant_of('{"o": [{"id": "acme"}]}', 'o.id') AS an_array,
	tenant_of('{"o": {"id": {"x": 1}}}', 'o.id') AS not_scalar,
	tenant_of('{"o": {"id": "acme"}}', 'o.') AS no_name,
	tenant_of('{"o": {"id": "acme"}}', '.') AS dot,
	tenant_of('{"tenant_id": "acme"}', 'o') AS other_name;
\t off
\x off

-- The same claims, read by another name.
SET request.jwt.claims = '{"a": "11111111-1111-4111-8111-111111111111", "b": "22222222-2222-4222-8222-222222222222"}';
SET crm.tenant_claim = 'a';
SELECT crm_current_tenant();
SET crm.tenant_claim = 'b';
SELECT crm_current_tenant();
SET crm.tenant_claim = 'c';
SELECT crm_current_tenant();
SET crm.tenant_claim = 'a';
SELECT crm_current_tenant();
RESET crm.tenant_claim;
RESET request.jwt.claims;

-- Local settings end with their transaction: the tenant does too.
BEGIN;
SET LOCAL request.jwt.claims = '{"tenant_id": "33333333-3333-4333-8333-333333333333"}';
SELECT crm_current_tenant();
COMMIT;
SELECT current_setting('request.jwt.claims') = '' AS empty, crm_current_tenant();

-- A row default, asked for every row; workers see the settings.
CREATE TABLE session_rows (id int, tenant_id uuid DEFAULT crm_current_tenant());
SET crm.tenant_id = 'one';
INSERT INTO session_rows SELECT generate_series(1, 1000);
SET crm.tenant_id = 'two';
INSERT INTO session_rows SELECT generate_series(1, 500);
SELECT tenant_id = crm_external_uuid('tenant', 'one') AS one, count(*) FROM session_rows GROUP BY 1 ORDER BY 2;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SET LOCAL request.jwt.claims = '{"tenant_id": "one", "sub": "joe"}';
SELECT count(*) FROM session_rows WHERE tenant_id = crm_current_tenant() AND crm_current_actor() = 'joe';
ROLLBACK;

-- The actor.
SELECT crm_current_actor() = session_user AS session_user;
SET request.jwt.claims = '{"sub": "user-1", "tenant_id": "acme"}';
SELECT crm_current_actor();
SET crm.actor = 'import';
SELECT crm_current_actor();
SET crm.actor = '';
SET request.jwt.claims = '{"sub": 42}';
SELECT crm_current_actor();
SELECT claims, crm_current_actor() = session_user AS session_user
FROM unnest(ARRAY['{"sub": ""}', '{"sub": null}', '{"sub": {"id": 1}}', '{}', '{"sub": "user-1"', '"user-1"']) AS claims,
	LATERAL (SELECT set_config('request.jwt.claims', claims, false) OFFSET 0) s
WHERE s.set_config IS NOT NULL;
RESET request.jwt.claims;

-- The effective time.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT crm_current_effective_at() IS NULL AS unset;
SET crm.effective_at = '2024-02-03 10:00';
SELECT crm_current_effective_at();
SET timezone = 'America/New_York';
SELECT crm_current_effective_at();
SET timezone = 'UTC';
SET crm.effective_at = '02/03/2024';
SELECT crm_current_effective_at();
SET datestyle = 'ISO, DMY';
SELECT crm_current_effective_at();
SET crm.effective_at = '';
SELECT crm_current_effective_at() IS NULL AS unset;
-- Within one transaction as well.
BEGIN;
SET LOCAL crm.effective_at = '02/03/2024';
SELECT crm_current_effective_at();
SET LOCAL datestyle = 'ISO, MDY';
SELECT crm_current_effective_at();
SET LOCAL timezone = 'America/New_York';
SELECT crm_current_effective_at();
COMMIT;
BEGIN;
SET LOCAL crm.effective_at = 'now';
SELECT crm_current_effective_at() = now() AS now;
COMMIT;
BEGIN;
SET LOCAL crm.effective_at = 'now';
SELECT crm_current_effective_at() = now() AS now;
COMMIT;
SELECT crm_current_effective_at() IS NULL AS unset;
SET crm.effective_at = 'yesterday noon-ish';
SELECT crm_current_effective_at();
\echo :LAST_ERROR_SQLSTATE
SET crm.effective_at = '2024-13-45';
SELECT crm_current_effective_at();
\echo :LAST_ERROR_SQLSTATE
SET crm.effective_at = '2024-01-01 10:00 Nowhere/Land';
SELECT crm_current_effective_at();
\echo :LAST_ERROR_SQLSTATE
SET crm.effective_at = '-infinity';
SELECT crm_current_effective_at();
\echo :LAST_ERROR_SQLSTATE
RESET crm.effective_at;

-- A column that a trigger fills: the default stays visible and reads as NULL.
CREATE TABLE session_defaults (id int, a uuid DEFAULT crm_defaults.filled_in_uuid(),
	b integer DEFAULT crm_defaults.filled_in_integer(), c timestamptz DEFAULT crm_defaults.filled_in_time());
INSERT INTO session_defaults (id) VALUES (1);
SELECT * FROM session_defaults;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'session_defaults'::regclass ORDER BY adnum;
SELECT crm_defaults.today_utc() = (now() AT TIME ZONE 'UTC')::date AS today;

DROP TABLE session_rows, session_defaults;
DROP FUNCTION tenant_of;
