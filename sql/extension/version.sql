-- The version of the library, and the check that it knows this SQL.

CREATE FUNCTION @extschema@.crm_version() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_version';
COMMENT ON FUNCTION @extschema@.crm_version() IS
	'The version of the library that this session has loaded.';

CREATE FUNCTION @extschema@.crm_require_library(version text) RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_require_library';
COMMENT ON FUNCTION @extschema@.crm_require_library(text) IS
	'An error if SQL of that version is newer than the library that this session has loaded. The scripts of the extension begin with it.';

SELECT @extschema@.crm_require_library('@VERSION@');

CREATE FUNCTION @extschema@.crm_require_no_namesakes() RETURNS void
	LANGUAGE c VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_require_no_namesakes';
COMMENT ON FUNCTION @extschema@.crm_require_no_namesakes() IS
	'An error if the extension''s schema holds a function of another owner''s that has the name of one of the extension''s, and so could be run in its stead. The scripts of the extension end with it.';
