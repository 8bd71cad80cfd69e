-- Names.

CREATE FUNCTION @extschema@.crm_name_key(name text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_name_key';
COMMENT ON FUNCTION @extschema@.crm_name_key(text) IS
	'What two names have in common if readers take them for the same: the name in Unicode''s form NFKC, in folded case whatever the locale, with white space trimmed and each run of it one space, without invisible characters. Empty if nothing else is in it. Names of pipelines, stages and tags are unique by it.';
