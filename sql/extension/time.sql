-- Times.

CREATE FUNCTION @extschema@.crm_are_times(VARIADIC times "any") RETURNS boolean
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_are_times';
COMMENT ON FUNCTION @extschema@.crm_are_times(VARIADIC "any") IS
	'Whether all of these dates and timestamps, apart from nulls, are in the years 1900 to 9999 (UTC) and thus finite: what reports can compute with.';
