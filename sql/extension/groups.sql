-- The groups of reports.

CREATE FUNCTION @extschema@.crm_groups(group_by text, keys jsonb)
	RETURNS TABLE (group_key text, is_total boolean)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT NULL::text, true
	UNION ALL
	SELECT k.key, false
	FROM (SELECT DISTINCT e.element #>> '{}' AS key
		FROM jsonb_array_elements(CASE
				WHEN keys = '[]' THEN '[null]'
				WHEN jsonb_typeof(keys) = 'array' THEN keys
				ELSE jsonb_build_array(keys)
			END) AS e (element)) AS k
	WHERE group_by IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.crm_groups(text, jsonb) IS
	'The groups that a deal is in: the total, and those of what it has in the dimension group_by, if that is not null; of an array each element is one, as of the tags of a deal';
