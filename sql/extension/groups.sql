-- The groups of reports.

CREATE FUNCTION @extschema@.crm_groups(group_by text, keys jsonb)
	RETURNS TABLE (group_key text, is_total boolean)
	LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 2
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_groups(text, jsonb) IS
	'The groups that a deal is in: the total, and those of what it has in the dimension group_by, if that is not null; of an array each element is one, as of the tags of a deal';
