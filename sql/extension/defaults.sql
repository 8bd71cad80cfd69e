-- The functions that columns of a CRM have as defaults.
--
-- PostgREST pastes the text of a default into its own SQL (Prefer: missing=default),
-- which the role of the request runs.  Roles should need no right on the extension's
-- schema, and these functions belong to no API.  So they are in a schema of their own,
-- the only one with a fixed name, which everybody may use.  Their names are short and
-- they take no arguments, as tools that introspect a database copy the text, and some
-- cut it at "::".  None returns text, as some tools make an identifier of a call in a
-- text column.  So text columns that a trigger fills have the default 'auto', a word
-- that such a column never stores.

CREATE SCHEMA crm_defaults;
GRANT USAGE ON SCHEMA crm_defaults TO PUBLIC;
COMMENT ON SCHEMA crm_defaults IS 'The functions that columns of a CRM have as defaults';

CREATE FUNCTION crm_defaults.new_id() RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_uuid_v7';
COMMENT ON FUNCTION crm_defaults.new_id() IS
	'A new time-ordered uuid, as crm_uuid_v7() makes it.';

CREATE FUNCTION crm_defaults.current_tenant() RETURNS uuid
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_current_tenant';
COMMENT ON FUNCTION crm_defaults.current_tenant() IS
	'The tenant of this session, as crm_current_tenant() tells it.';

CREATE FUNCTION crm_defaults.today_utc() RETURNS date
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT (now() AT TIME ZONE 'UTC')::date;
END;
COMMENT ON FUNCTION crm_defaults.today_utc() IS
	'The day on which the transaction began, in UTC.';

-- IMMUTABLE lets the planner fold the call to NULL: no cost per row.
CREATE FUNCTION crm_defaults.filled_in_uuid() RETURNS uuid
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_filled_in';
COMMENT ON FUNCTION crm_defaults.filled_in_uuid() IS
	'Null: the default of a column that a trigger fills where it is not given. Tools see by it that the column has a default.';

CREATE FUNCTION crm_defaults.filled_in_integer() RETURNS integer
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_filled_in';
COMMENT ON FUNCTION crm_defaults.filled_in_integer() IS
	'Null, as filled_in_uuid().';

CREATE FUNCTION crm_defaults.filled_in_time() RETURNS timestamptz
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_filled_in';
COMMENT ON FUNCTION crm_defaults.filled_in_time() IS
	'Null, as filled_in_uuid().';
