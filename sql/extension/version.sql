-- The version of the code.

CREATE FUNCTION @extschema@.crm_version() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_version';
COMMENT ON FUNCTION @extschema@.crm_version() IS
	'The version of the crm code that is loaded.';
