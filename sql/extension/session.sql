-- The session's actor, tenant and effective time.

CREATE FUNCTION @extschema@.crm_current_tenant() RETURNS uuid
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_current_tenant';
COMMENT ON FUNCTION @extschema@.crm_current_tenant() IS
	'The tenant of this session: the claim of request.jwt.claims that the setting crm.tenant_claim names (default tenant_id; app_metadata.tenant_id is a path), or, if there are no claims at all, the setting crm.tenant_id. An id that is not a uuid becomes crm_external_uuid(''tenant'', id). Without a tenant: error 42501.';

CREATE FUNCTION @extschema@.crm_current_actor() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_current_actor';
COMMENT ON FUNCTION @extschema@.crm_current_actor() IS
	'Who acts in this session: the setting crm.actor, else the claim sub of request.jwt.claims, else the session user. Self-declared: whoever can run SQL can change it.';

CREATE FUNCTION @extschema@.crm_current_effective_at() RETURNS timestamptz
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_current_effective_at';
COMMENT ON FUNCTION @extschema@.crm_current_effective_at() IS
	'The setting crm.effective_at, as of which moves are recorded (meant for SET LOCAL in imports); NULL if it is not set.';
