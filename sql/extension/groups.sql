-- The groups of reports.

CREATE FUNCTION @extschema@.crm_group_value(value anyelement, column_name text)
	RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_group_value(anyelement, text) IS
	'What a deal has in a column that is JSON or an array, for crm_groups(): an array is of one dimension, whatever it is in the column. The errors for JSON that is none for jsonb name the column and the value.';

CREATE FUNCTION @extschema@.crm_groups(group_by text, keys jsonb)
	RETURNS TABLE (group_key text, is_total boolean)
	LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 2
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_groups(text, jsonb) IS
	'The groups that a deal is in: the total, and those of what it has in the dimension group_by, if that is not null; of an array each element is one, as of the tags of a deal';
