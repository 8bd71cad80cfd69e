-- Currencies.

CREATE FUNCTION @extschema@.crm_is_currency(code text) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_is_currency';
COMMENT ON FUNCTION @extschema@.crm_is_currency(text) IS
	'Whether this is a currency code of ISO 4217, active or withdrawn: three letters in upper case.';
