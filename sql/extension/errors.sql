-- Raising errors from SQL functions.

CREATE FUNCTION @extschema@.crm_raise(condition text, message text, detail text DEFAULT NULL, hint text DEFAULT NULL)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_raise';
COMMENT ON FUNCTION @extschema@.crm_raise(text, text, text, text) IS
	'Raises an error and never returns: for CASE branches of SQL functions. The condition is a SQLSTATE of class 22 or 23, 42501, or PT4nn (which PostgREST answers with the HTTP status 4nn).';
