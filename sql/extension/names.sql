-- Names.

CREATE FUNCTION @extschema@.crm_name_key(name text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_name_key';
COMMENT ON FUNCTION @extschema@.crm_name_key(text) IS
	'What two names have in common if readers take them for the same: the name in Unicode''s form NFKC, in folded case whatever the locale, with white space trimmed and each run of it one space, without invisible characters. Empty if nothing else is in it. Names of pipelines, stages and tags are unique by it.';

CREATE FUNCTION @extschema@.crm_one_line(value text, max_length integer) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_one_line';
COMMENT ON FUNCTION @extschema@.crm_one_line(text, integer) IS
	'The text as a part of a sentence: in one line, each run of white space and controls one space, none at the ends; where it has more than max_length characters (at least 3), the first ones and an ellipsis.';
